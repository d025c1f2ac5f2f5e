package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
)

// deferredBy makes a monitor that breaches at once, with a call under way that lasts
// longer than any test.
var deferredBy = map[string]func(*life){
	"a schedule call": func(l *life) {
		l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).After(20*time.Hour).Return(modelops.Job{Backend: "log"}, nil)
	},
	"a notice": func(l *life) {
		var notices *activities.Notices // names only
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
