package monitor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

func TestBaselines(t *testing.T) {
	m := newMachine(policyOf(t, `{"cooldown": "0s", "rules": [
		{"name": "own", "metric": "accuracy", "stat": "mean", "period": "1m", "below_baseline_by": "10%", "baseline": {"samples": 120}}]}`))
	feed := func(from time.Time, minutes int, version string, value float64) {
		for i := range minutes * 60 {
			at := from.Add(time.Duration(i) * time.Second)
			tickUntil(m, at)
			m.Observe(at, reading(at, version, metric.Accuracy, value))
		}
		tickUntil(m, from.Add(time.Duration(minutes)*time.Minute+10*time.Second))
	}
	feed(noon, 2, "v1", 0.8)
	assert.Empty(t, kinds(m), "unknown until full")
	assert.InDelta(t, 0.8, m.Status(noon).Versions["v1"].Rules[0].Baseline.Or(0), 1e-9)
	feed(noon.Add(3*time.Minute), 1, "v1", 0.73)
	assert.Empty(t, kinds(m))
	feed(noon.Add(5*time.Minute), 1, "v1", 0.71)
	d := kindsOf(m.Status(noon).Decisions, policy.Triggered)
	require.Len(t, d, 1)
	assert.Equal(t, "accuracy mean 0.7100 below baseline 0.8000 by more than 10% over 1m", d[0].Reason)
	assert.InDelta(t, 0.72, d[0].Threshold.Or(0), 1e-9)

	t.Run("of the version before", func(t *testing.T) {
		m = newMachine(policyOf(t, `{"cooldown": "0s", "rules": [
			{"name": "worse", "metric": "accuracy", "stat": "mean", "period": "1m", "below_baseline_by": 0.05, "baseline": {"samples": 60, "from": "previous"}}]}`))
		feed(noon, 2, "v1", 0.8)
		feed(noon.Add(3*time.Minute), 1, "v2", 0.7)
		d := kindsOf(m.Status(noon).Decisions, policy.Triggered)
		require.Len(t, d, 1)
		assert.Equal(t, "v2", d[0].ModelVersion)
	})
	t.Run("not of one that was given up before its baseline was full", func(t *testing.T) {
		m = newMachine(policyOf(t, `{"cooldown": "0s", "rules": [
			{"name": "worse", "metric": "accuracy", "stat": "mean", "period": "1m", "below_baseline_by": 0.05, "baseline": {"samples": 60, "from": "previous"}}]}`))
		feed(noon, 2, "v1", 0.8)
		at := noon.Add(150 * time.Second)
		m.Observe(at, reading(at, "canary", metric.Accuracy, 0.8))
		feed(noon.Add(3*time.Minute), 1, "v2", 0.7)
		require.Len(t, kindsOf(m.Status(noon).Decisions, policy.Triggered), 1)
	})
	t.Run("of one that began at the same instant, as with what has piled up", func(t *testing.T) {
		m = newMachine(policyOf(t, `{"cooldown": "0s", "rules": [
			{"name": "worse", "metric": "accuracy", "stat": "mean", "period": "1m", "below_baseline_by": 0.05, "baseline": {"samples": 1, "from": "previous"}}]}`))
		m.Observe(noon, reading(noon, "z", metric.Accuracy, 0.8))
		m.Observe(noon, reading(noon, "b", metric.Accuracy, 0.7))
		tickUntil(m, noon.Add(2*time.Minute))
		d := kindsOf(m.Status(noon).Decisions, policy.Triggered)
		require.Len(t, d, 1)
		assert.Equal(t, "b", d[0].ModelVersion)
	})
}
