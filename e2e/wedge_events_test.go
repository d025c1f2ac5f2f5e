package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// awake are rules that wake a monitor some 20 times a second, and so fill its history
// by themselves.
func awake() (rules []string) {
	const n = 20
	for i := range n {
		rules = append(rules, fmt.Sprintf(
			`{"name": "few%d", "metric": "auc", "stat": "count", "below": 1, "period": "1s", "grace": "%dms", "severity": "warning"}`, i, i*1000/n))
	}
	return append(rules, accuracyRule)
}

// Each reason for which a run waits before it hands on, on a server that ends a run
// for good soon: the run hands on nevertheless, in time, and the monitor keeps its
// policy, its retraining and its counts.
func TestNoReasonToWaitHoldsARunUntilTheServerEndsIt(t *testing.T) {
	patience.Long(t)
	useScaledServer(t)
	outlives := func(t *testing.T, model string) {
		t.Helper()
		const healthy = `{"model_name": %q, "accuracy": 0.95}`
		_, before := runsOf(t, model)
		for events := before; events-before <= scaledLimit; _, events = runsOf(t, model) {
			for range scaledSuggestion / 4 {
				require.NoError(t, signalUntilTaken(t.Context(), model, contract.SignalMetric, rawJSON(fmt.Appendf(nil, healthy, model))))
			}
		}
		d, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
		require.NoError(t, err)
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, d.GetWorkflowExecutionInfo().GetStatus())
	}

	t.Run("a schedule call that is retried", func(t *testing.T) {
		const model = "held-schedule"
		tr := startPipeline(t)
		tr.failures = 1 << 30
		startWorker(t, model, append(webhookEnv(tr), "LOG_LEVEL=error")...)
		watched(t, model, model, awake()...)
		mustStarter(t, model, breach(model)+"\n", "publish", "--file", "-")
		asked := until(t, model, "it is to be retrained", func(s monitor.Status) bool { return s.Current != nil })
		outlives(t, model)

		tr.mu.Lock()
		tr.failures = 0
		tr.mu.Unlock()
		s := until(t, model, "the backend takes it", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
		assert.Equal(t, asked.Current.RequestID, s.Current.RequestID)
		tr.finish()
		assert.EqualValues(t, 1, livesOn(t, model).Retrainings.Requested)
	})

	t.Run("a retraining that is followed, and then can't be cancelled", func(t *testing.T) {
		const model = "held-await"
		tr := startPipeline(t)
		startWorker(t, model, append(webhookEnv(tr), "LOG_LEVEL=error")...)
		watched(t, model, model, accuracyRule)
		mustStarter(t, model, breach(model)+"\n", "publish", "--file", "-")
		until(t, model, "the backend takes it", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
		outlives(t, model)

		tr.Close() // who would cancel it is away
		_, err := control(t, model, contract.UpdateCancel)
		require.NoError(t, err)
		outlives(t, model)
		assert.EqualValues(t, 1, livesOn(t, model).Retrainings.Cancelled)
	})

	t.Run("a notice that no channel takes", func(t *testing.T) {
		const model = "held-notice"
		chat := startAudience(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		startWorker(t, model, notifying(t, "channels: {chat: {kind: webhook, url: '"+chat.URL+"'}}", "LOG_LEVEL=error")...)
		mustStarter(t, model, `{"model_name": "`+model+`", "cooldown": "42m", "notify": [{"channel": "chat"}], "rules": [`+accuracyRule+`]}`, "apply", "-")
		mustStarter(t, model, breach(model)+"\n", "publish", "--file", "-")
		until(t, model, "somebody is to be told", func(s monitor.Status) bool { return s.Notices.Requested > 0 })
		outlives(t, model)
		livesOn(t, model)
	})

	t.Run("updates without end", func(t *testing.T) {
		const model = "held-updates"
		startWorker(t, model, "LOG_LEVEL=error")
		watched(t, model, model, accuracyRule)
		for runs, i := 1, 0; runs <= 3; i++ {
			_, err := control(t, model, []string{contract.UpdatePause, contract.UpdateResume}[i%2])
			require.NoError(t, err)
			runs, _ = runsOf(t, model)
		}
		_, err := control(t, model, contract.UpdateResume)
		require.NoError(t, err)
		livesOn(t, model)
	})
}
