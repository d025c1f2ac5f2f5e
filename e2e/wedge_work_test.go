package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows"
)

func times(n int, element string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
}

// unknownFields is an event of 2 MB, all of it fields that no event has.
func unknownFields() string {
	var b strings.Builder
	b.WriteByte('{')
	for i := 0; b.Len() < 2_000_000; i++ {
		fmt.Fprintf(&b, `"%x": 1,`, i)
	}
	return strings.TrimSuffix(b.String(), ",") + "}"
}

// What costs a monitor most of all that the server takes, sent while no worker is there.
func TestWhatCostsMostIsTakenOnAQuarterOfAProcessor(t *testing.T) {
	t.Parallel()
	const most = 10_000 // elements of a signal
	for model, sent := range map[string]struct {
		rules    []string
		payload  string
		signals  int
		events   int // of one signal, counted
		rejected int // of one signal
	}{
		"wedge-warned":   {append(warnings(49), accuracyRule), times(most, breach("wedge-warned")), 1, most, 0},
		"wedge-warnings": {append(warnings(49), accuracyRule), times(most, breach("wedge-warnings")), 30, most, 0},
		"wedge-unknown":  {[]string{accuracyRule}, unknownFields(), 1, 0, 1},
		"wedge-unknowns": {[]string{accuracyRule}, unknownFields(), 10, 0, 1},
		"wedge-text":     {[]string{accuracyRule}, `{"model_name": "wedge-text", "x": "` + strings.Repeat("x", 2<<20-1000) + `"}`, 20, 0, 1},
		"wedge-broken":   {[]string{accuracyRule}, times(most, `{"x":1}`), 100, 0, most},
		"wedge-many":     {[]string{accuracyRule}, `{"model_name": "wedge-many", "accuracy": 0.95}`, 2500, 1, 0},
		"wedge-nested":   {nested(45), times(most, breach("wedge-nested")), 10, most, 0},
	} {
		t.Run(model, func(t *testing.T) {
			if sent.signals > 10 {
				patience.Long(t)
			}
			first := startWorker(t, model, "LOG_LEVEL=error")
			watched(t, model, model, sent.rules...)
			first.kill()
			pile(t, model, sent.payload, sent.signals)

			startThrottledWorker(t, model)
			s := until(t, model, "all are counted", func(s monitor.Status) bool { return s.Signals == int64(sent.signals) })
			assert.EqualValues(t, sent.signals*sent.events, s.Events)
			assert.EqualValues(t, sent.signals*sent.rejected, s.Rejected)
			livesOn(t, model)
			tellDeadlocks(t, model)
			replay(t, model)
		})
	}
}

// replay replays the run that took a model's pile, and tells how long that took.
func replay(t *testing.T, model string) {
	t.Helper()
	d, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
	require.NoError(t, err)
	execution := workflow.Execution{ID: contract.WorkflowID(model), RunID: d.GetWorkflowExecutionInfo().GetFirstRunId()}
	var recorded historypb.History
	for events := server.Client().GetWorkflowHistory(t.Context(), execution.ID, execution.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		require.NoError(t, err)
		recorded.Events = append(recorded.Events, event)
	}

	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
	began := time.Now()
	require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(quietLog, &recorded, worker.ReplayWorkflowHistoryOptions{OriginalExecution: execution}))
	t.Logf("%s: %d events of history, %.1f MiB, replayed in %v", model, len(recorded.Events), float64(recorded.Size())/(1<<20), time.Since(began).Round(time.Millisecond))
}

// nested are composites each of which names the two before it.
func nested(n int) []string {
	rules := []string{accuracyRule, `{"name": "c0", "metric": "latency_ms", "above": 200, "condition": true}`, `{"name": "c1", "metric": "drift_score", "above": 0.1, "condition": true}`}
	for i := 2; i < n; i++ {
		rules = append(rules, fmt.Sprintf(`{"name": "c%d", "any_of": ["c%d", "c%d"], "severity": "warning"}`, i, i-1, i-2))
	}
	return rules
}

// pile sends signals, several at a time.
func pile(t *testing.T, model, payload string, signals int) {
	t.Helper()
	senders := max(1, min(8, (2<<20)/len(payload)))
	var work sync.WaitGroup
	for sender := range senders {
		work.Go(func() {
			for i := sender; i < signals; i += senders {
				assert.NoError(t, signalUntilTaken(t.Context(), model, contract.SignalMetric, rawJSON([]byte(payload))))
			}
		})
	}
	work.Wait()
}

// tellDeadlocks logs the tasks that the SDK took for deadlocked, which one may be that
// the machine had no time for. What a task may compute before it yields, the work
// counter's tests hold; here, a task that is deadlocked each time would count nothing.
func tellDeadlocks(t *testing.T, model string) {
	t.Helper()
	for _, cause := range tasksFailed(t, model) {
		if strings.Contains(cause, "TMPRL1101") {
			t.Log(cause)
		}
	}
}

// An update's payload is read by its validator, which leaves no trace: a task that it
// fails is tried again for ever.
func TestUpdatesOfTwoMegabytesOfUnknownFieldsAreRefused(t *testing.T) {
	t.Parallel()
	const queue, model = "wedge-update", "wedge-update"
	startThrottledWorker(t, queue)
	watched(t, queue, model, accuracyRule)
	for _, name := range []string{contract.UpdatePause, contract.UpdateRetrain, contract.UpdateSetPolicy} {
		handle, err := server.Client().UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: contract.WorkflowID(model), UpdateName: name, Args: []any{rawJSON([]byte(unknownFields()))},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = handle.Get(t.Context(), nil)
		}
		require.ErrorContains(t, err, name+" refused")
	}
	livesOn(t, model)
	tellDeadlocks(t, model)
}

// A rule that lets silence count knows of silence from then on, not since its model
// was heard of last.
func TestSilenceThatCountsFromNowOnIsNotCountedBackwards(t *testing.T) {
	t.Parallel()
	const queue, model = "wedge-silence", "wedge-silence"
	const rule = `{"name": "quality", "metric": "auc", "stat": "mean", "below": 0.7, "period": "1s", "severity": "warning"`
	startThrottledWorker(t, queue)
	watched(t, queue, model, accuracyRule, rule+"}")
	require.NoError(t, signalUntilTaken(t.Context(), model, contract.SignalMetric,
		rawJSON([]byte(`{"model_name": "`+model+`", "model_version": "v1", "metrics": {"auc": 0.9}}`))))
	s := until(t, model, "it is counted", func(s monitor.Status) bool { return s.Events == 1 })
	heard := s.Versions["v1"].LastSeen
	patience.Until(t, "it is silent for a while", func() bool { return time.Since(heard) > 15*time.Second })

	changed := time.Now()
	watched(t, queue, model, accuracyRule, rule+`, "missing": "breaching"}`)
	s = livesOn(t, model)
	assert.LessOrEqual(t, s.Breaches, int64(time.Since(changed).Seconds())+2, "at most each second since, and the breach of accuracy")
	tellDeadlocks(t, model)
}

// Operators are answered while a pile is worked off, and nothing of it is lost.
func TestUpdatesAreAnsweredWhileAPileIsWorkedOff(t *testing.T) {
	t.Parallel()
	const queue, model, signals, events = "wedge-operator", "wedge-operator", 40, 10_000
	first := startWorker(t, queue, "LOG_LEVEL=error")
	watched(t, queue, model, append(warnings(49), accuracyRule)...)
	first.kill()
	pile(t, model, times(events, breach(model)), signals)

	startThrottledWorker(t, queue)
	_, err := control(t, model, contract.UpdatePause)
	require.NoError(t, err)
	s := until(t, model, "all are counted", func(s monitor.Status) bool { return s.Signals == signals })
	assert.EqualValues(t, signals*events, s.Events)
	assert.EqualValues(t, s.Breaches, s.Retrainings.Requested+sum(s.Suppressed))
	assert.Equal(t, contract.PhasePaused, s.Phase)
	_, err = control(t, model, contract.UpdateResume)
	require.NoError(t, err)
	livesOn(t, model)
}

func sum(counts map[monitor.Suppression]int64) (total int64) {
	for _, n := range counts {
		total += n
	}
	return total
}
