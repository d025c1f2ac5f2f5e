package backtest_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// driftStream are events, one a minute from midnight on, of a model whose readings are
// drawn by the number of the day.
func driftStream(days int, draw func(day int, random *rand.Rand) (float64, string)) []metric.Event {
	random := rand.New(rand.NewPCG(5, 6))
	var events []metric.Event
	for i := range days * 24 * 60 {
		value, category := draw(i/(24*60), random)
		events = append(events, metric.Event{
			Timestamp: time.Date(2026, 3, 1, 0, i, 0, 0, time.UTC), ModelName: "m", ModelVersion: "v1",
			Metrics: map[string]float64{"age": value}, Categories: map[string]string{"country": category},
		})
	}
	return events
}

func decisionsOf(t *testing.T, rule string, events []metric.Event) []string {
	t.Helper()
	p, err := policy.Decode([]byte(`{"rules": [` + rule + `]` + `}`))
	require.NoError(t, err)
	simulator := backtest.NewSimulator("m", p, backtest.Options{})
	for i := range events {
		simulator.Observe(&events[i], time.Time{})
	}
	result := simulator.Finish()
	var reasons []string
	for _, d := range result.Decisions {
		if d.Reason != "" && d.Kind == policy.Triggered {
			reasons = append(reasons, fmt.Sprintf("%s: %s", d.At.Format(time.DateOnly), d.Reason))
		}
	}
	return reasons
}

// A discrete metric has a bin for each value, wherever edges are: its statistic is what
// its formula makes of how often each value came.
func TestABacktestsStatisticIsWhatTheFormulaMakesOfTheReadings(t *testing.T) {
	const first = 3000
	events := driftStream(5, func(day int, random *rand.Rand) (float64, string) {
		value := float64(random.IntN(5) * 10)
		if day == 4 {
			value = float64(random.IntN(4) * 10)
		}
		return value, "DE"
	})
	share := func(from, until int) (shares [5]float64) {
		for _, event := range events[from:until] {
			shares[int(event.Metrics["age"])/10] += 1 / float64(until-from)
		}
		return shares
	}
	reference, period := share(0, first), share(4*24*60, 5*24*60)
	ks, f, g := 0.0, 0.0, 0.0
	for i := range reference {
		f += reference[i]
		g += period[i]
		ks = math.Max(ks, math.Abs(f-g))
	}

	reasons := decisionsOf(t, `{"name": "age", "metric": "age", "period": "24h", "above": 0.15, "drift": {"statistic": "ks", "reference": {"from": "first", "samples": 3000}}}`, events)

	assert.Equal(t, []string{fmt.Sprintf("2026-03-06: age ks %.4f above threshold 0.1500 over 24h against the first 3000", ks)}, reasons)
}

func TestATrailingReferenceIsTheLastJudgedPeriods(t *testing.T) {
	events := driftStream(6, func(day int, _ *rand.Rand) (float64, string) {
		return 1, []string{"DE", "DE", "DE", "FR", "FR", "FR"}[day]
	})

	reasons := decisionsOf(t, `{"category": "country", "period": "24h", "above": 0.7, "drift": {"statistic": "tvd", "reference": {"from": "trailing", "periods": 2}}}`, events)

	assert.Equal(t, []string{"2026-03-05: country tvd 1.0000 above threshold 0.7000 over 24h against the last 2 periods"}, reasons,
		"the day before is half of the reference then")
}

func TestAtLeastSoManyMustBeBeyondTheirBounds(t *testing.T) {
	events := driftStream(4, func(day int, random *rand.Rand) (float64, string) {
		if day == 3 {
			return 100 + random.Float64(), []string{"DE", "XX"}[random.IntN(2)]
		}
		return random.Float64(), "DE"
	})
	rule := func(least int) string {
		return fmt.Sprintf(`{"name": "inputs", "metrics": ["*"], "categories": ["country"], "at_least": %d, "period": "24h", "above": 0.5, "drift": {"statistic": "js", "reference": {"from": "first", "samples": 1000}}}`, least)
	}

	assert.Equal(t, []string{"2026-03-05: age js 1.0000 above threshold 0.5000 over 24h against the first 1000; also country"}, decisionsOf(t, rule(2), events))
	assert.Empty(t, decisionsOf(t, rule(3), events), "there are two")
}

func TestNothingIsSaidOfWhatHasNotChanged(t *testing.T) {
	events := driftStream(12, func(_ int, random *rand.Rand) (float64, string) { return random.NormFloat64(), "DE" })

	assert.Empty(t, decisionsOf(t, `{"name": "age", "metric": "age", "period": "24h", "false_alarms": "1 per 365d", "drift": {"statistic": "psi", "reference": {"from": "first", "samples": 5000}}}`, events))
}

func TestAFeatureThatVanishedIsSeenByItsMissingReadings(t *testing.T) {
	events := driftStream(4, func(int, *rand.Rand) (float64, string) { return 1, "DE" })
	for i := range events {
		if i >= 3*24*60 && i%2 == 0 {
			events[i].Metrics = nil
		}
	}

	assert.Equal(t, []string{"2026-03-05: age missing 0.5000 above threshold 0.1000 over 24h against the first 1000"},
		decisionsOf(t, `{"name": "age", "metric": "age", "period": "24h", "above": 0.1, "drift": {"statistic": "missing", "reference": {"from": "first"}}}`, events))
}

// BenchmarkDriftOverFortyFeatures replays a recording in memory, of events of forty
// readings each, by one rule.
func BenchmarkDriftOverFortyFeatures(b *testing.B) {
	p, err := policy.Decode([]byte(`{"rules": [{"name": "inputs", "metrics": ["feature.*"], "period": "1h", "above": 10,
		"drift": {"statistic": "psi", "reference": {"from": "first", "samples": 1000}}}]}`))
	require.NoError(b, err)
	const events = 50_000
	random := rand.New(rand.NewPCG(1, 2))
	var recorder recording.Recorder
	event := metric.Event{ModelName: "m", ModelVersion: "v1", Metrics: map[string]float64{}}
	for i := range events {
		event.Timestamp = time.Date(2026, 3, 1, 0, 0, i, 0, time.UTC)
		for f := range 40 {
			event.Metrics[fmt.Sprintf("feature.%d", f)] = random.NormFloat64()
		}
		recorder.Add(&event)
	}
	recorded := recorder.Recording()

	b.ReportAllocs()
	for b.Loop() {
		_, err := backtest.Run(b.Context(), recorded, []backtest.Policy{{Label: "inputs", Policy: p}}, backtest.Options{})
		require.NoError(b, err)
	}
	b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}
