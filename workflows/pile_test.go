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

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// A pile is more than one workflow task takes: events under as many rules as a policy
// may have.
const (
	pileSignals  = 20
	signalEvents = 10_000
	pileEvents   = pileSignals * signalEvents
)

func manyRules(t *testing.T) workflows.Input {
	rules := []string{`{"metric": "accuracy", "below": 0.9}`}
	for i := range 49 {
		rules = append(rules, fmt.Sprintf(`{"name": "w%d", "metric": "accuracy", "below": 0.%03d, "severity": "warning"}`, i, 100+i))
	}
	return by(t, `{"rules": [`+strings.Join(rules, ",")+`]}`)
}

// pile signals a pile, at a time after the start.
func (l *life) pile(d time.Duration, accuracy float64) {
	event := fmt.Sprintf(`,{"model_name": "fraud", "model_version": "v1", "accuracy": %g}`, accuracy)
	events := json.RawMessage("[" + strings.Repeat(event, signalEvents)[1:] + "]")
	l.after(d, func() {
		for range pileSignals {
			l.SignalWorkflow(contract.SignalMetric, events)
		}
	})
}

// eachTaskOfPile calls a function after each task that left a part of a pile.
func (l *life) eachTaskOfPile(then func()) {
	l.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
		if d == time.Millisecond {
			then()
		}
	})
}

func TestAPileIsTakenInSeveralTasksAndCountedWhole(t *testing.T) {
	l := newLife(t, "fraud")
	tasks := 0
	l.eachTaskOfPile(func() { tasks++ })
	l.pile(time.Second, 0.95)
	status := l.live(time.Minute, manyRules(t))
	assert.EqualValues(t, pileEvents, status.Events)
	assert.EqualValues(t, pileSignals, status.Signals)
	assert.Greater(t, tasks, 1)
}

// What the last task of a pile reads belongs to the same periods as what its first
// one did, which are over by then: none of them is judged before all is read.
func TestNoPeriodIsJudgedBeforeAPileIsReadWhole(t *testing.T) {
	l := newLife(t, "fraud")
	const justBefore = time.Hour - time.Millisecond
	l.pile(justBefore, 0.95)
	l.after(justBefore, func() {
		l.SignalWorkflow(contract.SignalMetric, map[string]any{
			"model_name": "fraud", "model_version": "v1", "accuracy": 0.5, "timestamp": noon.Add(59 * time.Minute),
		})
	})
	l.after(time.Minute, func() { // the period that is due when the pile comes has begun
		l.SignalWorkflow(contract.SignalMetric, map[string]any{"model_name": "fraud", "model_version": "v1", "accuracy": 0.95})
	})
	rules := manyRules(t)
	rules.Policy.Rules = append(rules.Policy.Rules[:len(rules.Policy.Rules)-1], policy.Rule{
		Name: "whole", Metric: metric.Accuracy, Stat: policy.StatCount, Below: metric.Some(1.0), Severity: policy.Warning,
		Period: metric.Some(policy.Duration(time.Hour)), Grace: metric.Some(policy.Duration(0)),
	})
	status := l.live(2*time.Hour, rules)
	assert.EqualValues(t, pileEvents+2, status.Events)
	_, judged := status.LatestRules()
	assert.Zero(t, judged[len(judged)-1].Late)
}

func TestWhatFitsATaskIsTakenInOne(t *testing.T) {
	l := newLife(t, "fraud")
	tasks := 0
	l.eachTaskOfPile(func() { tasks++ })
	l.after(time.Second, func() {
		for range 300 {
			l.SignalWorkflow(contract.SignalMetric, map[string]any{"model_name": "fraud", "accuracy": 0.95})
		}
	})
	assert.EqualValues(t, 300, l.live(time.Minute).Events)
	assert.Zero(t, tasks)
}

// A breach at the head of a pile is acted upon before the rest of it is read.
func TestADecisionWithinAPileIsActedUponAtOnce(t *testing.T) {
	l := newLife(t, "fraud")
	var taken int64
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().Return(modelops.Job{Backend: "log"}, nil)
	l.SetOnActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) { taken = l.status().Events })
	l.pile(time.Second, 0.5)
	status := l.live(time.Minute, manyRules(t))
	assert.EqualValues(t, 1, status.Retrainings.Accepted)
	assert.EqualValues(t, pileEvents, status.Events)
	assert.Positive(t, taken)
	assert.Less(t, taken, int64(pileEvents))
}

func TestAnUpdateThatMeetsAPileIsAppliedBeforeWhatIsLeftOfIt(t *testing.T) {
	l := newLife(t, "fraud")
	l.accepts(1)
	l.pile(time.Second, 0.5)
	paused := l.update(time.Second+1, "pause", contract.UpdatePause, monitor.Control{By: "ada"})
	status := l.live(time.Minute, manyRules(t))
	require.NoError(t, paused.refused)
	require.NoError(t, paused.failed)
	assert.Equal(t, contract.PhasePaused, paused.result.Phase)
	afterIt := status.Suppressed[journal.ByPause]
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
			l.UpdateWorkflow(contract.UpdatePause, fmt.Sprint(i), &testsuite.TestUpdateCallback{
				OnAccept: func() {}, OnReject: func(err error) { t.Error(err) },
				OnComplete: func(any, error) { answered = append(answered, l.Now()) },
			}, monitor.Control{By: "ada"})
		})
	}
	l.live(time.Minute, manyRules(t))
	require.Len(t, answered, 3)
	assert.Equal(t, sent, answered)
}

func TestARunHandsOnOnlyWhenAllThatArrivedIsRead(t *testing.T) {
	first := newLife(t, "fraud")
	first.eachTaskOfPile(func() { first.SetContinueAsNewSuggested(true) })
	first.pile(time.Second, 0.95)
	first.ExecuteWorkflow(contract.WorkflowType, manyRules(t))
	require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))

	second, input := newLife(t, "fraud").next(first)
	status := second.live(time.Minute, input)
	assert.EqualValues(t, pileEvents, status.Events)
	assert.EqualValues(t, pileSignals, status.Signals)
}

func TestARunHandsOnAfterMuchWorkHoweverFewSignals(t *testing.T) {
	const signals = 100
	first := newLife(t, "fraud")
	for i := range signals {
		first.after(time.Duration(i)*time.Second, func() {
			first.SignalWorkflow(contract.SignalMetric, json.RawMessage(`{"x": "`+strings.Repeat("x", 1<<20)+`"}`))
		})
	}
	began := first.Now()
	first.ExecuteWorkflow(contract.WorkflowType)
	require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))
	assert.Less(t, first.Now().Sub(began), signals*time.Second)
}
