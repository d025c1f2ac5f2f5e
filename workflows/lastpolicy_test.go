package workflows_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// left is what a monitor that was terminated has left, which holds models to an
// accuracy of 0.5.
var left = workflows.LastPolicy{
	RunID: "c0ffee", Ended: "was terminated", Policy: json.RawMessage(`{"rules": [{"metric": "accuracy", "below": 0.5}], "cooldown": "42m"}`),
}

func TestAMonitorRaisedByAnEventHasThePolicyOfTheLast(t *testing.T) {
	l := newLife(t, "fraud")
	l.last = left
	l.publish(0, 0.8) // a breach by the default policy
	status := l.live(time.Minute)
	require.Equal(t, []policy.Kind{policy.PolicyChanged, policy.Stopped}, kinds(status), "no event is judged before it is known")
	assert.Equal(t, "that of the model's last monitor, which was terminated (run c0ffee)", status.Decisions[0].Reason)
	assert.Equal(t, "42m", status.Policy.Cooldown.Or(0).String())
	assert.EqualValues(t, 1, status.Events)
}

func TestAModelNeverWatchedStartsWithTheDefaultPolicyAndSaysNothing(t *testing.T) {
	status := newLife(t, "fraud").live(time.Minute)
	assert.Equal(t, "1h", status.Policy.Cooldown.Or(0).String())
	assert.Equal(t, []policy.Kind{policy.Stopped}, kinds(status))
	assert.Zero(t, status.Rejected)
}

func TestWhatCannotBeFoundOutIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		fails  error
		last   workflows.LastPolicy
		reason string
	}{
		"the server gives no answer": {fails: errors.New("look for earlier monitors: visibility is away"), reason: "look for earlier monitors: visibility is away"},
		"a policy of another release": {
			last:   workflows.LastPolicy{RunID: "c0ffee", Ended: "failed", Policy: json.RawMessage(`{"colour": "red"}`)},
			reason: "colour: unknown field",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, "fraud")
			l.last, l.lookFails = c.last, c.fails
			l.accepts(1)
			l.publish(0, 0.8)
			status := l.live(time.Minute)
			require.Len(t, status.Rejections, 1)
			assert.Equal(t, "last-policy", status.Rejections[0].Source)
			assert.Contains(t, status.Rejections[0].Reason, c.reason)
			assert.Contains(t, status.Rejections[0].Reason, "`modelvigil apply` the right one")
			assert.EqualValues(t, 1, status.Retrainings.Accepted, "it watches by the policy that it started with")
		})
	}
}

// Whoever starts a monitor with a policy has chosen it; an enrolment's is chosen for
// models that nobody has enrolled.
func TestWhoseFirstPolicyWins(t *testing.T) {
	dry := map[string]any{"policy": map[string]any{"dry_run": true}}
	for name, c := range map[string]struct {
		memo     map[string]any
		cooldown string
		dryRun   bool
	}{
		"an operator's over the last":  {nil, "1h", true},
		"the last over an enrolment's": {map[string]any{contract.MemoEnrolment: "observe"}, "42m", false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, "fraud")
			l.last = left
			require.NoError(t, l.SetMemoOnStart(c.memo))
			status := l.live(time.Minute, dry)
			assert.Equal(t, c.cooldown, status.Policy.Cooldown.Or(0).String())
			assert.Equal(t, c.dryRun, status.Policy.DryRun)
		})
	}
}

func TestAPolicyPutInForceDuringTheLookIsNewer(t *testing.T) {
	l := newLife(t, "fraud")
	l.last = left
	l.looks = make(chan struct{})
	l.publish(0, 0.8)
	applied := l.update(time.Millisecond, "apply", contract.UpdateSetPolicy, json.RawMessage(`{"cooldown": "7m", "dry_run": true}`))
	l.after(2*time.Millisecond, func() { close(l.looks) })
	status := l.live(time.Minute)
	require.NoError(t, applied.refused)
	assert.Equal(t, "7m", status.Policy.Cooldown.Or(0).String())
	assert.Equal(t, []policy.Kind{policy.PolicyChanged, policy.Held}, kinds(status)[:2], "and judges the events that waited")
}

func TestARunThatGoesOnFromAnotherLooksForNothing(t *testing.T) {
	first := newLife(t, "fraud")
	first.after(time.Minute, func() { first.SetContinueAsNewSuggested(true) })
	first.publish(2*time.Minute, 0.95)
	first.ExecuteWorkflow(contract.WorkflowType)
	second, input := newLife(t, "fraud").next(first)
	second.last = left
	assert.Equal(t, "1h", second.live(time.Minute, input).Policy.Cooldown.Or(0).String())
}
