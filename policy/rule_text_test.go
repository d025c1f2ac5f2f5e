package policy_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

func TestAValueThatEqualsItsThresholdIsHealthy(t *testing.T) {
	readings := &metric.Summary{Count: 3, Min: 0.5, Max: 0.9}
	for name, test := range map[string]struct {
		rule            policy.Rule
		least, greatest bool // whether these breach
	}{
		"below the least reading":    {policy.Below("m", 0.4), false, false},
		"below, and equal to it":     {policy.Below("m", 0.5), false, false},
		"below, and just above it":   {policy.Below("m", math.Nextafter(0.5, 1)), true, false},
		"below, and above all":       {policy.Below("m", 1), true, true},
		"above the greatest reading": {policy.Above("m", 1), false, false},
		"above, and equal to it":     {policy.Above("m", 0.9), false, false},
		"above, and just below it":   {policy.Above("m", math.Nextafter(0.9, 0)), false, true},
		"above, and below all":       {policy.Above("m", 0.4), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			value, threshold := test.rule.Extreme(readings)
			assert.Equal(t, test.least, test.rule.IsBeyond(readings.Min, threshold))
			assert.Equal(t, test.greatest, test.rule.IsBeyond(readings.Max, threshold))
			assert.Equal(t, test.least || test.greatest, test.rule.IsBeyond(value, threshold), "some reading breaches if the extreme does")
		})
	}
}

func TestRulesInWords(t *testing.T) {
	for wire, words := range map[string]string{
		`{"metric": "accuracy", "below": 0.9}`: "accuracy below 0.9",
		`{"metric": "latency_ms", "stat": "p99", "above": 250, "clear_above": 200, "period": "5m", "datapoints": {"breaching": 3, "of": 5}}`:                     "latency_ms p99 over 5m above 250, clears at 200, 3 of 5 datapoints",
		`{"metric": "accuracy", "stat": "mean", "period": "1h", "time": "arrival", "below_baseline_by": "3%", "baseline": {"samples": 5000}, "condition": true}`: "accuracy mean over 1h, by arrival, 3% below its first 5000 (condition)",
		`{"metric": "drift_score", "stat": "mean", "period": "1h", "change": {"direction": "up"}}`:                                                               "drift_score mean over 1h rises, by adwin, held for 24h",
		`{"metric": "accuracy", "stat": "mean", "below": 0.9, "period": "168h", "offset": "96h", "time": "arrival"}`:                                             "accuracy mean over 168h from 96h, by arrival, below 0.9",
		`{"metric": "m", "stat": "mean", "period": "1h", "below_baseline_by": 1, "baseline": {"period": "720h"}}`:                                                "m mean over 1h 1 below its first 720h",
		`{"metric": "m", "stat": "mean", "period": "1h", "below_baseline_by": 1, "baseline": {"period": "720h", "samples": 50, "from": "previous"}}`:             "m mean over 1h 1 below the previous version's first 720h of at least 50",
		`{"metric": "m", "stat": "count", "period": "1h", "below_baseline_by": "50%", "baseline": {"from": "trailing", "periods": 24}}`:                          "m count over 1h 50% below the mean of its last 24 periods",
		`{"metric": "m", "stat": "mean", "period": "1h", "above_baseline_by": 1, "baseline": {"from": "trailing", "periods": 4, "season": "168h"}}`:              "m mean over 1h 1 above the mean of the same period in the last 4 seasons of 168h",
		`{"metric": "m", "stat": "mean", "period": "1h", "above_baseline_by": 1, "baseline": {"from": "replaced"}}`:                                              "m mean over 1h 1 above the last 1000 of the version it replaced",
		`{"metric": "m", "stat": "mean", "period": "1h", "change": {"detector": "cusum", "direction": "down", "hold": "1h"}}`:                                    "m mean over 1h falls, by cusum, held for 1h",
		`{"name": "labels", "metric": "accuracy", "new_readings": 50000}`:                                                                                        "50000 new readings of accuracy since the last success",
		`{"name": "some", "at_least": 1, "of": ["other"], "condition": true}`:                                                                                    "at least 1 of other (condition)",
		`{"max_age": "720h", "name": "stale"}`:                           "not retrained for 720h",
		`{"silent_for": "30m", "severity": "warning", "name": "silent"}`: "no event for 30m (warning)",
	} {
		decoded, err := policy.Decode([]byte(`{"rules": [` + wire + `, {"name": "other", "metric": "b", "below": 1}]}`))
		require.NoError(t, err)
		assert.Equal(t, words, decoded.Rules[0].String())
	}
}
