package workflows_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
)

func TestContinueAsNewInCooldownKeepsWhatIsLeftOfIt(t *testing.T) {
	first := newLife(t, "fraud")
	first.accepts(1)
	first.publish(0, 0.8)
	first.after(20*time.Minute, func() { first.SetContinueAsNewSuggested(true) })
	first.publish(20*time.Minute+time.Second, 0.8)
	done := first.update(time.Second, "once", contract.UpdatePause, monitor.Control{By: "ada"})
	first.update(2*time.Second, "resume", contract.UpdateResume, monitor.Control{By: "ada"})
	first.ExecuteWorkflow(contract.WorkflowType)
	require.NoError(t, done.refused)

	second, input := newLife(t, "fraud").next(first)
	second.accepts(1)
	again := second.update(time.Second, "once", contract.UpdatePause, monitor.Control{By: "ada"})
	second.publish(39*time.Minute, 0.8) // still in the cooldown of the first run
	second.publish(40*time.Minute, 0.8) // after it
	status := second.live(time.Hour, input)
	require.NoError(t, again.refused)
	require.Equal(t, done.result, again.result, "the same update id gets the same answer, and changes nothing")
	require.EqualValues(t, 2, status.Retrainings.Accepted)
	require.EqualValues(t, 4, status.Events)
	require.EqualValues(t, 2, status.Suppressed[journal.ByCooldown])
}

func TestContinueAsNewInARetrainingFollowsItOn(t *testing.T) {
	first := newLife(t, "fraud")
	first.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().Return(modelops.Job{Backend: "webhook", ID: "job", Followed: true}, nil)
	first.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).After(time.Hour).Return(modelops.Outcome{}, nil)
	first.publish(0, 0.8)
	first.after(time.Minute, func() { first.SetContinueAsNewSuggested(true) })
	first.publish(2*time.Minute, 0.95)
	first.ExecuteWorkflow(contract.WorkflowType)

	second, input := newLife(t, "fraud").next(first)
	second.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).Once().
		Return(func(_ context.Context, call activities.Call) (modelops.Outcome, error) {
			require.Equal(t, "job", call.Job.ID)
			return modelops.Outcome{RequestID: call.Request.RequestID, State: modelops.Succeeded}, nil
		})
	status := second.live(time.Minute, input)
	require.Equal(t, monitor.RetrainingCounters{Requested: 1, Succeeded: 1}, status.Retrainings)
}

func TestContinueAsNewInABurstLosesNothing(t *testing.T) {
	const burst = 2500 // more than a run takes
	first := newLife(t, "fraud")
	first.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Return(modelops.Job{Backend: "log"}, nil).Maybe()
	events := make([]metric.Event, 2)
	for i := range events {
		events[i] = metric.Event{ModelName: "fraud", Accuracy: metric.Some(0.8)}
	}
	for part := range 5 { // the environment queues less than a thousand callbacks
		first.after(time.Second+time.Duration(part), func() {
			for range burst / 5 {
				first.SignalWorkflow(contract.SignalMetric, events)
			}
		})
	}
	first.ExecuteWorkflow(contract.WorkflowType)
	second, input := newLife(t, "fraud").next(first)
	second.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Return(modelops.Job{Backend: "log"}, nil).Maybe()
	status := second.live(time.Minute, input)
	require.GreaterOrEqual(t, status.Signals, int64(400)) // the environment drops those that come after a run's end
	require.EqualValues(t, int(status.Signals)*len(events), status.Events)
	require.Equal(t, monitor.RetrainingCounters{Requested: 1, Accepted: 1}, status.Retrainings)
}

func TestARunHandsOnAfterADayAtTheLatest(t *testing.T) {
	first := newLife(t, "fraud")
	began := first.Now()
	first.accepts(1)
	first.publish(0, 0.8)
	first.ExecuteWorkflow(contract.WorkflowType)
	require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))
	age := first.Now().Sub(began)
	require.LessOrEqual(t, age, 24*time.Hour)
	require.Greater(t, age, 20*time.Hour, "the fleet spreads over four hours, and nobody hands on in vain")
}

func TestAnOldRunWaitsForItsScheduleCall(t *testing.T) {
	first := newLife(t, "fraud")
	first.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().After(30*time.Hour).Return(modelops.Job{Backend: "log"}, nil)
	first.update(time.Second, "policy", contract.UpdateSetPolicy, json.RawMessage(`{"retraining": {"timeout": "48h"}}`))
	first.publish(2*time.Second, 0.8)
	began := first.Now()
	first.ExecuteWorkflow(contract.WorkflowType)
	require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))
	require.Equal(t, 30*time.Hour, first.Now().Sub(began).Round(time.Minute), "it is not asked twice without need, and no task is spent on waiting")
}
