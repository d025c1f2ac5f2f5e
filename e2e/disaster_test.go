package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// statusAt asks a model's monitor on another server than the tests' own.
func statusAt(t *testing.T, c client.Client, model string, wanted func(monitor.Status) bool) (s monitor.Status) {
	t.Helper()
	patience.Until(t, "the monitor of "+model+" is as wanted", func() bool {
		answer, err := c.QueryWorkflow(t.Context(), contract.WorkflowID(model), "", contract.QueryStatus)
		s = monitor.Status{}
		return err == nil && answer.Get(&s) == nil && wanted(s)
	})
	return s
}

// The server's database is restored from a backup. What monitors took in since is
// forgotten with it: events that were acknowledged, a retraining. What must hold:
// the losses can be seen, publishers go on, and the retraining that was forgotten
// is not made twice.
func TestADatabaseRestoredFromABackupLosesWhatCameSinceAndSaysSo(t *testing.T) {
	t.Parallel()
	const model = "restored"
	db := filepath.Join(t.TempDir(), "temporal.db")
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	serve := func() *process {
		return start(t, temporalPath, []string{"server", "start-dev", "--headless", "--port", port, "--log-level", "error", "--db-filename", db})
	}
	running := serve()
	c := dialEventually(t, address)
	defer c.Close()
	tr := startPipeline(t)
	startWorker(t, "restored", append(webhookEnv(tr), "TEMPORAL_ADDRESS="+address, "LOG_LEVEL=error")...)
	h := hub.New(c, hub.Options{TaskQueue: "restored"})
	publish := func(accuracy float64) {
		t.Helper()
		require.NoError(t, h.PublishDurable(t.Context(), metric.NewEvent(model, "v1", accuracy, 120, 0.02)))
	}
	publish(0.95)
	statusAt(t, c, model, func(s monitor.Status) bool { return s.Events == 1 })

	stop := func() {
		require.NoError(t, running.cmd.Process.Signal(syscall.SIGTERM))
		running.done <- <-running.done
	}
	stop()
	backup, err := os.ReadFile(db)
	require.NoError(t, err)
	running = serve()
	publish(0.95)
	publish(0.5) // after the backup: a retraining is asked for, and made
	patience.Until(t, "the retraining is asked for", func() bool { return len(tr.asked()) == 1 })
	tr.finish()
	statusAt(t, c, model, func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 && s.Events == 3 })

	stop()
	for _, file := range []string{db + "-wal", db + "-shm"} {
		_ = os.Remove(file)
	}
	require.NoError(t, os.WriteFile(db, backup, 0o600))
	running = serve()
	publish(0.5) // its publisher has gone on counting
	s := statusAt(t, c, model, func(s monitor.Status) bool {
		return s.Retrainings.Requested == 1
	})
	assert.EqualValues(t, 2, s.Events, "the one before the backup, and the one now")
	assert.EqualValues(t, 2, s.Gaps, "the batches that the backup does not have are missed")
	statusAt(t, c, model, func(s monitor.Status) bool {
		tr.finish()
		return s.Retrainings.Succeeded == 1
	})
	assert.Len(t, tr.asked(), 1, "the same request id: the pipeline knows it, and trains no second time")
	require.NoError(t, h.Close(t.Context()))
}

// An operator terminates a monitor in the UI. What it knew is gone with it.
func TestATerminatedMonitorComesBackWithItsPolicyByApply(t *testing.T) {
	t.Parallel()
	const queue, model = "terminated", "terminated"
	tr := startPipeline(t)
	startWorker(t, queue, webhookEnv(tr)...)
	policy := "model_name: terminated\ncooldown: 42m\n"
	mustStarter(t, queue, policy, "apply", "-")
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-")
	patience.Until(t, "the retraining is asked for", func() bool { return len(tr.asked()) == 1 })

	require.NoError(t, server.Client().TerminateWorkflow(t.Context(), contract.WorkflowID(model), "", "by mistake"))
	patience.Until(t, "the list shows it", func() bool { return listed(t, queue, model, " terminated ") == 1 })
	_, stderr, code := starter(t, queue, breach(model)+"\n", "publish", "--file", "-", "--enrol", "refuse")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "no monitor")

	mustStarter(t, queue, policy, "apply", "-")
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-", "--enrol", "refuse")
	s := until(t, model, "it counts again", func(s monitor.Status) bool { return s.Events == 1 && s.Retrainings.Requested == 1 })
	assert.Equal(t, 42*time.Minute, time.Duration(s.Policy.Cooldown.Or(0)))
	patience.Until(t, "its retraining is another one", func() bool { return len(tr.asked()) == 2 })
}

// An operator resets a monitor in the UI, to its beginning: its signals are applied
// again, by the same code to the same state, and the same request id asks for the
// same retraining.
func TestAResetMonitorCountsOnceAndRetrainsOnce(t *testing.T) {
	t.Parallel()
	const queue, model = "reset", "reset"
	tr := startPipeline(t)
	startWorker(t, queue, webhookEnv(tr)...)
	mustStarter(t, queue, breach(model)+"\n"+breach(model)+"\n", "publish", "--file", "-")
	patience.Until(t, "the retraining is asked for", func() bool { return len(tr.asked()) == 1 })
	tr.finish()
	before := until(t, model, "it has succeeded", func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 })

	first := int64(0) // task that was completed
	for history := server.Client().GetWorkflowHistory(t.Context(), contract.WorkflowID(model), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); first == 0; {
		event, err := history.Next()
		require.NoError(t, err)
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			first = event.GetEventId()
		}
	}
	_, err := server.Client().ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: described(t, model), Reason: "to see", RequestId: "reset",
		WorkflowTaskFinishEventId: first,
	})
	require.NoError(t, err)
	tr.finish()
	after := until(t, model, "it has gone through it again", func(s monitor.Status) bool {
		tr.finish()
		return s.Events == before.Events && s.Retrainings.Succeeded == 1 && s.Current == nil
	})
	assert.Equal(t, before.Breaches, after.Breaches)
	assert.Len(t, tr.asked(), 1, "one request id, however often it was asked for")
}

// A stopped monitor is gone once the namespace's retention has passed: from then on
// an event is that of a model which nobody ever watched.
func TestAfterRetentionAStoppedModelIsANewOne(t *testing.T) {
	t.Parallel()
	const queue, model = "retention", "retention"
	tr := startPipeline(t)
	startWorker(t, queue, webhookEnv(tr)...)
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-")
	patience.Until(t, "the retraining is asked for", func() bool { return len(tr.asked()) == 1 })
	tr.finish()
	until(t, model, "it has succeeded", func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 })
	mustStarter(t, queue, "", "stop", model)
	patience.Until(t, "late events don't raise it again", func() bool {
		_, stderr, code := starter(t, queue, breach(model)+"\n", "publish", "--file", "-")
		return code == 1 && strings.Contains(stderr, "stopped")
	})

	_, err := server.Client().WorkflowService().DeleteWorkflowExecution(t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{ // as retention does
		Namespace: "default", WorkflowExecution: described(t, model),
	})
	require.NoError(t, err)
	patience.Until(t, "the server has forgotten it", func() bool {
		_, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
		return err != nil
	})
	_, stderr, code := starter(t, queue, breach(model)+"\n", "publish", "--file", "-", "--enrol", "refuse")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "no monitor")
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-")
	patience.Until(t, "it is retrained as a new one", func() bool { return len(tr.asked()) == 2 })
}

func described(t *testing.T, model string) *commonpb.WorkflowExecution {
	t.Helper()
	description, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
	require.NoError(t, err)
	return description.GetWorkflowExecutionInfo().GetExecution()
}
