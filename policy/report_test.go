package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/policy"
)

func TestTheIntervalOfReportsIsThePolicysOrFollowsFromItsRules(t *testing.T) {
	for wire, want := range map[string]time.Duration{
		`{}`:                      time.Minute,
		`{"report_every": "24h"}`: 24 * time.Hour,
		`{"report_every": "1s"}`:  time.Second,
		`{"report_every": "1h", "rules": [{"name": "h", "metric": "accuracy", "stat": "mean", "period": "1m", "below": 0.9}]}`:   time.Hour,
		`{"rules": [{"name": "a", "silent_for": "10m"}, {"name": "b", "silent_for": "90s"}, {"name": "c", "silent_for": "1h"}]}`: 45 * time.Second,
		`{"rules": [{"name": "a", "silent_for": "10m"}]}`:                                                                        time.Minute,
		`{"rules": [{"name": "a", "silent_for": "1s"}]}`:                                                                         500 * time.Millisecond,
		`{"report_every": "9m", "rules": [{"name": "a", "silent_for": "10m"}]}`:                                                  9 * time.Minute,
	} {
		p, err := policy.Decode([]byte(wire))
		require.NoError(t, err, wire)
		assert.Equal(t, want, p.ReportInterval(), wire)

		spelled := p.WithDefaults()
		require.NoError(t, spelled.Validate(), "what is left out contradicts nothing")
		assert.Equal(t, p.ReportEvery, spelled.ReportEvery, "what is left out stays left out, and follows the rules")
	}
}

func TestWhatIsSaidOfReportsIsValidated(t *testing.T) {
	for wire, want := range map[string]string{
		`{"report_every": "999ms"}`:         "report_every: must be 1s to 24h, got 999ms",
		`{"report_every": "24h1s"}`:         "report_every: must be 1s to 24h, got 24h0m1s",
		`{"report_every": 60}`:              `report_every: must be a duration such as "90s"`,
		`{"keep_distributions": ["[a-"]}`:   `keep_distributions[0]: must be a metric's name or a pattern such as "feature.*"`,
		`{"keep_distributions": ["a", ""]}`: "keep_distributions[1]: must be 1 to 100 bytes",
		`{"report_every": "10m", "rules": [{"metric": "auc", "below": 1}, {"name": "a", "silent_for": "10m"}, {"name": "b", "silent_for": "20m"}]}`: "report_every: must be shorter than the 10m of rules[1].silent_for, or a healthy model is taken for a silent one, got 10m",
	} {
		_, err := policy.Decode([]byte(wire))
		assert.ErrorContains(t, err, want, wire)
	}
}

func TestTheDistributionsThatAreWantedAreThoseOfPercentilesAndThoseThatAreListed(t *testing.T) {
	p, err := policy.Decode([]byte(`{"keep_distributions": ["feature.*", "auc"], "rules": [
		{"metric": "accuracy", "below": 0.9}, {"name": "m", "metric": "age", "stat": "mean", "period": "1h", "above": 9},
		{"name": "p", "metric": "latency_ms", "stat": "p99", "period": "1h", "above": 9}]}`))
	require.NoError(t, err)
	wanted := policy.DistributionsFor(p.Rules, p.KeepDistributions)
	for name, want := range map[string]bool{"latency_ms": true, "auc": true, "feature.a": true, "accuracy": false, "age": false, "feature": false} {
		assert.Equal(t, want, wanted.Has(name), name)
	}
}
