package workflows_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// by is the argument of a monitor with a policy in its wire form.
func by(t *testing.T, wire string) workflows.Input {
	policy, err := policy.Decode([]byte(wire))
	require.NoError(t, err)
	return workflows.Input{Policy: &policy}
}

func kindsOf(s monitor.Status) (kinds []policy.Kind) {
	for _, d := range s.Decisions {
		kinds = append(kinds, d.Kind)
	}
	return kinds
}

func TestADatapointIsJudgedByADurableTimer(t *testing.T) {
	l := newLife(t, "fraud")
	l.accepts(1)
	l.publish(time.Minute, 0.8)
	l.at(time.Hour+29*time.Second, func(s monitor.Status) { assert.Empty(t, s.Decisions) })
	status := l.live(2*time.Hour, by(t, `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1h", "below": 0.9}]}`))
	require.Equal(t, policy.Triggered, status.Decisions[0].Kind)
	assert.Equal(t, noon.Add(time.Hour+30*time.Second), status.Decisions[0].At.UTC())
}

func TestATriggerWaitsForApproval(t *testing.T) {
	l := newLife(t, "fraud")
	l.accepts(1)
	early := l.update(0, "0", contract.UpdateApprove, nil)
	l.publish(time.Second, 0.8)
	rejected := l.update(time.Minute, "1", contract.UpdateReject, monitor.Control{By: "ada", Reason: "a sale"})
	l.publish(2*time.Hour, 0.8)
	approved := l.update(3*time.Hour, "2", contract.UpdateApprove, monitor.Control{By: "ada"})
	status := l.live(4*time.Hour, by(t, `{"approval": {"required": true}}`))
	require.ErrorContains(t, early.refused, "no trigger waits for approval")
	require.NoError(t, rejected.refused)
	require.NoError(t, approved.refused)
	assert.NotEmpty(t, approved.result.RequestID)
	assert.Equal(t, []policy.Kind{
		policy.AwaitingApproval, policy.ApprovalRejected, policy.AwaitingApproval, policy.Approved,
		policy.Triggered, policy.Accepted, policy.Stopped,
	}, kindsOf(status))
}

func TestACancelledRetrainingIsEndedAtTheBackend(t *testing.T) {
	for name, c := range map[string]struct {
		answer error
		kinds  []policy.Kind
	}{
		"which does so": {nil, []policy.Kind{policy.Triggered, policy.Cancelled, policy.Stopped}},
		"which can't":   {errors.New("no"), []policy.Kind{policy.Triggered, policy.Cancelled, policy.CancelFailed, policy.Stopped}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, "fraud")
			l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().
				Return(modelops.Job{Backend: "webhook", ID: "job", Followed: true}, nil)
			l.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).Maybe().
				After(time.Hour).Return(modelops.Outcome{}, nil)
			l.OnActivity(retraining.CancelRetraining, mock.Anything, mock.Anything).Return(c.answer)
			l.publish(0, 0.8)
			cancelled := l.update(time.Minute, "1", contract.UpdateCancel, monitor.Control{By: "ada"})
			again := l.update(time.Minute+time.Second, "2", contract.UpdateCancel, monitor.Control{By: "ada"})
			status := l.live(time.Hour)
			require.NoError(t, cancelled.refused)
			require.ErrorContains(t, again.refused, "no retraining is in flight")
			assert.Equal(t, c.kinds, kindsOf(status))
			assert.EqualValues(t, 1, status.Retrainings.Cancelled)
		})
	}
}

func TestABlackoutHoldsATriggerBackUntilItsEnd(t *testing.T) {
	l := newLife(t, "fraud")
	l.accepts(1)
	l.publish(time.Minute, 0.8) // the very first event finds the calendar
	refused := l.update(time.Hour, "1", contract.UpdateRetrain, nil)
	status := l.live(8*time.Hour, by(t, `{"blackout": [{"from": "08:00", "to": "18:00"}]}`))
	require.ErrorContains(t, refused.refused, "in a blackout until 2026-03-01T18:00:00Z")
	assert.Equal(t, []policy.Kind{policy.Suppressed, policy.Triggered, policy.Accepted, policy.Stopped}, kindsOf(status))
	assert.Equal(t, noon.Add(6*time.Hour), status.Decisions[1].At.UTC())
}

func TestAScheduleTriggersByADurableTimer(t *testing.T) {
	l := newLife(t, "fraud")
	l.accepts(1)
	l.publish(time.Minute, 0.99)
	status := l.live(8*time.Hour, by(t, `{"rules": [{"name": "sunday", "schedule": "0 16 * * SUN", "zone": "Europe/Berlin"}]}`))
	assert.Equal(t, []policy.Kind{policy.Triggered, policy.Accepted, policy.Stopped}, kindsOf(status))
	assert.Equal(t, noon.Add(3*time.Hour), status.Decisions[0].At.UTC())
	assert.Equal(t, "schedule 0 16 * * SUN (Europe/Berlin) at 2026-03-01T15:00:00Z", status.Decisions[0].Reason)
}

func TestADayIsJudgedAtMidnightInItsZone(t *testing.T) {
	l := newLife(t, "fraud")
	l.accepts(1)
	l.publish(time.Minute, 0.8)
	var guidance contract.Guidance
	l.after(time.Hour, func() {
		answer, err := l.QueryWorkflow(contract.QueryGuidance)
		require.NoError(t, err)
		require.NoError(t, answer.Get(&guidance))
	})
	status := l.live(12*time.Hour, by(t, `{"rules": [{"metric": "accuracy", "stat": "mean", "below": 0.9, "period": "24h", "grace": "0s", "zone": "Europe/Berlin"}]}`))
	assert.Equal(t, []policy.Kind{policy.Triggered, policy.Accepted, policy.Stopped}, kindsOf(status))
	assert.Equal(t, noon.Add(11*time.Hour), status.Decisions[0].At.UTC())
	assert.NotEmpty(t, guidance.Zones["Europe/Berlin"], "publishers go by the clocks that were recorded")
}

func TestTheMemoShowsAGlance(t *testing.T) {
	l := newLife(t, "fraud")
	var phases []contract.Phase
	l.OnUpsertMemo(mock.Anything).Return(nil).Run(func(arguments mock.Arguments) {
		glance := arguments.Get(0).(map[string]any)[workflows.MemoGlance].(monitor.Glance)
		assert.Equal(t, "platform", glance.Owner)
		phases = append(phases, glance.Phase)
	})
	l.publish(0, 0.8)
	l.publish(time.Minute, 0.7) // suppressed: nothing that a list shows
	l.live(2*time.Hour, by(t, `{"owner": "platform"}`))
	assert.Equal(t, []contract.Phase{contract.PhaseRetraining, contract.PhaseCoolingDown, contract.PhaseWatching}, phases)
}

func TestAStatusIsReadBackAsItWasWritten(t *testing.T) {
	l := newLife(t, "fraud")
	l.publish(0, 0.8)
	status := l.live(2*time.Hour, by(t, `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "p50", "period": "1m", "below_baseline_by": "3%"}]}`))
	encoded, err := json.Marshal(status)
	require.NoError(t, err)
	assert.Contains(t, string(encoded), `"below_baseline_by":"3%"`)
}
