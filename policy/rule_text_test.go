package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/policy"
)

func TestRulesInWords(t *testing.T) {
	for wire, words := range map[string]string{
		`{"metric": "accuracy", "below": 0.9}`: "accuracy below 0.9",
		`{"metric": "latency_ms", "stat": "p99", "above": 250, "clear_above": 200, "period": "5m", "datapoints": {"breaching": 3, "of": 5}}`:                     "latency_ms p99 over 5m above 250, clears at 200, 3 of 5 datapoints",
		`{"metric": "accuracy", "stat": "mean", "period": "1h", "time": "arrival", "below_baseline_by": "3%", "baseline": {"samples": 5000}, "condition": true}`: "accuracy mean over 1h, by arrival, 3% below its first 5000 (condition)",
		`{"metric": "drift_score", "stat": "mean", "period": "1h", "change": {"direction": "up"}}`:                                                               "drift_score mean over 1h rises, by adwin, held for 24h",
		`{"metric": "accuracy", "stat": "mean", "below": 0.9, "period": "168h", "offset": "96h", "zone": "Europe/Berlin", "time": "arrival"}`:                    "accuracy mean over 168h from 96h in Europe/Berlin, by arrival, below 0.9",
		`{"name": "some", "at_least": 1, "of": ["other"], "condition": true}`:                                                                                    "at least 1 of other (condition)",
		`{"max_age": "720h", "name": "stale"}`:                           "not retrained for 720h",
		`{"silent_for": "30m", "severity": "warning", "name": "silent"}`: "no event for 30m (warning)",
	} {
		decoded, err := policy.Decode([]byte(`{"rules": [` + wire + `, {"name": "other", "metric": "b", "below": 1}]}`))
		require.NoError(t, err)
		assert.Equal(t, words, decoded.Rules[0].String())
	}
}
