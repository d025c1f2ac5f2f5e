package airflow_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

func TestABreachBecomesADAGRunAndItsOutcomeAStatus(t *testing.T) {
	needAirflow(t)
	const queue, model = "airflow-loop", "fraud EU"
	startWorker(t, queue)
	publish(t, queue, model)
	s := until(t, model, "the retraining has succeeded", func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 })
	assert.Equal(t, contract.PhaseCoolingDown, s.Phase)
	last := s.Decisions[len(s.Decisions)-1]
	assert.Equal(t, policy.Succeeded, last.Kind)
	assert.Equal(t, "v7-retrained-1", last.ModelVersion)

	runs := dagRuns(t, model)
	require.Len(t, runs, 1)
	assert.Equal(t, "success", runs[0].State)
	assert.Equal(t, last.RequestID, runs[0].Conf["request_id"])
	assert.Equal(t, "accuracy 0.8000 below threshold 0.9000", runs[0].Conf["reason"])
	assert.Contains(t, starter(t, queue, "", "status", model), "v7-retrained-1")
}

func TestAFailedTaskIsNamedInTheStatus(t *testing.T) {
	needAirflow(t)
	const queue, model = "airflow-fails", "fails"
	startWorker(t, queue)
	starter(t, queue, "model_name: "+model+"\nretraining: {params: {fail: out of memory in epoch 2}}\n", "apply", "-")
	publish(t, queue, model)
	s := until(t, model, "the retraining has failed", func(s monitor.Status) bool { return s.Retrainings.Failed == 1 })
	assert.Equal(t, "task train failed: RuntimeError: out of memory in epoch 2", s.Decisions[len(s.Decisions)-1].Reason)
}

func TestACancelledRetrainingEndsItsDAGRun(t *testing.T) {
	needAirflow(t)
	const queue, model = "airflow-cancel", "cancelled"
	startWorker(t, queue)
	starter(t, queue, "model_name: "+model+"\nretraining: {params: {seconds: 600}}\n", "apply", "-")
	publish(t, queue, model)
	until(t, model, "the retraining is taken", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	starter(t, queue, "", "cancel", model, "--reason", "wrong data")
	eventually(t, "the DAG run is marked as failed", func() bool {
		runs := dagRuns(t, model)
		return len(runs) == 1 && runs[0].State == "failed"
	})
}

func TestAWrongPasswordIsSaidAndNotShown(t *testing.T) {
	needAirflow(t)
	const queue, model, wrong = "airflow-refused", "refused", "a-wrong-password"
	w := startWorker(t, queue, "MODELOPS_AIRFLOW_PASSWORD="+wrong)
	publish(t, queue, model)
	s := until(t, model, "the retraining is refused", func(s monitor.Status) bool { return s.Retrainings.Failed == 1 })
	assert.Contains(t, s.Decisions[len(s.Decisions)-1].Reason, "Invalid credentials; correct the username and password")
	shown := starter(t, queue, "", "status", model, "-o", "json")
	w.kill()
	assert.NotContains(t, shown+w.output.String(), wrong)
	assert.Empty(t, dagRuns(t, model))
}

// crashes is how often the worker is killed, each time with another retraining on
// its way.
const crashes = 20

func TestAWorkerKilledAtAnyMomentStartsOneDAGRunForEachRequest(t *testing.T) {
	needAirflow(t)
	const queue = "airflow-crash"
	model := func(i int) string { return fmt.Sprintf("crash-%d", i) }
	w := startWorker(t, queue)
	for i := range crashes {
		publish(t, queue, model(i))
		// From before the decision, milliseconds from now, to after Airflow has
		// answered, a few hundred later. No fact is waited for: any moment will do.
		<-time.After(rand.N(500 * time.Millisecond))
		w.kill()
		w = startWorker(t, queue)
	}
	for i := range crashes {
		s := until(t, model(i), "the retraining of "+model(i)+" has succeeded", func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 })
		assert.EqualValues(t, 1, s.Retrainings.Requested)
		runs := dagRuns(t, model(i))
		if assert.Len(t, runs, 1, model(i)) {
			assert.Equal(t, s.Decisions[0].RequestID, runs[0].Conf["request_id"])
			assert.Equal(t, "success", runs[0].State)
		}
	}
}
