package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/monitor"
)

// report sends a batch of a publisher after a while.
func (l *life) report(after time.Duration, publisher string, sequence int64) {
	l.after(after, func() {
		event := metric.NewEvent("fraud", "v1", 0.95, 120, 0.02)
		l.SignalWorkflow(contract.SignalMetricDigest, metric.Batch{
			ModelName: "fraud", Publisher: publisher, Sequence: sequence, Digests: []*metric.Digest{metrictest.DigestOf(&event, l.Now())},
		})
	})
}

func TestARunHandsOnWhenItsPublishersShouldAskAnew(t *testing.T) {
	policy := func(wire string) func(*life) {
		return func(l *life) {
			l.report(0, "a", 1)
			l.update(time.Minute, "policy", contract.UpdateSetPolicy, json.RawMessage(wire))
		}
	}
	for name, c := range map[string]struct {
		happens func(l *life)
		after   time.Duration // 0: it doesn't
	}{
		"the policy has other rules":      {policy(`{"rules": [{"metric": "auc", "below": 0.7}]}`), time.Minute},
		"the policy has another interval": {policy(`{"report_every": "10s"}`), time.Minute},
		"it keeps other distributions":    {policy(`{"keep_distributions": ["auc"]}`), time.Minute},
		"the policy has another cooldown": {policy(`{"cooldown": "2h"}`), 0},
		"the policy is the one it has":    {policy(`{}`), 0},
		"nobody is there who would ask": {func(l *life) {
			l.update(time.Minute, "policy", contract.UpdateSetPolicy, json.RawMessage(`{"report_every": "10s"}`))
		}, 0},
		"it is paused": {func(l *life) {
			l.report(0, "a", 1)
			l.update(time.Minute, "pause", contract.UpdatePause, monitor.Control{By: "ada"})
		}, 0},
		"a pause is over": {func(l *life) {
			l.report(0, "a", 1)
			l.update(30*time.Second, "pause", contract.UpdatePause, monitor.Control{By: "ada"})
			l.update(time.Minute, "resume", contract.UpdateResume, monitor.Control{By: "ada"})
		}, time.Minute},
		"twice as many publish as need to wait": {func(l *life) {
			for i := range 10 {
				l.report(time.Minute, string(rune('a'+i)), 1)
			}
		}, time.Minute},
		"a few more publish": {func(l *life) {
			for i := range 9 {
				l.report(time.Minute, string(rune('a'+i)), 1)
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, "fraud")
			c.happens(l)
			ended := l.Now().Add(2 * time.Minute)
			l.after(2*time.Minute, func() { l.SetContinueAsNewSuggested(true) })
			l.report(2*time.Minute+time.Second, "a", 2)
			if c.after != 0 {
				ended = l.Now().Add(c.after + time.Second)
			}
			l.ExecuteWorkflow(contract.WorkflowType)
			require.True(t, workflow.IsContinueAsNewError(l.GetWorkflowError()))
			require.InDelta(t, 0, l.Now().Sub(ended), float64(5*time.Second))
		})
	}
}
