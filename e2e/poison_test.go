package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// signalUntilTaken signals as a good sender does: what the server refuses because
// the run has taken all that it may, or because it is too busy, is sent again, under
// the same id, by which a run takes it once. It waits as long as ctx lets it.
func signalUntilTaken(ctx context.Context, model, name string, payload any) error {
	input, err := converter.GetDefaultDataConverter().ToPayloads(payload)
	if err != nil {
		return err
	}
	request := &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: client.DefaultNamespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: contract.WorkflowID(model)},
		SignalName: name, Input: input, RequestId: uuid.NewString(),
	}

	for {
		_, err := server.Client().WorkflowService().SignalWorkflowExecution(ctx, request)
		var slow *serviceerror.DeadlineExceeded
		var busy *serviceerror.ResourceExhausted
		var away *serviceerror.Unavailable
		passes := errors.As(err, &slow) || errors.As(err, &busy) || errors.As(err, &away) ||
			err != nil && strings.Contains(err.Error(), "exceeded workflow execution limit for signal events")
		if !passes || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func rawJSON(data []byte) converter.RawValue {
	return converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)}, Data: data,
	})
}

// mutate changes some bytes of a payload, cuts it or doubles a part of it.
func mutate(random *rand.Rand, payload string) []byte {
	b := []byte(payload)
	for range 1 + random.IntN(4) {
		switch at := random.IntN(len(b)); random.IntN(5) {
		case 0:
			b[at] = byte(random.IntN(256))
		case 1:
			b = b[:at+1]
		case 2:
			b = append(b[:at:at], append([]byte(strings.Repeat("9", random.IntN(400))), b[at:]...)...)
		case 3:
			b = append(b[:at:at], append(bytes.Clone(b[random.IntN(at+1):]), b[at:]...)...)
		default: // as it is
		}
	}
	return b
}

// POISON=100000 sends as much; the default is what a test run has time for.
func TestRandomInputsAreCountedAndAMonitorLivesOn(t *testing.T) {
	patience.Long(t)
	const queue, model, senders = "poison", "poison", 16
	total := 4000
	if n, err := strconv.Atoi(os.Getenv("POISON")); err == nil {
		total = n
	}
	startWorker(t, queue, "LOG_LEVEL=error")
	mustStarter(t, queue, "model_name: "+model+"\n", "apply", "-")
	signals := []struct{ name, payload string }{
		{contract.SignalMetric, `{"model_name": "poison", "model_version": "v1", "accuracy": 0.93, "latency_ms": 84, "metrics": {"auc": 0.91}}`},
		{contract.SignalMetric, `[{"model_name": "poison"}, {"model_name": "other"}, {"accuracy": 1e200}, {"timestamp": "2099-01-01T00:00:00Z"}]`},
		{contract.SignalMetricDigest, `{"version": 1, "model_name": "poison", "publisher": "p", "sequence": 5, "digests": [{"model_version": "v1", "events": 1,
			"first": "2026-01-01T00:00:00Z", "last": "2026-01-01T00:00:00Z", "folded_from": "2026-01-01T00:00:00Z", "folded_until": "2026-01-01T00:00:00Z",
			"metrics": {"auc": {"count": 1, "sum": 1, "min": 1, "max": 1, "min_at": "2026-01-01T00:00:00Z", "max_at": "2026-01-01T00:00:00Z", "sketch": "CgIIAQ=="}}}]}`},
		{contract.SignalRetrainingOutcome, `{"request_id": "model-monitor/poison/x/1", "state": "succeeded", "model_version": "v2"}`},
		{"no-such-signal", `{}`},
	}
	updates := []string{contract.UpdateSetPolicy, contract.UpdatePause, contract.UpdateResume, contract.UpdateRetrain, contract.UpdateApprove, contract.UpdateCancel, "no-such-update"}
	var taken, answered, started atomic.Int64
	var next atomic.Int64
	var work sync.WaitGroup
	for sender := range senders {
		work.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(sender)))
			for {
				n := next.Add(1)
				if n > int64(total) {
					return
				}
				switch n % 50 {
				case 0: // an update, of a policy or an operator
					body := mutate(random, `{"by": "ada", "reason": "why", "cooldown": "1h", "rules": [{"metric": "accuracy", "below": 0.9}]}`)
					handle, err := server.Client().UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
						WorkflowID: contract.WorkflowID(model), UpdateName: updates[random.IntN(len(updates))], Args: []any{rawJSON(body)}, WaitForStage: client.WorkflowUpdateStageCompleted,
					})
					if err == nil {
						err = handle.Get(t.Context(), nil)
					}
					_ = err // most are refused, and that is right
					answered.Add(1)
				case 25: // a monitor of another model, started by an argument that may make no sense
					options := hub.StartOptions(fmt.Sprintf("poison-%d", n), queue)
					_, err := server.Client().ExecuteWorkflow(t.Context(), options, contract.WorkflowType, rawJSON(mutate(random, `{"model_name": "poison-`+strconv.FormatInt(n, 10)+`", "policy": {"cooldown": "1h"}}`)))
					assert.NoError(t, err)
					started.Add(1)
				default:
					signal := signals[random.IntN(len(signals))]
					if assert.NoError(t, signalUntilTaken(t.Context(), model, signal.name, rawJSON(mutate(random, signal.payload)))) {
						taken.Add(1)
					}
				}
			}
		})
	}
	work.Wait()
	s := until(t, model, "every signal is counted", func(s monitor.Status) bool { return s.Signals == taken.Load() })
	assert.Positive(t, s.Rejected)
	assert.Positive(t, s.Events)
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Less(t, len(encoded), monitor.MaxStateBytes)
	mustStarter(t, queue, "", "resume", model)
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-")
	after := until(t, model, "it still counts", func(after monitor.Status) bool { return after.Events == s.Events+1 })
	t.Logf("%d signals, %d updates, %d starts; %d events counted, %d inputs rejected, %d digests dropped as redelivered",
		taken.Load(), answered.Load(), started.Load(), after.Events, after.Rejected, after.Duplicates)
}

// Metric names and versions without end: what is kept is bounded, and the rest counted.
func TestMetricNamesWithoutEndAreBoundedAndCounted(t *testing.T) {
	patience.Long(t)
	const queue, model, signals, names = "overflow", "overflow", 20, 5000
	startWorker(t, queue, "LOG_LEVEL=error")
	mustStarter(t, queue, "model_name: "+model+"\n", "apply", "-")
	for i := range signals {
		var events strings.Builder
		for j := range names {
			fmt.Fprintf(&events, `,{"model_name": "overflow", "model_version": "v%d", "metrics": {"metric-%d": 1}}`, i, i*names+j)
		}
		require.NoError(t, signalUntilTaken(t.Context(), model, contract.SignalMetric, rawJSON([]byte("["+events.String()[1:]+"]"))))
	}
	s := until(t, model, "all are counted", func(s monitor.Status) bool { return s.Events == signals*names })
	assert.EqualValues(t, signals*names-200, s.Overflow)
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Less(t, len(encoded), monitor.MaxStateBytes)
}

// At 50 MiB of history the server ends a workflow: so many signals of 2 MiB, while
// no worker is there to hand on. This shows it, what the first event does then, and
// that apply brings the monitor back with its policy; docs/disasters.md tells more.
func TestSignalsOf2MiBWhileWorkersAreAwayEndAMonitorAndApplyBringsItBack(t *testing.T) {
	patience.Long(t)
	const queue, model = "huge", "huge"
	worker := startWorker(t, queue, "LOG_LEVEL=error")
	policy := "model_name: huge\ncooldown: 42m\n"
	mustStarter(t, queue, policy, "apply", "-")
	until(t, model, "it is watched", func(monitor.Status) bool { return true })
	worker.kill()

	huge := rawJSON([]byte(`{"model_name": "huge", "x": "` + strings.Repeat("x", 2<<20-1000) + `"}`))
	sent := 0
	for ended := false; !ended; sent++ {
		require.Less(t, sent, 100)
		err := server.Client().SignalWorkflow(t.Context(), contract.WorkflowID(model), "", contract.SignalMetric, huge)
		description, describeErr := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
		require.NoError(t, describeErr)
		ended = description.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
		require.True(t, err == nil || ended, "%v", err)
	}
	t.Logf("the server ended it at signal %d of 2 MiB", sent)
	patience.Until(t, "the list shows it", func() bool { return listed(t, queue, model, " terminated ") == 1 })

	// With --enrol refuse, nothing starts it with a policy that is not its own.
	_, stderr, code := starter(t, queue, breach(model)+"\n", "publish", "--file", "-", "--enrol", "refuse")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "no monitor")

	startWorker(t, queue, "LOG_LEVEL=error")
	mustStarter(t, queue, policy, "apply", "-")
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-", "--enrol", "refuse")
	s := until(t, model, "it counts again", func(s monitor.Status) bool { return s.Events == 1 })
	assert.Equal(t, 42*time.Minute, time.Duration(s.Policy.Cooldown.Or(0)))
	assert.EqualValues(t, 1, s.Retrainings.Requested)

	// A worker that can keep up with them hands on in time.
	for i := range int64(30) {
		require.NoError(t, signalUntilTaken(t.Context(), model, contract.SignalMetric, huge))
		if i%5 == 4 {
			s = until(t, model, "all are counted", func(s monitor.Status) bool { return s.Rejected == i+1 })
		}
	}
	assert.EqualValues(t, 1, s.Events)
}
