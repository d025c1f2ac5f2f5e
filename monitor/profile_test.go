package monitor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Training data that is replaced under its name is another reference: nothing is
// judged by the old one from then on.
func TestAProfileThatIsReplacedUnderItsNameIsAnotherReference(t *testing.T) {
	against := func(below, between, above int) string {
		return fmt.Sprintf(`{"rules": [{"name": "age", "metric": "age", "period": "1m", "above": 0.5, "drift": {"statistic": "tvd", "reference": {"from": "profile", "profile": "p.json"}}}],
			"profiles": {"p.json": {"metrics": {"age": {"edges": [20, 30], "counts": [%d, %d, %d], "std": 5}}}}}`, below, between, above)
	}
	m := monitor.NewMachine("fraud", "r", policyOf(t, against(100, 0, 0)))
	verdict := func(from, until time.Duration) monitor.Verdict {
		for at := from; at < until; at += 10 * time.Second {
			tickUntil(m, noon.Add(at))
			m.Observe(noon.Add(at), &metric.Event{ModelName: "fraud", ModelVersion: "v1", Metrics: map[string]float64{"age": 10}})
		}
		tickUntil(m, noon.Add(until+time.Minute))
		return m.Status(noon.Add(until + time.Minute)).Versions["v1"].Rules[0].Verdict
	}

	assert.Equal(t, monitor.Healthy, verdict(0, 3*time.Minute))
	m.SetPolicy(noon.Add(4*time.Minute), policyOf(t, against(0, 0, 100)))
	assert.Equal(t, monitor.Breaching, verdict(5*time.Minute, 8*time.Minute))
}

// What comes late is counted where it would have been judged: labels that come when the
// inputs' period is over say nothing of the inputs.
func TestWhatHasNoReadingOfADriftRuleIsNotLateForIt(t *testing.T) {
	for statistic, late := range map[string]int64{"ks": 0, "missing": 1} {
		t.Run(statistic, func(t *testing.T) {
			m := monitor.NewMachine("fraud", "r", policyOf(t, fmt.Sprintf(`{"rules": [{"name": "age", "metric": "age", "period": "1m", "above": 0.5,
				"drift": {"statistic": %q, "reference": {"from": "first", "samples": 1}}}]}`, statistic)))
			event := func(at time.Time, name string) {
				m.Observe(noon.Add(10*time.Minute), &metric.Event{Timestamp: at, ModelName: "fraud", ModelVersion: "v1", Metrics: map[string]float64{name: 10}})
			}
			event(noon.Add(10*time.Minute), "age")
			event(noon, "auc")
			assert.Equal(t, late, m.Status(noon.Add(10 * time.Minute)).Versions["v1"].Rules[0].Late)
			event(noon, "age")
			assert.Equal(t, late+1, m.Status(noon.Add(10 * time.Minute)).Versions["v1"].Rules[0].Late)
		})
	}
}

// A state has training data once, in its policy, and a new run judges by it all the same.
func TestARunThatIsHandedOnGoesOnJudgingByTrainingData(t *testing.T) {
	wanted := policy.Policy{
		Rules: []policy.Rule{{
			Name: "age", Metric: "age", Period: metric.Some(policy.Duration(time.Hour)), Above: metric.Some(0.5),
			Drift: &policy.Drift{Statistic: drift.KS, Reference: policy.Reference{From: policy.ReferenceProfile, Profile: "p.json"}},
		}},
		Profiles: map[string]*drift.Profile{"p.json": profileOf([]string{"age"}, false)},
	}
	m := newMachine(wanted)
	m.Observe(noon, reading(noon, "v1", "age", 3.4))

	encoded := encode(t, m.State())
	assert.Equal(t, 1, strings.Count(encoded, `"edges"`), encoded)
	state, err := monitor.DecodeState([]byte(encoded))
	require.NoError(t, err)
	again := monitor.Restore(state)
	for _, m := range []*monitor.Machine{m, again} {
		m.Observe(noon.Add(time.Minute), reading(noon.Add(time.Minute), "v1", "age", 100))
		m.Observe(noon.Add(2*time.Minute), reading(noon.Add(2*time.Minute), "v1", "age", 100))
		m.Tick(noon.Add(2 * time.Hour))
	}

	require.Len(t, m.Status(noon).Versions["v1"].Rules, 1)
	assert.NotZero(t, m.Status(noon).Versions["v1"].Rules[0].Value)
	assert.Equal(t, encode(t, m.State()), encode(t, again.State()))
}

// Whoever changes what a drift rule is about hears that what it had learnt is gone.
func TestARuleOnOtherMetricsOrCategoriesTellsThatItBeginsAnew(t *testing.T) {
	against := func(subject, statistic string) policy.Policy {
		return policyOf(t, fmt.Sprintf(`{"rules": [{"name": "inputs", %s, "period": "1m", "above": 0.5,
			"drift": {"statistic": %q, "reference": {"from": "first", "samples": 2}}}]}`, subject, statistic))
	}
	for name, after := range map[string]policy.Policy{
		"another metric":    against(`"metric": "height"`, "js"),
		"a list of metrics": against(`"metrics": ["age", "height"]`, "js"),
		"a category":        against(`"category": "age"`, "js"),
		"another statistic": against(`"metric": "age"`, "tvd"),
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(against(`"metric": "age"`, "js"))
			m.Observe(noon, reading(noon, "v1", "age", 10))
			m.SetPolicy(noon, after)
			decisions := m.Status(noon).Decisions
			assert.Equal(t, "dropped what was measured for inputs", decisions[len(decisions)-1].Reason)
		})
	}
	m := newMachine(against(`"metrics": ["age"]`, "js"))
	m.Observe(noon, reading(noon, "v1", "age", 10))
	m.SetPolicy(noon, against(`"metrics": ["height"]`, "js"))
	assert.Equal(t, "dropped what was measured for inputs", m.Status(noon).Decisions[0].Reason)
}
