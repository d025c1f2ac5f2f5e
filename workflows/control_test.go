package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

func TestPauseRetrainAndForce(t *testing.T) {
	l := newLife(t, "fraud")
	l.accepts(2)
	l.update(1*time.Second, "1", contract.UpdatePause, monitor.Control{By: "ada", Reason: "audit"})
	l.publish(2*time.Second, 0.8)
	paused := l.update(3*time.Second, "2", contract.UpdateRetrain, map[string]any{"by": "ada", "force": true})
	l.update(4*time.Second, "3", contract.UpdateResume, monitor.Control{By: "ada"})
	byHand := l.update(4*time.Second+1, "3b", contract.UpdateRetrain, monitor.Control{By: "ada"})
	early := l.update(5*time.Second, "4", contract.UpdateRetrain, monitor.Control{By: "ada"})
	forced := l.update(6*time.Second, "5", contract.UpdateRetrain, map[string]any{"by": "ada", "force": true})
	status := l.live(time.Minute)

	require.ErrorContains(t, paused.refused, "resume it first", "a pause always wins")
	require.NoError(t, byHand.refused)
	require.NotEmpty(t, byHand.result.RequestID)
	require.ErrorContains(t, early.refused, "in cooldown until 2026-03-01T13:00:04Z; use force")
	require.NoError(t, forced.refused)
	assert.EqualValues(t, 1, status.Suppressed[journal.ByPause])
	assert.EqualValues(t, 2, status.Retrainings.Accepted)
	assert.Equal(t, noon.Add(time.Hour+6*time.Second), status.CooldownUntil.UTC())
}

func TestARetrainingInFlightIsNeverDoubled(t *testing.T) {
	l := newLife(t, "fraud")
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().After(time.Minute).Return(modelops.Job{Backend: "log"}, nil)
	l.publish(0, 0.8)
	forced := l.update(time.Second, "1", contract.UpdateRetrain, map[string]any{"force": true})
	l.live(time.Hour)
	require.ErrorContains(t, forced.refused, "is in flight since")
}

func TestAnInvalidUpdateIsRefusedAndChangesNothing(t *testing.T) {
	l := newLife(t, "fraud")
	unknown := l.update(time.Second, "1", contract.UpdateSetPolicy, map[string]any{"colour": "red", "cooldown": "-1s"})
	wrongType := l.update(time.Second, "2", contract.UpdatePause, map[string]any{"by": 7})
	stranger := l.update(time.Second, "3", contract.UpdateResume, map[string]any{"why": "x"})
	status := l.live(time.Minute)
	require.ErrorContains(t, unknown.refused, "colour: unknown field")
	require.ErrorContains(t, unknown.refused, "cooldown: must be")
	require.ErrorContains(t, wrongType.refused, "by: must be a string")
	require.ErrorContains(t, stranger.refused, "why: unknown field")
	require.Len(t, status.Decisions, 1, "stopped, and nothing else")
}

func TestThePolicyInForceAlreadyIsNoChange(t *testing.T) {
	l := newLife(t, "fraud")
	l.update(time.Second, "1", contract.UpdateSetPolicy, map[string]any{"cooldown": "30m"})
	l.update(2*time.Second, "2", contract.UpdateSetPolicy, map[string]any{"cooldown": "30m", "retraining": map[string]any{"params": map[string]any{}}})
	status := l.live(time.Minute)
	require.Len(t, status.Decisions, 2)
	require.Equal(t, policy.PolicyChanged, status.Decisions[0].Kind)
}

func TestPoisonIsCountedAndExplained(t *testing.T) {
	l := newLife(t, "fraud")
	l.after(time.Second, func() {
		l.SignalWorkflow(contract.SignalMetric, []byte("binary"))
		l.SignalWorkflow(contract.SignalMetric, "text")
		l.SignalWorkflow(contract.SignalMetric, nil)
		l.SignalWorkflow(contract.SignalMetricDigest, map[string]any{"version": 99})
		l.SignalWorkflow(contract.SignalRetrainingOutcome, map[string]any{"state": "maybe"})
		l.SignalWorkflow("unheard-of", 1)
		l.SignalWorkflow(contract.SignalMetric, map[string]any{"model_name": "other", "accuracy": 0.1})
		l.SignalWorkflow(contract.SignalMetric, map[string]any{"model_name": "fraud", "accuracy": 0.95})
	})
	status := l.live(time.Minute)
	require.EqualValues(t, 7, status.Rejected)
	require.EqualValues(t, 1, status.Events)
	require.EqualValues(t, 8, status.Signals)
	require.Len(t, status.Rejections, 5)
	reasons := fmt.Sprint(status.Rejections)
	for _, reason := range []string{"version: this worker reads version 1 or 2, got 99", `state: must be "succeeded" or "failed"`, "no signal of this name"} {
		assert.Contains(t, reasons, reason)
	}
}

func TestTheArgumentMayBeLeftOutInWholeOrInPart(t *testing.T) {
	for name, c := range map[string]struct {
		input    []any
		cooldown string
	}{
		"no argument":     {nil, "1h"},
		"null":            {[]any{nil}, "1h"},
		"an empty object": {[]any{map[string]any{}}, "1h"},
		"the name alone":  {[]any{map[string]any{"model_name": "fraud"}}, "1h"},
		"the policy":      {[]any{map[string]any{"policy": map[string]any{"cooldown": "5m"}}}, "5m"},
	} {
		t.Run(name, func(t *testing.T) {
			status := newLife(t, "fraud").live(time.Minute, c.input...)
			assert.Equal(t, "fraud", status.ModelName)
			assert.Equal(t, c.cooldown, status.Policy.Cooldown.Or(0).String())
		})
	}
}

func TestASenselessArgumentFailsTheMonitorAtOnce(t *testing.T) {
	for fault, input := range map[string]any{
		"model_name: \"other\" does not fit the workflow id":                                   map[string]any{"model_name": "other"},
		"model_nam: unknown field; the fields are model_name and policy\npolcy: unknown field": map[string]any{"polcy": 1, "model_nam": "fraud"},
		"model_name: json: cannot unmarshal number":                                            map[string]any{"model_name": 7},
		"policy: cooldown: must be":                                                            map[string]any{"policy": map[string]any{"cooldown": "-1h"}},
		"state: only a monitor's own continue-as-new":                                          map[string]any{"state": map[string]any{"version": 1}},
		"payload encoding \"binary/plain\"":                                                    []byte("x"),
	} {
		t.Run(fault, func(t *testing.T) {
			l := newLife(t, "fraud")
			l.ExecuteWorkflow(contract.WorkflowType, input)
			require.ErrorContains(t, l.GetWorkflowError(), fault)
		})
	}
}
