package workflows

import (
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// A monitor that ends otherwise than by stop, because somebody terminates it or its
// history grows too large, is raised again by the model's next event, which brings
// no policy. The new monitor looks for the one that the last ended with.

// LastPolicyActivity is the local activity that looks for it: its argument is a
// Successor, its answer a LastPolicy. It is carried out by the worker that has the
// monitor's task, asks no other monitor anything, and costs one marker in the history.
const LastPolicyActivity = "LastPolicy"

// lookFor is how long a model's first decision waits for the look at most.
const lookFor = 20 * time.Second

// sourceLastPolicy is the source of the rejection that says why nothing was found out.
const sourceLastPolicy = "last-policy"

// Successor is the run that looks.
type Successor struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
	FirstRunID string `json:"first_run_id"` // another one where the run was reset
}

// LastPolicy is what the last monitor of a model has left.
type LastPolicy struct {
	RunID  string          `json:"run_id,omitempty"` // of its last run; "": the server remembers none
	Ended  string          `json:"ended,omitempty"`  // how that ended: "was terminated"
	Policy json.RawMessage `json:"policy,omitempty"` // in force then
}

// Reinstate puts it in force in the machine of the monitor that has asked. An error is
// that of the look.
func (l *LastPolicy) Reinstate(machine *monitor.Machine, now time.Time, err error) {
	var wanted policy.Policy
	if err == nil && l.RunID == "" {
		return // a model that was never watched
	}
	if err == nil {
		wanted, err = policy.Decode(l.Policy)
	}
	if err != nil {
		machine.Reject(now, sourceLastPolicy, fmt.Errorf("whether the model had a policy before can't be found out, so the one that it starts with holds; "+
			"`modelvigil apply` the right one: %s", MessageOf(err)), nil)
		return
	}

	machine.Reinstate(now, wanted, fmt.Sprintf("that of the model's last monitor, which %s (run %s)", l.Ended, l.RunID))
}

// looksBack says that a run begins with a look for the last policy: it is a
// monitor's first, and has none of its own. That of an enrolment is for a model that
// nobody has enrolled yet, so the last one wins over it.
func looksBack(info *workflow.Info, raw converter.RawValue) bool {
	if info.ContinuedExecutionRunID != "" {
		return false
	}
	payload, err := jsonOf(raw)
	if err != nil {
		return false
	}
	input, err := decodeInput(payload, false)
	return err == nil && (input.Policy == nil || info.Memo.GetFields()[contract.MemoEnrolment] != nil)
}

// lookBack looks for the last policy, where the run has none. An update that puts
// one in force meanwhile is newer.
func (m *monitorRun) lookBack(ctx workflow.Context, raw converter.RawValue) {
	info := workflow.GetInfo(ctx)
	if !looksBack(info, raw) {
		return
	}

	m.looking = true
	var last LastPolicy
	err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: lookFor,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1}, // calls that pass the client makes again by itself
		Summary:                "look for the policy of the model's last monitor",
	}), LastPolicyActivity, Successor{info.WorkflowExecution.ID, info.WorkflowExecution.RunID, info.FirstRunID}).Get(ctx, &last)
	m.looking = false
	if !m.hasPolicy {
		last.Reinstate(m.machine, workflow.Now(ctx), err)
		m.gave(ctx, Reinstated{last, err})
	}
}
