package workflows_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows"
)

// deferredBy makes a monitor that breaches at once, with a call under way that lasts
// longer than any test.
var deferredBy = map[string]func(*life){
	"a schedule call": func(l *life) {
		l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).After(20*time.Hour).Return(modelops.Job{Backend: "log"}, nil)
	},
	"a notice": func(l *life) {
		l.RegisterActivity(notices)
		l.accepts(0)
		l.OnActivity(notices.Notify, mock.Anything, mock.Anything).After(20 * time.Hour).Return(nil)
	},
}

const breachesAndTells = `{"retraining": {"timeout": "23h"}, "notify": [{"channel": "chat", "kinds": ["triggered"]}]}`

// hold begins a run that is to be ended from the fifth second on, when its history
// has 160 events.
func hold(t *testing.T, calls func(*life)) *life {
	l := newLife(t, "fraud")
	calls(l)
	l.publish(0, 0.8)
	l.after(5*time.Second, func() {
		l.SetContinueAsNewSuggested(true)
		l.SetCurrentHistoryLength(160)
	})
	l.publish(6*time.Second, 0.8)
	l.after(10*time.Second, func() { l.SetCurrentHistoryLength(319) })
	l.publish(11*time.Second, 0.8)
	return l
}

func TestACallUnderWayHoldsARunWithinBounds(t *testing.T) {
	for bound, reach := range map[string]func(*life){
		"twice the events": func(l *life) { l.SetCurrentHistoryLength(320) },
		"16 MiB":           func(l *life) { l.SetCurrentHistorySize(16 << 20) },
		"800 signals":      func(l *life) { l.rush(time.Second-2, 800) },
	} {
		for reason, calls := range deferredBy {
			t.Run(reason+" holds it until "+bound, func(t *testing.T) {
				l := hold(t, calls)
				l.after(15*time.Second, func() { reach(l) })
				l.publish(16*time.Second, 0.8)
				began := l.Now()
				l.ExecuteWorkflow(contract.WorkflowType, by(t, breachesAndTells))
				require.True(t, workflow.IsContinueAsNewError(l.GetWorkflowError()))
				assert.Greater(t, l.Now().Sub(began), 11*time.Second, "it is put off for a while")
				assert.LessOrEqual(t, l.Now().Sub(began), 16*time.Second)
			})
		}
	}
}

// rush signals so often at a time after the start.
func (l *life) rush(d time.Duration, signals int) {
	for part := range (signals + 399) / 400 { // the environment queues less than a thousand callbacks
		l.after(d+time.Duration(part), func() {
			for range min(400, signals-400*part) {
				l.SignalWorkflow(contract.SignalMetric, metric.Event{ModelName: l.model})
			}
		})
	}
}

func TestARunThatSignalsRushAtHandsOnSoon(t *testing.T) {
	for name, c := range map[string]struct {
		wait    time.Duration
		signals int
		ends    bool
	}{
		"399 signals at once are none":                     {time.Second, 399, false},
		"400 signals at once are a rush":                   {time.Second, 400, true},
		"what comes in the run's second minute is no rush": {time.Minute, 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, "fraud")
			l.rush(c.wait, c.signals)
			l.update(c.wait+time.Second, "the-end", contract.UpdateStop, nil)
			l.ExecuteWorkflow(contract.WorkflowType)
			require.Equal(t, c.ends, workflow.IsContinueAsNewError(l.GetWorkflowError()))
		})
	}
}

// A retraining that waits for its turn in a queue would never have it if each run of a
// rush asked again: the first does, and the next wait longer.
func TestARushDoesNotPutARetrainingBehindAllOthersAgainAndAgain(t *testing.T) {
	first := newLife(t, "fraud")
	deferredBy["a schedule call"](first)
	first.publish(0, 0.8)
	first.rush(time.Second, 800)
	first.ExecuteWorkflow(contract.WorkflowType)

	second, input := newLife(t, "fraud").next(first)
	second.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().After(5*time.Second).Return(modelops.Job{Backend: "log"}, nil)
	second.rush(time.Second, 1600)
	second.ExecuteWorkflow(contract.WorkflowType, input)
	require.True(t, workflow.IsContinueAsNewError(second.GetWorkflowError()))
	second.AssertExpectations(t)

	third, input := newLife(t, "fraud").next(second)
	assert.EqualValues(t, 1, third.live(time.Second, input).Retrainings.Accepted)
}

// A run that should end, and doesn't at once, has something that ends it soon, whatever
// else comes or doesn't: otherwise a quiet monitor would go on for ever, with an old build.
func TestARunThatShouldEndDoesSoonThoughNothingElseComes(t *testing.T) {
	dues := map[string]func(*life) time.Duration{
		"another build is current": func(l *life) time.Duration {
			l.SetTargetWorkerDeploymentVersionChanged(true)
			return workflows.PartOf(4*time.Minute, "")
		},
		"it is a day old": func(*life) time.Duration {
			return 24*time.Hour - workflows.PartOf(4*time.Hour, "")
		},
		"publishers should ask anew": func(l *life) time.Duration {
			l.report(0, "a", 1)
			l.update(10*time.Second, "policy", contract.UpdateSetPolicy, json.RawMessage(`{"report_every": "10s", "retraining": {"timeout": "3s"}}`))
			return 11 * time.Second
		},
		"its history is long": func(l *life) time.Duration {
			l.after(10*time.Second, func() { l.SetContinueAsNewSuggested(true) }) // as the next task hears
			return 11 * time.Second
		},
	}
	withIt := map[string]func(l *life, due time.Duration){
		"an event": func(l *life, due time.Duration) { l.publish(due, 0.95) },
		"an update": func(l *life, due time.Duration) {
			l.update(due, "pause", contract.UpdatePause, monitor.Control{By: "ada"})
		},
		"the end of a call's retraining": func(l *life, due time.Duration) {
			deferredBy["a schedule call"](l)
			l.publish(due-3*time.Second, 0.8) // its timeout
		},
		"word of a call's retraining": func(l *life, due time.Duration) {
			l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).After(20*time.Hour).Return(modelops.Job{Backend: "log"}, nil)
			l.publish(due-time.Millisecond, 0.8)
			l.after(due, func() {
				l.SignalWorkflow(contract.SignalRetrainingOutcome, modelops.Outcome{RequestID: l.status().Current.RequestID, State: modelops.Succeeded})
			})
		},
		"a cancel of a call's retraining": func(l *life, due time.Duration) {
			deferredBy["a schedule call"](l)
			l.publish(due-time.Millisecond, 0.8)
			l.update(due, "cancel", contract.UpdateCancel, monitor.Control{By: "ada"})
		},
		"the answer to a call": func(l *life, due time.Duration) {
			l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).After(2*time.Second).Return(modelops.Job{Backend: "log"}, nil)
			l.publish(due-time.Millisecond, 0.8)
		},
		"the answer to a call, in one task with an update": func(l *life, due time.Duration) {
			l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).After(2 * time.Second).
				Return(func(context.Context, activities.Call) (modelops.Job, error) {
					l.UpdateWorkflow(contract.UpdatePause, "pause", &testsuite.TestUpdateCallback{
						OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(any, error) {},
					}, monitor.Control{By: "ada"})
					return modelops.Job{Backend: "log"}, nil
				})
			l.publish(due-time.Millisecond, 0.8)
		},
	}
	for reason, falls := range dues {
		for event, comes := range withIt {
			t.Run(reason+", and with it comes "+event, func(t *testing.T) {
				l := newLife(t, "fraud")
				l.OnActivity(retraining.CancelRetraining, mock.Anything, mock.Anything).Return(nil).Maybe()
				due := falls(l)
				comes(l, due)
				l.update(30*time.Hour, "the-end", contract.UpdateStop, nil)
				began := l.Now()
				l.ExecuteWorkflow(contract.WorkflowType, by(t, `{"retraining": {"timeout": "3s"}}`))
				require.True(t, workflow.IsContinueAsNewError(l.GetWorkflowError()), "it went on for %v", l.Now().Sub(began))
				assert.WithinRange(t, l.Now(), began.Add(due), began.Add(due+5*time.Second))
			})
		}
	}
}

func TestARunThatCodeOfBeforeDeferredKeepsItsTimers(t *testing.T) {
	l := newLife(t, "fraud")
	l.OnGetVersion("wakes-when-deferred", workflow.DefaultVersion, workflow.Version(1)).Return(workflow.DefaultVersion)
	timers := 0
	l.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
	l.after(10*time.Second, func() { l.SetContinueAsNewSuggested(true) })
	l.update(11*time.Second, "policy", contract.UpdateSetPolicy, json.RawMessage(`{"cooldown": "2h"}`))
	l.live(time.Minute)
	assert.Equal(t, 1, timers, "that of its age, or its history could not be replayed")
}
