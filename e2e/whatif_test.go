package e2e

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

const whatIfTemplate = `
rules:
  - {metric: accuracy, below: 0.7}
  - {name: slow, metric: latency_ms, stat: p99, period: 1s, grace: 300ms, above: 250, datapoints: {breaching: 2, of: 3}}
  - {name: silent, silent_for: 3s, severity: warning}
cooldown: %s
blackout: [{days: %s, from: "03:00", to: "03:01", zone: Europe/Berlin}]
`

// whatIfPolicy has a blackout that is not today.
func whatIfPolicy(model, cooldown string) string {
	day := strings.ToLower(time.Now().Add(72 * time.Hour).Weekday().String()[:3])
	return "model_name: " + model + fmt.Sprintf(whatIfTemplate, cooldown, day)
}

// whatIf asks for both lists of decisions.
func whatIf(t *testing.T, queue, policy string, args ...string) (answer struct {
	Recorded, WhatIf []json.RawMessage
	Runs             int
	Notes            []string
},
) {
	t.Helper()
	out := mustStarter(t, queue, policy, append([]string{"whatif", "-o", "json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(out), &answer), out)
	return answer
}

// reproduces holds a what-if of the same policy to the monitor's own word.
func reproduces(t *testing.T, queue, model, policy string, args ...string) {
	t.Helper()
	told := status(t, model).Decisions
	again := whatIf(t, queue, policy, append([]string{model}, args...)...)
	assert.Empty(t, again.Notes)
	for name, list := range map[string][]json.RawMessage{"recorded": again.Recorded, "whatif": again.WhatIf} {
		n := min(len(told), len(list)) // a status has the last 50, a what-if those since the first retained run
		require.GreaterOrEqual(t, n, 6)
		for i, d := range told[len(told)-n:] {
			want, err := json.Marshal(d)
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(list[len(list)-n+i]), "%s, decision %d of the last %d", name, i, n)
		}
	}
}

// A monitor lives through what monitors live through. What it decided follows from
// its history alone.
func TestWhatIfOfTheSamePolicyGivesTheSameDecisions(t *testing.T) {
	t.Parallel()
	const queue = "whatif"
	tr := startPipeline(t)
	startWorker(t, queue, webhookEnv(tr)...)

	t.Run("with policies applied meanwhile, over continue-as-new", func(t *testing.T) {
		patience.Long(t)
		const model = "whatif-long"
		mustStarter(t, queue, whatIfPolicy(model, "1h"), "apply", "-")
		live(t, queue, model, tr, func() {
			mustStarter(t, queue, whatIfPolicy(model, "2s"), "apply", "-")
		})
		before := status(t, model).Signals
		var senders sync.WaitGroup
		t.Cleanup(senders.Wait) // also where the test fails before, whose context ends then
		for sender := range 4 {
			senders.Go(func() {
				for i := range 600 {
					event := fmt.Sprintf(`{"model_name": %q, "model_version": "v%d", "accuracy": %v, "latency_ms": %d}`, model, i%3, 0.6+float64(i%20)/40, 100+i%200)
					err := signalUntilTaken(t.Context(), model, contract.SignalMetric, json.RawMessage(event))
					if err != nil && t.Context().Err() == nil {
						t.Errorf("sender %d: %v", sender, err)
					}
					if err != nil {
						return
					}
				}
			})
		}
		for range 5 { // operators speak in between
			mustStarter(t, queue, "", "pause", model, "--by", "ada")
			mustStarter(t, queue, "", "resume", model)
		}
		senders.Wait()
		until(t, model, "all signals are taken", func(s monitor.Status) bool { return s.Signals == before+2400 })
		for range 3 { // in the last run
			mustStarter(t, queue, "", "pause", model)
			mustStarter(t, queue, "", "resume", model)
		}
		until(t, model, "nothing is to come", func(s monitor.Status) bool {
			tr.finish()
			return s.Current == nil && s.Phase == contract.PhaseWatching && s.NextWake.IsZero()
		})
		reproduces(t, queue, model, "")
		runs := whatIf(t, queue, "", model).Runs
		require.GreaterOrEqual(t, runs, 2)

		found, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
		require.NoError(t, err)
		temporal(t, "workflow", "delete", "--workflow-id", contract.WorkflowID(model), "--run-id", found.GetWorkflowExecutionInfo().GetFirstRunId())
		patience.Until(t, "the first run is forgotten", func() bool { return whatIf(t, queue, "", model).Runs == runs-1 })
		reproduces(t, queue, model, "")
	})

	t.Run("given in a file", func(t *testing.T) {
		const model = "whatif-file"
		policy := whatIfPolicy(model, "2s")
		mustStarter(t, queue, policy, "apply", "-")
		live(t, queue, model, tr, func() {})
		reproduces(t, queue, model, policy, "--policy", "-")

		t.Run("and of another decides otherwise", func(t *testing.T) {
			other := "model_name: another\nrules: [{metric: accuracy, below: 0.99}]\ncooldown: 0s"
			answer := whatIf(t, queue, other, model, "--policy", "-")
			assert.NotEqual(t, answer.Recorded, answer.WhatIf)
			text := mustStarter(t, queue, other, "whatif", model, "--policy", "-")
			assert.Contains(t, text, "below threshold 0.9900")
		})

		t.Run("and is explained", func(t *testing.T) {
			text := mustStarter(t, queue, "", "explain", model)
			assert.Contains(t, text, "slow  latency_ms p99 over 1s above 250, 2 of 3 datapoints: ")
			assert.Regexp(t, `[▁-█]+  [0-9.]+ to [0-9.]+, the threshold 250 is [▁-█]`, text)
			assert.Contains(t, text, "silent for 3s, since ")
			assert.Contains(t, text, "a warning never triggers")
		})
	})
}

// live leads a monitor through breaches, retrainings, a cooldown, a silence, poison
// and operators' words.
func live(t *testing.T, queue, model string, tr *pipeline, change func()) {
	t.Helper()
	h := hub.New(server.Client(), hub.Options{TaskQueue: queue, Logger: slog.New(slog.DiscardHandler)})
	publish := func(accuracy, latency float64) {
		for range 10 {
			require.NoError(t, h.PublishDurable(t.Context(), metric.Event{
				ModelName: model, ModelVersion: "v1", Accuracy: metric.Some(accuracy), LatencyMS: metric.Some(latency),
			}))
		}
	}
	id := contract.WorkflowID(model)
	publish(0.95, 100)
	publish(0.5, 100)
	until(t, model, "the retraining is taken", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	publish(0.6, 300)
	tr.finish()
	until(t, model, "the retraining has succeeded", func(s monitor.Status) bool { return s.Retrainings.Succeeded > 0 })
	publish(0.5, 300)
	change()
	until(t, model, "the cooldown is over", func(s monitor.Status) bool {
		tr.finish()
		return s.Phase == contract.PhaseWatching
	})
	for name, payload := range map[string]any{contract.SignalMetric: "poison", "unheard-of": 1, contract.SignalRetrainingOutcome: modelops.Outcome{RequestID: "x", State: "failed"}} {
		require.NoError(t, server.Client().SignalWorkflow(t.Context(), id, "", name, payload))
	}
	mustStarter(t, queue, "", "pause", model, "--by", "ada", "--reason", "e2e")
	publish(0.5, 300)
	mustStarter(t, queue, "", "resume", model, "--by", "ada")
	patience.Until(t, "it is retrained by hand, where a rule has not had it retrained just now", func() bool {
		tr.finish()
		_, _, code := starter(t, queue, "", "retrain", model, "--force", "--reason", "e2e")
		return code == 0
	})
	until(t, model, "the second retraining is taken", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	for _, accuracy := range []float64{0.4, 0.3} {
		publish(accuracy, 400)
		time.Sleep(700 * time.Millisecond) // its periods are of wall-clock time
	}
	_, err := control(t, model, contract.UpdateCancel)
	require.NoError(t, err)
	require.NoError(t, h.Close(t.Context()))
	until(t, model, "the silence is noticed, and the cooldown over", func(s monitor.Status) bool {
		tr.finish()
		return len(kinds(s, policy.Warned)) > 0 && s.Phase == contract.PhaseWatching && s.NextWake.IsZero()
	})
}
