package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// An operator terminates a monitor in the UI, and nobody notices but its events: the
// policy that was in force is there again, and the UI says whose it was.
func TestATerminatedMonitorThatAnEventRaisesHasItsPolicyAgain(t *testing.T) {
	for name, keyed := range map[string]bool{"in-the-clear": false, "encrypted": true} {
		t.Run(name, func(t *testing.T) {
			queue, model := "last-policy-"+name, "last-policy-"+name
			var env []string
			if keyed {
				env = append(env, "ENCRYPTION_KEYS_FILE="+keysFile(t, "k"))
			}
			say := func(stdin string, args ...string) string {
				t.Helper()
				return starterWith(t, queue, stdin, env, args...)
			}
			told := func() (s monitor.Status) {
				t.Helper()
				require.NoError(t, json.Unmarshal([]byte(say("", "status", model, "-o", "json")), &s))
				return s
			}
			startWorker(t, queue, env...)
			apply := func(cooldown string) {
				t.Helper()
				say("model_name: "+model+"\nrules: [{name: canary-rule, metric: accuracy, below: 0.2}]\ncooldown: "+cooldown+"\n", "apply", "-")
			}
			publish := func(args ...string) {
				t.Helper()
				say(breach(model)+"\n", append([]string{"publish", "--file", "-"}, args...)...)
			}
			terminate := func() (run string) {
				t.Helper()
				run = described(t, model).GetRunId()
				patience.Until(t, "the run is listed", func() bool {
					listed, err := server.Client().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "RunId = '" + run + "'"})
					return err == nil && len(listed.GetExecutions()) == 1
				})
				require.NoError(t, server.Client().TerminateWorkflow(t.Context(), contract.WorkflowID(model), "", "by mistake"))
				return run
			}
			apply("40m")
			apply("42m") // by an update, since it runs
			first := terminate()

			publish()
			s := told()
			require.EqualValues(t, 1, s.Events)
			assert.Equal(t, 42*time.Minute, time.Duration(s.Policy.Cooldown.Or(0)))
			assert.Zero(t, s.Retrainings.Requested, "what the default policy takes for a breach it doesn't")
			require.NotEmpty(t, s.Decisions)
			assert.Equal(t, policy.PolicyChanged, s.Decisions[0].Kind)
			assert.Equal(t, "that of the model's last monitor, which was terminated (run "+first+")", s.Decisions[0].Reason)

			second := terminate() // of which only the marker says by what policy it watched
			publish("--enrol", "observe")
			s = told()
			assert.Equal(t, 42*time.Minute, time.Duration(s.Policy.Cooldown.Or(0)))
			assert.False(t, s.Policy.DryRun, "an enrolment is for models that nobody has enrolled")
			assert.Contains(t, s.Decisions[0].Reason, second)
			assert.Contains(t, say("", "whatif", model), "that of the model's last monitor", "the life is decided again as it was")
			if keyed {
				assert.False(t, leaks(historyOf(t, model), "canary-rule"), "the server sees it")
			}
		})
	}
}

// `temporal workflow cancel` is a stop: the retraining in flight is recorded, and late
// events don't raise the monitor again.
func TestACancelledMonitorStopsInGoodOrder(t *testing.T) {
	const queue, model = "cancelled", "cancelled"
	tr := startPipeline(t)
	startWorker(t, queue, webhookEnv(tr)...)
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-")
	patience.Until(t, "the retraining is asked for", func() bool { return len(tr.asked()) == 1 })
	require.NoError(t, server.Client().CancelWorkflow(t.Context(), contract.WorkflowID(model), ""))
	until(t, model, "it is stopping", func(s monitor.Status) bool { return s.Phase == contract.PhaseStopping && s.Current != nil })

	tr.finish()
	patience.Until(t, "it has completed", func() bool {
		description, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
		require.NoError(t, err)
		return description.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	})
	s := status(t, model)
	assert.EqualValues(t, 1, s.Retrainings.Succeeded)
	_, stderr, code := starter(t, queue, breach(model)+"\n", "publish", "--file", "-", "--timeout", "5s")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "stopped")
	out := mustStarter(t, queue, "", "whatif", model)
	assert.True(t, strings.Contains(out, "stopped"), out)
}
