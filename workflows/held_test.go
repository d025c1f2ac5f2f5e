package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/monitor"
)

// heldBy makes a monitor that breaches at once, with a call under way that lasts
// longer than any test.
var heldBy = map[string]func(*life){
	"a schedule call": func(l *life) {
		l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).After(20*time.Hour).Return(monitor.Job{Backend: "log"}, nil)
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
		"4,000 signals":    func(*life) {},
	} {
		for reason, calls := range heldBy {
			t.Run(reason+" holds it until "+bound, func(t *testing.T) {
				l := hold(t, calls)
				l.after(15*time.Second, func() { reach(l) })
				if bound == "4,000 signals" {
					for i := range 10 { // the environment queues less than a thousand callbacks
						l.after(15*time.Second+time.Duration(i), func() {
							for range 400 {
								l.SignalWorkflow(monitor.SignalMetric, monitor.MetricEvent{ModelName: l.model})
							}
						})
					}
				}
				l.publish(16*time.Second, 0.8)
				began := l.Now()
				l.ExecuteWorkflow(monitor.WorkflowType, by(t, breachesAndTells))
				require.True(t, workflow.IsContinueAsNewError(l.GetWorkflowError()))
				assert.Greater(t, l.Now().Sub(began), 11*time.Second, "it is held for a while")
				assert.LessOrEqual(t, l.Now().Sub(began), 16*time.Second)
			})
		}
	}
}
