package workflows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/monitor"
)

const (
	pileSignals  = 4
	signalEvents = 10_000 // each is more than one workflow task takes
	pileEvents   = pileSignals * signalEvents
)

// pile signals as much as several workflow tasks take, at a time after the start.
func (l *life) pile(d time.Duration, accuracy float64) {
	events := make([]monitor.MetricEvent, signalEvents)
	for i := range events {
		events[i] = monitor.MetricEvent{ModelName: l.model, ModelVersion: "v1", Accuracy: monitor.Some(accuracy)}
	}
	encoded, err := json.Marshal(events)
	require.NoError(l.t, err)
	l.after(d, func() {
		for range pileSignals {
			l.SignalWorkflow(monitor.SignalMetric, json.RawMessage(encoded))
		}
	})
}

// tasksOfPile counts the tasks that ended with a part of a pile left.
func (l *life) tasksOfPile() *int {
	n := new(int)
	l.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
		if d == time.Millisecond {
			*n++
		}
	})
	return n
}

func TestAPileIsTakenInSeveralTasksAndCountedWhole(t *testing.T) {
	l := newLife(t, "fraud")
	tasks := l.tasksOfPile()
	l.pile(time.Second, 0.95)
	status := l.live(time.Minute)
	assert.EqualValues(t, pileEvents, status.Events)
	assert.EqualValues(t, pileSignals, status.Signals)
	assert.GreaterOrEqual(t, *tasks, pileSignals)
}

func TestWhatFitsATaskIsTakenInOne(t *testing.T) {
	l := newLife(t, "fraud")
	tasks := l.tasksOfPile()
	l.after(time.Second, func() {
		for range 500 {
			l.SignalWorkflow(monitor.SignalMetric, map[string]any{"model_name": "fraud", "accuracy": 0.95})
		}
	})
	assert.EqualValues(t, 500, l.live(time.Minute).Events)
	assert.Zero(t, *tasks)
}

// A breach at the head of a pile is acted upon before the rest of it is read.
func TestADecisionWithinAPileIsActedUponAtOnce(t *testing.T) {
	l := newLife(t, "fraud")
	var taken int64
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().Return(monitor.Job{Backend: "log"}, nil)
	l.SetOnActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) { taken = l.status().Events })
	l.pile(time.Second, 0.5)
	status := l.live(time.Minute)
	assert.EqualValues(t, 1, status.Retrainings.Accepted)
	assert.EqualValues(t, pileEvents, status.Events)
	assert.Positive(t, taken)
	assert.Less(t, taken, int64(pileEvents))
}

func TestAnUpdateThatMeetsAPileIsAppliedBeforeWhatIsLeftOfIt(t *testing.T) {
	l := newLife(t, "fraud")
	l.accepts(1)
	l.pile(time.Second, 0.5)
	paused := l.update(time.Second+1, "pause", monitor.UpdatePause, monitor.Control{By: "ada"})
	status := l.live(time.Minute)
	require.NoError(t, paused.refused)
	require.NoError(t, paused.failed)
	assert.Equal(t, monitor.PhasePaused, paused.result.Phase)
	afterIt := status.Suppressed[monitor.ByPause]
	assert.Positive(t, afterIt)
	assert.Less(t, afterIt, int64(pileEvents), "what one task took of it is seen before the update")
	assert.EqualValues(t, pileEvents, status.Events)
}

func TestHandlersOfUpdatesNeverWaitForAPile(t *testing.T) {
	l := newLife(t, "fraud")
	l.pile(time.Second, 0.95)
	var sent, answered []time.Time
	for i := range 3 {
		l.after(time.Second+time.Duration(i), func() {
			sent = append(sent, l.Now())
			l.UpdateWorkflow(monitor.UpdatePause, fmt.Sprint(i), &testsuite.TestUpdateCallback{
				OnAccept: func() {}, OnReject: func(err error) { t.Error(err) },
				OnComplete: func(any, error) { answered = append(answered, l.Now()) },
			}, monitor.Control{By: "ada"})
		})
	}
	l.live(time.Minute)
	require.Len(t, answered, 3)
	assert.Equal(t, sent, answered)
}

func TestARunHandsOnOnlyWhenAllThatArrivedIsRead(t *testing.T) {
	first := newLife(t, "fraud")
	first.after(time.Second, func() { first.SetContinueAsNewSuggested(true) })
	first.pile(time.Second+1, 0.95)
	first.ExecuteWorkflow(monitor.WorkflowType)
	require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))

	second, input := newLife(t, "fraud").next(first)
	status := second.live(time.Minute, input)
	assert.EqualValues(t, pileEvents, status.Events)
	assert.EqualValues(t, pileSignals, status.Signals)
}

func TestARunHandsOnAfterMuchWorkHoweverFewSignals(t *testing.T) {
	first := newLife(t, "fraud")
	for i := range 20 {
		first.after(time.Duration(i)*time.Second, func() {
			first.SignalWorkflow(monitor.SignalMetric, map[string]any{"model_name": "fraud", "x": strings.Repeat("x", 1<<20)})
		})
	}
	began := first.Now()
	first.ExecuteWorkflow(monitor.WorkflowType)
	require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))
	assert.Less(t, first.Now().Sub(began), 20*time.Second)
}
