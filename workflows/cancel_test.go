package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// end is what a run that nobody stops by an update comes to.
func (l *life) end(input ...any) monitor.Status {
	l.t.Helper()
	l.ExecuteWorkflow(contract.WorkflowType, input...)
	require.True(l.t, l.IsWorkflowCompleted())
	require.NoError(l.t, l.GetWorkflowError(), "it completes, so that late events don't raise it again")
	return l.status()
}

func kinds(s monitor.Status) (all []policy.Kind) {
	for _, d := range s.Decisions {
		all = append(all, d.Kind)
	}
	return all
}

func TestAMonitorThatIsCancelledStops(t *testing.T) {
	l := newLife(t, "fraud")
	l.publish(time.Second, 0.95)
	l.after(time.Minute, l.CancelWorkflow)
	status := l.end()
	require.Equal(t, []policy.Kind{policy.Stopped}, kinds(status))
	assert.Equal(t, "Temporal", status.Decisions[0].By)
	assert.Equal(t, "its workflow was cancelled, which stops it as modelvigil stop does", status.Decisions[0].Reason)
	assert.EqualValues(t, 1, status.Events)
}

func TestAMonitorCancelledBeforeItsFirstTaskStops(t *testing.T) {
	l := newLife(t, "fraud")
	l.after(0, l.CancelWorkflow)
	require.Equal(t, []policy.Kind{policy.Stopped}, kinds(l.end()))
}

// Timers, activities, signals, updates and queries go on until the retraining in
// flight is recorded.
func TestAMonitorThatIsCancelledRecordsItsRetrainingFirst(t *testing.T) {
	l := newLife(t, "fraud")
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Times(3).Return(modelops.Job{}, errors.New("503"))
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().Return(modelops.Job{Backend: "webhook", Followed: true}, nil)
	l.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).Once().After(5*time.Hour).
		Return(modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v2"}, nil)
	l.publish(0, 0.8)
	l.after(time.Second, l.CancelWorkflow) // while the schedule call is retried
	l.publish(time.Hour, 0.8)
	paused := l.update(2*time.Hour, "late", contract.UpdatePause, nil)
	l.at(3*time.Hour, func(s monitor.Status) {
		require.Equal(t, contract.PhaseStopping, s.Phase)
		require.EqualValues(t, 1, s.Suppressed[journal.ByStopping])
	})
	status := l.end()
	require.ErrorContains(t, paused.refused, "the monitor is stopping")
	require.EqualValues(t, 1, status.Retrainings.Succeeded)
	require.Equal(t, noon.Add(5*time.Hour), l.Now().UTC().Round(time.Minute))
	l.AssertExpectations(t)
}

func TestACancelledMonitorsRetrainingTimesOutAsAnyOther(t *testing.T) {
	l := newLife(t, "fraud")
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Return(modelops.Job{}, errors.New("503"))
	l.publish(0, 0.8)
	l.after(time.Second, l.CancelWorkflow)
	status := l.end(map[string]any{"policy": map[string]any{"retraining": map[string]any{"timeout": "2m"}}})
	require.Equal(t, []policy.Kind{policy.Triggered, policy.Stopped, policy.TimedOut}, kinds(status))
}

func TestACancelledMonitorHandsOnItsStop(t *testing.T) {
	first := newLife(t, "fraud")
	first.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().Return(modelops.Job{Backend: "webhook", Followed: true}, nil)
	first.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).After(time.Hour).Return(modelops.Outcome{}, nil)
	first.publish(0, 0.8)
	first.after(time.Minute, first.CancelWorkflow)
	first.after(2*time.Minute, func() { first.SetContinueAsNewSuggested(true) })
	first.publish(3*time.Minute, 0.8)
	first.ExecuteWorkflow(contract.WorkflowType)
	require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))

	second, input := newLife(t, "fraud").next(first)
	second.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).Once().
		Return(modelops.Outcome{State: modelops.Succeeded}, nil)
	require.EqualValues(t, 1, second.end(input).Retrainings.Succeeded)
}

// scripted sends n updates of some kinds in turn, ten to a second.
func (l *life) scripted(n int, names ...string) (answered func() int) {
	done := 0
	for part := range n / 100 { // the environment queues less than a thousand callbacks
		l.after(time.Second+time.Duration(part)*10*time.Second, func() {
			for i := range 100 {
				l.after(time.Duration(i)*100*time.Millisecond, func() {
					l.UpdateWorkflow(names[i%len(names)], fmt.Sprint(part, "-", i), &testsuite.TestUpdateCallback{
						OnAccept: func() {}, OnReject: func(error) {},
						OnComplete: func(_ any, err error) {
							assert.NoError(l.t, err)
							done++
						},
					}, monitor.Control{By: "a script"})
				})
			}
		})
	}
	return func() int { return done }
}

// The server refuses every update past 2,000 a run, an operator's too.
func TestARunHandsOnBeforeTheServerRefusesUpdatesThoughACallIsUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		breach      bool
		least, most int
	}{
		"nothing under way":       {false, 1000, 1510}, // a task that an update came with hands nothing on
		"a schedule call retried": {true, 1500, 1510},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, "fraud")
			l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Return(modelops.Job{}, errors.New("503")).Maybe()
			if c.breach {
				l.publish(0, 0.8)
			}
			answered := l.scripted(2500, contract.UpdatePause, contract.UpdateResume)
			l.ExecuteWorkflow(contract.WorkflowType)
			require.True(t, workflow.IsContinueAsNewError(l.GetWorkflowError()))
			assert.GreaterOrEqual(t, answered(), c.least)
			assert.LessOrEqual(t, answered(), c.most)
		})
	}
}

func TestUpdatesThatAreRefusedCountForNothing(t *testing.T) {
	l := newLife(t, "fraud")
	answered := l.scripted(2500, contract.UpdateApprove, contract.UpdateReject)
	l.live(5 * time.Minute)
	assert.Zero(t, answered(), "nothing waits for approval")
}

// However many notices a script makes, one at a time is told to a channel: the
// server fails a task that has 2,000 calls under way.
func TestAChannelThatIsAwayIsToldOneThingAtATime(t *testing.T) {
	l := newLife(t, "fraud")
	l.RegisterActivity(&activities.Notices{})
	tried := map[string]bool{} // notices, between the script's end and the stop
	l.OnActivity(notices.Notify, mock.Anything, mock.Anything).Return(func(_ context.Context, notice monitor.Notice) error {
		if at := l.Now().Sub(noon); at > time.Minute && at < 3*time.Minute {
			tried[notice.ID] = true
		}
		return errors.New("connection refused")
	})
	l.scripted(400, contract.UpdatePause, contract.UpdateResume)
	l.live(3*time.Minute, map[string]any{"policy": map[string]any{"notify": []any{
		map[string]any{"channel": "chat", "kinds": []string{"paused", "resumed"}},
	}}})
	assert.Len(t, tried, 1)
}
