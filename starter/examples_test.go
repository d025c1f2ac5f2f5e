package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

const examplePolicies = "../examples/policies"

// validateFiles is `modelvigil validate`, and what it printed.
func validateFiles(t *testing.T, files ...string) string {
	var stdout, stderr strings.Builder
	code := run(context.Background(), append([]string{"validate"}, files...), strings.NewReader(""), &stdout, &stderr)
	require.Equal(t, exitDone, code, stderr.String())
	require.Empty(t, stderr.String())
	return stdout.String()
}

func TestTheExamplePoliciesAreFine(t *testing.T) {
	says := map[string][]string{
		"classifier.yaml": {
			"fraud is fine: 5 rules, cooldown 12h",
			"accuracy low: accuracy mean over 1h below 0.92, 3 of 4 datapoints\n",
			"inputs shifted: drift_score mean over 5m rises, by adwin, held for 12h (condition)",
			"accuracy slipping: accuracy mean over 1h 1% below its first 5000 (condition)",
			"slipping since inputs shifted: all of accuracy slipping, inputs shifted\n",
			"slow: latency_ms p99 over 5m above 250, clears at 200, 3 of 5 datapoints (warning)",
		},
		"ranking.yaml": {
			"search-ranking is fine: 5 rules, cooldown 24h",
			"ndcg decayed: ndcg_at_10 mean over 1h 3% below its first 20000, 6 of 8 datapoints\n",
			"10% below the previous version's first 20000\n",
			"silent: no event for 30m (warning)",
			"note: a new version can't be judged within verify.within by ndcg decayed, stale\n",
		},
		"forecaster.yaml": {
			"demand-forecast is fine: 4 rules, cooldown 72h",
			"error high: mape mean over 24h, by arrival, above 0.18, 2 of 3 datapoints\n",
			"stale: not retrained for 2160h\n",
			"verify.within by stale\n",
		},
		"llm.yaml": {
			"llm-support is fine: 5 rules, cooldown 168h",
			"quality low: eval_score mean over 6h below 0.78, clears at 0.8, 2 of 3 datapoints\n",
			"worst answers worse: eval_score p10 over 6h 0.1 below its first 1000, 2 of 2 datapoints\n",
			"refuses too often: refused mean over 1h above 0.08",
			"tokens slow: token_latency_ms p95 over 5m above 80, clears at 60, 4 of 6 datapoints (warning)",
		},
		"input-drift.yaml": {
			"credit-risk is fine: 2 rules, cooldown 720h",
			"inputs drift: at least 2 of feature.*, channel: js over 24h against profile credit-v7.profile.json, false alarms 1 per 365d, 2 of 3 datapoints\n",
			"a feature is missing: feature.* missing over 24h against profile credit-v7.profile.json above 0.05 (warning)",
		},
		"prediction-drift.yaml": {
			"churn-score is fine: 2 rules, cooldown 168h",
			"scores drift: score ks over 24h against the first 20000 above 0.1, 3 of 4 datapoints\n",
			"scores jumped: score ks over 24h against the last 7 periods above 0.15 (warning)",
		},
		"label-drift.yaml": {
			"ticket-router is fine: 2 rules, cooldown 336h",
			"labels drift: solved_by tvd over 168h from 96h, by arrival, against the first 20000 above 0.1\n",
			"routes differ from the version before: routed_to tvd over 24h against the previous version's first 5000 above 0.1 (warning)",
		},
		"defaults.yaml": {
			"churn-emea is fine: 2 rules, cooldown 48h\n  auc low: auc mean over 24h below 0.72\n  stale: not retrained for 1440h\n",
			"uplift-newsletter is fine: 2 rules, cooldown 6h\n",
		},
	}
	files, err := filepath.Glob(filepath.Join(examplePolicies, "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, len(says), "each is held to something")
	for name, lines := range says {
		t.Run(name, func(t *testing.T) {
			out := validateFiles(t, filepath.Join(examplePolicies, name))
			for _, line := range lines {
				assert.Contains(t, out, line)
			}
		})
	}
}

// As a folder the examples inherit from defaults.yaml, which must not change what
// their own remarks say.
func TestTheExamplesTogetherInheritTheirDefaults(t *testing.T) {
	documents, err := document.Read([]string{examplePolicies}, nil)
	require.NoError(t, err)
	policies := map[string]policy.Policy{}
	for _, d := range documents {
		policies[d.Model] = d.Policy
	}
	require.Len(t, policies, 9)

	hours := func(n int) metric.Optional[policy.Duration] {
		return metric.Some(policy.Duration(time.Duration(n) * time.Hour))
	}
	churn := policies["churn-emea"]
	assert.Equal(t, hours(48), churn.Cooldown, "its own")
	assert.Equal(t, "webhook", churn.Retraining.Backend, "its team's")
	assert.True(t, churn.Approval.Required, "its team's")
	assert.Equal(t, hours(24), churn.Retraining.Timeout, "the house's, merged")
	assert.Equal(t, 3, churn.MaxFailures, "the house's")
	assert.Equal(t, "auc low", churn.Rules[0].Name, "its name's")

	assert.Nil(t, policies["uplift-newsletter"].Approval, "it is of no team")
	assert.Equal(t, hours(12), policies["fraud"].Cooldown, "its own")
	assert.Equal(t, hours(8), policies["fraud"].Retraining.Timeout, "its own")
	assert.Equal(t, 2, policies["llm-support"].MaxFailures, "its own")
	assert.Equal(t, 3, policies["search-ranking"].MaxFailures, "the house's")
	assert.Nil(t, policies["search-ranking"].Approval, "another team's")
}

// As the remark in llm.yaml has it.
func TestTheExampleOfALanguageModelAsksForNothing(t *testing.T) {
	documents, err := document.Read([]string{filepath.Join(examplePolicies, "llm.yaml")}, nil)
	require.NoError(t, err)
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	m := monitor.NewMachine("llm-support", "test", documents[0].Policy)
	for i := range 24 * 60 / 2 { // a bad day, an answer every two minutes
		at := start.Add(time.Duration(i) * 2 * time.Minute)
		for wake, ok := m.NextWake(); ok && !wake.After(at); wake, ok = m.NextWake() {
			m.Tick(wake)
		}
		m.Observe(at, &metric.Event{Timestamp: at, ModelName: "llm-support", Metrics: map[string]float64{"eval_score": 0.7}})
		m.Tick(at)
	}
	status := m.Status(start.Add(24 * time.Hour))
	assert.Zero(t, status.Retrainings.Requested)
	require.NotEmpty(t, status.Decisions)
	assert.Equal(t, policy.Held, status.Decisions[0].Kind)
	assert.Equal(t, start.Add(12*time.Hour+30*time.Second), status.Decisions[0].At, "two periods of six hours, and the grace")
}
