package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var quiet = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// life is one run of a monitor in the test environment, whose time is skipped.
type life struct {
	*testsuite.TestWorkflowEnvironment
	t         *testing.T
	model     string
	last      workflows.LastPolicy // what an earlier monitor has left
	lookFails error                // or why it can't be found out
	looks     chan struct{}        // where set: closed when that is found out
}

// newLife prepares a monitor. Its activities are mocked by the caller; what is
// not expected to be called fails the test.
func newLife(t *testing.T, model string) *life {
	t.Helper()
	return newMeasuredLife(t, model, client.MetricsNopHandler)
}

func newMeasuredLife(t *testing.T, model string, metrics client.MetricsHandler) *life {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetMetricsHandler(metrics)
	suite.SetLogger(quiet)
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(noon)
	env.SetTestTimeout(patience.Limit)                                             // of the clock on the wall, as is
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: patience.Limit}) // what the SDK takes for a deadlock
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.WorkflowID(model), TaskQueue: contract.DefaultTaskQueue})
	env.RegisterWorkflowWithOptions(workflows.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
	env.RegisterActivity(&activities.Retraining{})
	l := &life{TestWorkflowEnvironment: env, t: t, model: model}
	env.RegisterActivityWithOptions(func(context.Context, workflows.Successor) (workflows.LastPolicy, error) {
		if l.looks != nil {
			<-l.looks
		}
		return l.last, l.lookFails
	}, activity.RegisterOptions{Name: workflows.LastPolicyActivity})
	return l
}

var retraining *activities.Retraining // names only

// accepts lets the backend accept every request, n times or, for 0, any number.
func (l *life) accepts(n int) {
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).
		Return(modelops.Job{Backend: "log"}, nil).Times(n)
}

// after runs an action at a time after the start.
func (l *life) after(d time.Duration, action func()) { l.RegisterDelayedCallback(action, d) }

// publish signals an event with an accuracy, at a time after the start.
func (l *life) publish(d time.Duration, accuracy float64) {
	l.after(d, func() {
		l.SignalWorkflow(contract.SignalMetric, metric.Event{ModelName: l.model, ModelVersion: "v1", Accuracy: metric.Some(accuracy)})
	})
}

// answer is what became of an update.
type answer struct {
	refused, failed error
	result          monitor.UpdateResult
}

// update sends an update at a time after the start.
func (l *life) update(d time.Duration, id, name string, payload any) *answer {
	a := &answer{refused: errors.New("not sent yet")}
	l.after(d, func() {
		a.refused = nil
		l.UpdateWorkflow(name, id, &testsuite.TestUpdateCallback{
			OnAccept: func() {},
			OnReject: func(err error) { a.refused = err },
			OnComplete: func(result any, err error) {
				a.failed = err
				if r, ok := result.(monitor.UpdateResult); ok {
					a.result = r
				}
			},
		}, payload)
	})
	return a
}

// at asks for the status at a time after the start.
func (l *life) at(d time.Duration, check func(monitor.Status)) {
	l.after(d, func() { check(l.status()) })
}

func (l *life) status() (s monitor.Status) {
	l.t.Helper()
	answer, err := l.QueryWorkflow(contract.QueryStatus)
	require.NoError(l.t, err)
	require.NoError(l.t, answer.Get(&s))
	return s
}

// live runs the monitor for so long, ends it by an update, and returns its last
// status.
func (l *life) live(d time.Duration, input ...any) monitor.Status {
	l.t.Helper()
	l.update(d, "the-end", contract.UpdateStop, nil)
	l.ExecuteWorkflow(contract.WorkflowType, input...)
	require.True(l.t, l.IsWorkflowCompleted())
	require.NoError(l.t, l.GetWorkflowError())
	l.AssertExpectations(l.t)
	return l.status()
}

// next is the run that follows one which continued as new.
func (l *life) next(previous *life) (*life, json.RawMessage) {
	l.t.Helper()
	var asNew *workflow.ContinueAsNewError
	require.ErrorAs(l.t, previous.GetWorkflowError(), &asNew)
	var input json.RawMessage
	require.NoError(l.t, converter.GetDefaultDataConverter().FromPayloads(asNew.Input, &input))
	l.SetContinuedExecutionRunID("previous-run")
	l.SetStartTime(previous.Now())
	return l, input
}

func TestABreachIsRetrainedOnce(t *testing.T) {
	l := newLife(t, "fraud")
	var requests []activities.Call
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().
		Return(func(_ context.Context, call activities.Call) (modelops.Job, error) {
			requests = append(requests, call)
			return modelops.Job{Backend: "webhook", ID: "job", Followed: true}, nil
		})
	l.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).Once().After(time.Minute).
		Return(modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v2"}, nil)
	for i := range 5 {
		l.publish(time.Duration(i)*time.Second, 0.8)
	}
	status := l.live(2 * time.Hour)
	require.Len(t, requests, 1)
	require.Regexp(t, `^model-monitor/fraud/.*/1$`, requests[0].Request.RequestID)
	require.Equal(t, "accuracy 0.8000 below threshold 0.9000", requests[0].Request.Reason)
	require.Equal(t, noon, requests[0].Request.TriggeredAt.UTC())
	require.EqualValues(t, 4, status.Suppressed[journal.ByCooldown])
	require.EqualValues(t, 1, status.Retrainings.Succeeded, "an activity's outcome is that of the retraining it was asked about")
}

func TestTheCooldownIsADurableTimer(t *testing.T) {
	for name, c := range map[string]struct {
		second   time.Duration
		triggers int
	}{
		"a breach one nanosecond before its end is suppressed": {time.Hour - 1, 1},
		"a breach at exactly its end triggers":                 {time.Hour, 2},
		"a breach one nanosecond after its end triggers":       {time.Hour + 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, "fraud")
			l.accepts(c.triggers)
			l.publish(0, 0.8)
			l.publish(c.second, 0.8)
			l.at(30*time.Minute, func(s monitor.Status) { require.Equal(t, contract.PhaseCoolingDown, s.Phase) })
			status := l.live(2 * time.Hour)
			require.EqualValues(t, c.triggers, status.Retrainings.Accepted)
		})
	}
}

func TestTwoModelsThatBreachInTheSameInstantAreEachRetrained(t *testing.T) {
	for _, model := range []string{"a", "b", "with space", "slash/ed", "100%", "ünïcode"} {
		l := newLife(t, model)
		l.accepts(1)
		l.publish(time.Second, 0.8)
		require.EqualValues(t, 1, l.live(time.Minute).Retrainings.Accepted, model)
	}
}

func TestAFailingScheduleCallIsRetriedAndThenCountsOnce(t *testing.T) {
	l := newLife(t, "fraud")
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Return(modelops.Job{}, errors.New("503")).Times(4)
	l.accepts(1)
	for i := range 5 {
		l.publish(time.Duration(i)*time.Second, 0.8)
	}
	status := l.live(30 * time.Minute)
	require.Equal(t, monitor.RetrainingCounters{Requested: 1, Accepted: 1}, status.Retrainings)
}

func TestABackendThatNeverAnswersTimesOut(t *testing.T) {
	l := newLife(t, "fraud")
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Return(modelops.Job{}, errors.New("503"))
	l.publish(0, 0.8)
	l.at(1*time.Minute, func(s monitor.Status) { require.Equal(t, contract.PhaseRetraining, s.Phase) })
	l.at(3*time.Minute, func(s monitor.Status) { require.Equal(t, contract.PhaseCoolingDown, s.Phase) })
	status := l.live(30*time.Minute, map[string]any{"policy": map[string]any{"retraining": map[string]any{"timeout": "2m"}}})
	require.EqualValues(t, 1, status.Retrainings.Failed)
	require.Equal(t, policy.TimedOut, status.Decisions[1].Kind)
}

func TestAnOutcomeMayComeBeforeTheScheduleCallReturns(t *testing.T) {
	l := newLife(t, "fraud")
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().After(time.Minute).Return(modelops.Job{Backend: "slow", Followed: true}, nil)
	l.publish(0, 0.8)
	l.after(10*time.Second, func() {
		id := l.status().Current.RequestID
		l.SignalWorkflow(contract.SignalRetrainingOutcome, modelops.Outcome{RequestID: id, State: modelops.Succeeded, ModelVersion: "v2"})
	})
	status := l.live(10 * time.Minute)
	require.Equal(t, monitor.RetrainingCounters{Requested: 1, Succeeded: 1}, status.Retrainings)
	require.Equal(t, "v2", status.Decisions[1].ModelVersion)
}

func TestAMonitorStopsWhenItsRetrainingIsRecorded(t *testing.T) {
	l := newLife(t, "fraud")
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().Return(modelops.Job{Backend: "webhook", Followed: true}, nil)
	l.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).Once().After(5 * time.Hour).
		Return(func(_ context.Context, call activities.Call) (modelops.Outcome, error) {
			return modelops.Outcome{RequestID: call.Request.RequestID, State: modelops.Failed, Message: "out of memory"}, nil
		})
	l.publish(0, 0.8)
	l.at(2*time.Hour, func(s monitor.Status) { require.Equal(t, contract.PhaseStopping, s.Phase) })
	status := l.live(time.Hour)
	require.EqualValues(t, 1, status.Retrainings.Failed)
	require.Equal(t, "out of memory", status.Decisions[len(status.Decisions)-1].Reason)
	require.Equal(t, noon.Add(5*time.Hour), l.Now().UTC())
}
