package monitor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// richPolicies use all of the language between them.
var richPolicies = []string{
	`{"cooldown": "30s", "max_failures": 2, "verify": {"within": "1m", "min_samples": 3}, "rules": [
		{"name": "slow", "metric": "latency_ms", "stat": "p90", "above": 250, "clear_above": 200, "period": "5s", "datapoints": {"breaching": 2, "of": 3}, "min_samples": 2},
		{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "10s", "below_baseline_by": "3%", "baseline": {"samples": 8}, "condition": true},
		{"name": "shift", "metric": "drift_score", "stat": "max", "period": "5s", "change": {"direction": "up", "hold": "1m"}, "condition": true},
		{"name": "decayed by shift", "any_of": ["decay", "shift"]},
		{"name": "instant", "metric": "accuracy", "below": 0.3},
		{"name": "stale", "max_age": "5m"},
		{"name": "silent", "silent_for": "20s", "severity": "warning"}]}`,
	`{"cooldown": "10s", "approval": {"required": true, "timeout": "20s", "on_timeout": "approve"}, "superseded": "trigger", "rules": [
		{"name": "quiet", "metric": "accuracy", "stat": "count", "below": 2, "period": "5s"},
		{"name": "worse", "metric": "accuracy", "stat": "mean", "period": "5s", "time": "arrival", "below_baseline_by": 0.05, "baseline": {"samples": 5, "from": "previous"}},
		{"name": "gone", "metric": "drift_score", "stat": "min", "below": 0, "period": "5s", "missing": "breaching", "datapoints": {"breaching": 3, "of": 4}},
		{"name": "fine", "not": "worse", "condition": true},
		{"name": "both", "all_of": ["fine", "quiet"], "severity": "warning"}]}`,
	`{"cooldown": "20s", "blackout": [{"from": "12:01", "to": "12:02"}, {"from": "12:04", "to": "12:05"}], "rules": [
		{"name": "low", "metric": "accuracy", "below": 0.5},
		{"name": "mean", "metric": "accuracy", "stat": "mean", "below": 0.7, "period": "15s", "missing": "ok"}]}`,
	`{"cooldown": "20s", "dry_run": true, "rules": [{"name": "low", "metric": "accuracy", "below": 0.5}, {"name": "stale", "max_age": "1m"}]}`,
}

func TestAChangeIsHeldForAWhile(t *testing.T) {
	m := newMachine(policyOf(t, `{"cooldown": "1h", "rules": [
		{"name": "shift", "metric": "drift_score", "stat": "mean", "period": "1m", "severity": "warning",
			"change": {"delta": 0.002, "direction": "up", "hold": "30m"}}]}`))
	drift := func(from, minutes int, value float64) {
		for i := range minutes {
			at := noon.Add(time.Duration(from+i) * time.Minute)
			e := reading(at, "v1", "", 0)
			e.Metrics, e.DriftScore = nil, metric.Some(value+0.01*float64(i%3))
			tickUntil(m, at)
			m.Observe(at, e)
		}
		tickUntil(m, noon.Add(time.Duration(from+minutes)*time.Minute+10*time.Second))
	}
	drift(0, 60, 0.9)
	drift(60, 60, 0.1) // a fall does not count
	assert.Empty(t, kindsOf(m.Status(noon).Decisions, policy.Warned))
	drift(120, 60, 0.9)
	warned := kindsOf(m.Status(noon).Decisions, policy.Warned)
	require.NotEmpty(t, warned)
	assert.Regexp(t, `^drift mean rose from 0\.\d+ to 0\.\d+, by adwin$`, warned[0].Reason)
	detected := warned[0].At
	assert.Less(t, detected.Sub(noon.Add(2*time.Hour)), time.Hour)
	rules := m.Status(detected.Add(29 * time.Minute)).Versions["v1"].Rules
	assert.Equal(t, monitor.Breaching, rules[0].Verdict)
	rules = m.Status(detected.Add(30 * time.Minute)).Versions["v1"].Rules
	assert.Equal(t, monitor.Healthy, rules[0].Verdict)
}
