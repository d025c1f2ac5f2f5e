package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

const profiled = `, "profiles": {"v7.json": {"metrics": {"age": {"edges": [20, 30], "counts": [1, 2, 3], "std": 5}}, "categories": {"country": {"counts": {"DE": 7}}}}}`

func driftRule(rest string) string { return `{"rules": [{"name": "age", ` + rest + `}]}` }

func TestDriftRulesAreTakenAndToldInWords(t *testing.T) {
	for text, words := range map[string]string{
		driftRule(`"metric": "age", "period": "24h", "min_samples": 200, "above": 0.15, "drift": {"statistic": "ks", "reference": {"from": "first", "samples": 5000}}`):                                              "age ks over 24h against the first 5000 above 0.15",
		driftRule(`"metrics": ["feature.*"], "categories": ["country"], "at_least": 3, "period": "24h", "false_alarms": "1 per 90d", "drift": {"statistic": "js", "reference": {"from": "trailing", "periods": 7}}`): "at least 3 of feature.*, country: js over 24h against the last 7 periods, false alarms 1 per 90d",
		driftRule(`"category": "label", "period": "168h", "offset": "96h", "time": "arrival", "above": 0.1, "drift": {"statistic": "tvd", "reference": {"from": "first"}}`):                                          "label tvd over 168h from 96h, by arrival, against the first 1000 above 0.1",
		driftRule(`"metric": "age", "period": "1h", "above": 0, "datapoints": {"breaching": 2, "of": 3}, "drift": {"statistic": "missing", "reference": {"from": "previous"}}`):                                      "age missing over 1h against the previous version's first 1000 above 0, 2 of 3 datapoints",
		`{"rules": [{"category": "country", "period": "24h", "false_alarms": "2 per 4w", "drift": {"statistic": "psi", "reference": {"from": "profile", "profile": "v7.json"}}}]` + profiled + `}`:                   "country psi over 24h against profile v7.json, false alarms 2 per 28d",
	} {
		p, err := policy.Decode([]byte(text))

		require.NoError(t, err, text)
		assert.Equal(t, words, p.Rules[0].String())
		encoded, err := json.Marshal(p)
		require.NoError(t, err)
		again, err := policy.Decode(encoded)
		require.NoError(t, err)
		assert.True(t, p.Equal(again), "%s", encoded)
	}
}

func TestADriftRulesFaultsAreNamed(t *testing.T) {
	const ks = `"drift": {"statistic": "ks", "reference": {"from": "first"}}`
	for text, fault := range map[string]string{
		driftRule(`"metric": "age", "above": 0.1, ` + ks):                                                                                                                     `rules[0].period: must be given, such as "24h", over which the distribution is taken`,
		driftRule(`"metric": "age", "period": "1h", ` + ks):                                                                                                                   `rules[0]: must have exactly one of above and false_alarms beside drift, got none`,
		driftRule(`"metric": "age", "period": "1h", "above": 1, "false_alarms": "1 per 9d", ` + ks):                                                                           `rules[0]: must have exactly one of above and false_alarms beside drift, got both`,
		driftRule(`"metric": "age", "category": "age", "period": "1h", "above": 1, ` + ks):                                                                                    `rules[0]: must have exactly one of metric, category, and metrics and categories beside drift, got metric and category`,
		driftRule(`"category": "age", "period": "1h", "above": 1, ` + ks):                                                                                                     `rules[0].drift.statistic: ks is of numbers alone; of categories take psi, js, tvd or missing`,
		driftRule(`"metric": "age", "period": "1h", "above": 1, "stat": "mean", ` + ks):                                                                                       `rules[0].stat: has no place beside drift, whose statistic is held against above or false_alarms`,
		driftRule(`"metric": "age", "period": "24h", "false_alarms": "1 per 24h", ` + ks):                                                                                     `rules[0].false_alarms: must be fewer than the periods of 24h, got 1 per 1d`,
		driftRule(`"metric": "age", "period": "24h", "false_alarms": "often", ` + ks):                                                                                         `rules[0].false_alarms: must be a rate such as "1 per 90d", got "often"` + "\nrules[0]: must have exactly one of above and false_alarms beside drift, got none",
		driftRule(`"metric": "age", "period": "1h", "above": -1, ` + ks):                                                                                                      `rules[0].above: must be 0 to 1e+100, got -1`,
		driftRule(`"metric": "age", "period": "1h", "above": 1, "at_least": 2, ` + ks):                                                                                        `rules[0].at_least: must be 1 to the 1 metrics and categories that the rule names, got 2`,
		driftRule(`"metrics": [], "period": "1h", "above": 1, ` + ks):                                                                                                         `rules[0].metrics: must be 1 to 64 with the categories, got 0`,
		driftRule(`"metric": "age", "period": "1h", "above": 1, "drift": {"statistic": "chi2", "reference": {"from": "first"}}`):                                              `rules[0].drift.statistic: must be ks, psi, js, tvd, wasserstein, missing, got "chi2"`,
		driftRule(`"metric": "age", "period": "1h", "above": 1, "drift": {"statistic": "ks", "reference": {}}`):                                                               `rules[0].drift.reference.from: must be first, previous, trailing or profile, is missing`,
		driftRule(`"metric": "age", "period": "1h", "above": 1, "drift": {"statistic": "ks", "reference": {"from": "first", "periods": 2}}`):                                  `rules[0].drift.reference.periods: has its place only beside from trailing`,
		driftRule(`"metric": "age", "period": "1h", "false_alarms": "1 per 90d", "drift": {"statistic": "wasserstein", "reference": {"from": "first"}}`):                      `rules[0].false_alarms: has no place beside statistic wasserstein, which takes above`,
		driftRule(`"metric": "age", "period": "1h", "above": 1, "drift": {"statistic": "ks", "reference": {"from": "profile", "profile": "v7.json"}}`):                        `rules[0].drift.reference.profile: "v7.json" is not in the policy's profiles; apply and backtest read it from a file beside the policy`,
		`{"rules": [{"metric": "height", "period": "1h", "above": 1, "drift": {"statistic": "ks", "reference": {"from": "profile", "profile": "v7.json"}}}]` + profiled + `}`: `rules[0].drift.reference.profile: v7.json has no metric "height"`,
		`{"rules": [{"metric": "age", "above": 1}]` + profiled + `}`:                                                                                                          `profiles.v7.json: is named by no rule`,
		`{"rules": [{"metric": "age", "above": 1, "category": "x"}]}`:                                                                                                         `rules[0].category: has its place only beside drift`,
	} {
		_, err := policy.Decode([]byte(text))
		assert.EqualError(t, err, fault, text)
	}
}

func TestAPatternIsAnythingBetweenItsParts(t *testing.T) {
	for pattern, names := range map[string]map[string]bool{
		"feature.*": {"feature.a": true, "feature.": true, "features": false},
		"*":         {"": true, "x": true},
		"a*b*c":     {"abc": true, "aXbYc": true, "acb": false, "ac": false},
		"ab*ba":     {"aba": false, "abba": true},
	} {
		rule := policy.Rule{Metrics: []string{pattern}, Drift: &policy.Drift{}}
		for name, want := range names {
			assert.Equal(t, want, rule.Watches(name, false), "%s of %q", pattern, name)
		}
	}
}

func TestTheRulesOfTheDesignFitTogether(t *testing.T) {
	p, err := policy.Decode([]byte(`{"rules": [
		{"name": "age", "metric": "age", "period": "24h", "min_samples": 200, "above": 0.15, "drift": {"statistic": "ks", "reference": {"from": "first", "samples": 5000}}},
		{"name": "inputs", "metrics": ["feature.*"], "categories": ["country"], "at_least": 3, "period": "24h", "false_alarms": "1 per 90d",
		 "drift": {"statistic": "js", "reference": {"from": "trailing", "periods": 7}}}]}`))

	require.NoError(t, err)
	assert.Equal(t, 24, p.Rules[1].LearningBins())
	assert.Equal(t, 256, p.Rules[0].LearningBins())
	assert.Empty(t, p.Warnings())
}

func TestWhatDoesNotFitIsRefusedWithWhatDoes(t *testing.T) {
	_, err := policy.Decode([]byte(driftRule(`"metrics": ["*"], "period": "24h", "above": 0.1, "drift": {"statistic": "js", "reference": {"from": "trailing", "periods": 60}}`)))

	assert.ErrorContains(t, err, "it watches 64 metrics, of which each takes")
	assert.ErrorContains(t, err, "of them fit, or fewer trailing periods")
}

func TestAPolicyTakesOfAProfileWhatItsRulesNeed(t *testing.T) {
	p := policy.Policy{Rules: []policy.Rule{{Metric: "age", Drift: &policy.Drift{Reference: policy.Reference{Profile: "p"}}}}}
	p = p.WithProfile("p", &drift.Profile{Metrics: map[string]*drift.ProfiledMetric{"age": {}, "height": {}}})

	assert.Equal(t, []string{"age"}, p.Profiles["p"].Names(false))
	assert.Equal(t, []string{"p"}, p.ProfilesNamed())
}

func TestTheDistributionsThatDriftRulesLookAtAreKept(t *testing.T) {
	rules := []policy.Rule{{Metrics: []string{"feature.*"}, Drift: &policy.Drift{}}}

	kept := policy.DistributionsFor(rules, nil)

	assert.True(t, kept.Compares("feature.age"))
	assert.False(t, kept.Has("feature.age"), "counts in bins do for a drift rule")
	assert.False(t, kept.Compares("accuracy"))
}

func TestARateThatCannotBeSimulatedIsRefused(t *testing.T) {
	rule := func(rest string) error {
		_, err := policy.Decode([]byte(`{"rules": [{"name": "inputs", "drift": {"statistic": "psi", "reference": {"from": "first"}}, ` + rest + `}]}`))
		return err
	}

	require.NoError(t, rule(`"metric": "age", "period": "1h", "false_alarms": "1 per 365d"`))
	require.NoError(t, rule(`"metrics": ["feature.*"], "period": "1h", "false_alarms": "1 per 365d"`), "how many there are is not known yet")
	require.NoError(t, rule(`"metrics": ["a", "b", "c", "d"], "at_least": 2, "period": "1m", "false_alarms": "1 per 365d"`))
	err := rule(`"metric": "age", "period": "1m", "false_alarms": "1 per 365d"`)
	require.ErrorContains(t, err, "rules[0].false_alarms: is a chance of 2e-06 for each metric in each period, rarer than the 5e-06 that can be simulated")
}
