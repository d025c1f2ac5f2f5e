package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
)

func webhookEnv(tr *pipeline) []string {
	return []string{"MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL=" + tr.URL + "/retrainings", "MODELOPS_POLL_INTERVAL=200ms"}
}

func breach(model string) string {
	return fmt.Sprintf(`{"model_name": %q, "model_version": "v1", "accuracy": 0.8}`, model)
}

func TestAWorkerKilledInARetrainingAndInCooldownDecidesOnce(t *testing.T) {
	t.Parallel()
	const queue, model = "crash", "crash"
	tr := startPipeline(t)
	first := startWorker(t, queue, webhookEnv(tr)...)
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-")
	until(t, model, "the retraining is taken", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })

	first.kill() // in the retraining
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-")
	tr.finish()
	second := startWorker(t, queue, webhookEnv(tr)...)
	s := until(t, model, "the outcome is recorded", func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 })
	assert.Equal(t, contract.PhaseCoolingDown, s.Phase)

	second.kill() // in cooldown
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-")
	startWorker(t, queue, webhookEnv(tr)...)
	s = until(t, model, "all events are counted", func(s monitor.Status) bool { return s.Events == 3 })
	assert.EqualValues(t, 1, s.Retrainings.Requested)
	assert.EqualValues(t, 2, s.Suppressed[journal.ByCooldown])
	for id, n := range tr.asked() {
		assert.Equal(t, 1, n, id)
	}
	assert.Len(t, tr.asked(), 1)
}

func TestAWorkerEndsGracefullyOnSIGTERM(t *testing.T) {
	t.Parallel()
	assert.Zero(t, startWorker(t, "sigterm").terminate(t))
}

func TestABackendThatFailsIsAskedAgainAndNeverTwice(t *testing.T) {
	t.Parallel()
	const queue, model = "flaky", "flaky"
	tr := startPipeline(t)
	tr.failures = 2
	startWorker(t, queue, webhookEnv(tr)...)
	for range 5 {
		mustStarter(t, queue, breach(model), "publish", "--file", "-")
	}
	until(t, model, "the retraining is taken at the third try", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	tr.finish()
	s := until(t, model, "the outcome is recorded", func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 })
	assert.EqualValues(t, 5, s.Breaches)
	assert.EqualValues(t, 4, s.Suppressed[journal.ByCooldown])
	assert.Len(t, tr.asked(), 1)
}

// The `temporal` CLI stands for any other language's client: it sends plain JSON.
func TestPlainJSONOfAnotherLanguageIsUnderstood(t *testing.T) {
	t.Parallel()
	const queue, model = "plain", "plain / 100% ü"
	startWorker(t, queue)
	id := contract.WorkflowID(model)
	temporal(t, "workflow", "start", "--workflow-id", id, "--type", contract.WorkflowType, "--task-queue", queue)
	for _, input := range []string{
		breach(model),
		"[" + breach(model) + "," + breach("another") + `, {"model_name": "` + model + `", "acuracy": 1}]`,
		`{"model_name": "` + model + `", "accuracy": 1e999}`,
		`"not an event"`,
	} {
		temporal(t, "workflow", "signal", "--workflow-id", id, "--name", contract.SignalMetric, "--input", input)
	}
	temporal(t, "workflow", "signal", "--workflow-id", id, "--name", "nonsense", "--input", "1")
	temporal(t, "workflow", "signal", "--workflow-id", id, "--name", contract.SignalRetrainingOutcome,
		"--input", `{"request_id": "none", "state": "failed"}`)

	s := until(t, model, "all signals are counted", func(s monitor.Status) bool { return s.Rejected == 6 && s.Events == 2 })
	assert.EqualValues(t, 1, s.Retrainings.Requested)
	assert.Len(t, s.Rejections, 5)

	var answer struct {
		QueryResult []json.RawMessage `json:"queryResult"`
	}
	out := temporal(t, "workflow", "query", "--workflow-id", id, "--type", contract.QueryStatus, "-o", "json")
	require.NoError(t, json.Unmarshal(out, &answer), "%s", out)

	out = temporal(t, "workflow", "update", "execute", "--workflow-id", id, "--name", contract.UpdatePause, "--input", `{"by": "cli"}`, "-o", "json")
	assert.Contains(t, string(out), `"paused"`)
	refused, err := exec.Command(temporalPath, "workflow", "update", "execute", "--address", server.FrontendHostPort(),
		"--workflow-id", id, "--name", contract.UpdateSetPolicy, "--input", `{"cooldown": "-1h", "colour": "red"}`).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(refused), "colour: unknown field")
	assert.Contains(t, string(refused), "cooldown: must be")
	history := temporal(t, "workflow", "show", "--workflow-id", id)
	assert.Equal(t, 1, strings.Count(string(history), "WorkflowExecutionUpdateAccepted"), "a refused update leaves no trace")
}

func temporal(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(temporalPath, append(args, "--address", server.FrontendHostPort())...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "temporal %s\n%s", strings.Join(args, " "), out)
	return out
}

func TestAStoppedMonitorStaysStoppedUntilItIsApplied(t *testing.T) {
	t.Parallel()
	const queue, model = "stopped", "stopped"
	startWorker(t, queue)
	mustStarter(t, queue, breach(model), "publish", "--file", "-")
	before := until(t, model, "it has retrained", func(s monitor.Status) bool { return s.Retrainings.Accepted == 1 })
	mustStarter(t, queue, "", "stop", model, "--reason", "retired")
	_, stderr, code := starter(t, queue, breach(model), "publish", "--file", "-")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "monitor stopped")

	mustStarter(t, queue, "model_name: "+model+"\n", "apply", "-")
	mustStarter(t, queue, breach(model), "publish", "--file", "-")
	after := until(t, model, "it has retrained anew", func(s monitor.Status) bool { return s.Retrainings.Accepted == 1 })
	assert.NotEqual(t, before.Decisions[0].RequestID, after.Decisions[0].RequestID)
}

func TestTheTemporalUIShowsWhatAMonitorDoes(t *testing.T) {
	t.Parallel()
	const queue, model = "visible", "visible"
	tr := startPipeline(t)
	startWorker(t, queue, webhookEnv(tr)...)
	mustStarter(t, queue, breach(model), "publish", "--file", "-")
	until(t, model, "the retraining is taken", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	d, err := server.Client().DescribeWorkflow(t.Context(), contract.WorkflowID(model), "")
	require.NoError(t, err)
	summary, err := d.GetStaticSummary()
	require.NoError(t, err)
	assert.Equal(t, "Watches model visible", summary)
	out := temporal(t, "workflow", "metadata", "--workflow-id", contract.WorkflowID(model))
	assert.Contains(t, string(out), "retraining")
	assert.Contains(t, string(out), "accuracy 0.8000 below threshold 0.9000")
	var summaries []string
	for history := server.Client().GetWorkflowHistory(t.Context(), contract.WorkflowID(model), "", false, 0); history.HasNext(); {
		event, err := history.Next()
		require.NoError(t, err)
		summaries = append(summaries, string(event.GetUserMetadata().GetSummary().GetData()))
	}
	all := strings.Join(summaries, "\n")
	assert.Contains(t, all, "cooldown of visible until ")
	assert.Contains(t, all, "accuracy 0.8000 below threshold 0.9000")
}
