package backtest_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

func decoded(t *testing.T, text string) policy.Policy {
	t.Helper()
	wanted, err := policy.Decode([]byte(text))
	require.NoError(t, err)
	return wanted
}

// measured are readings of latency, one a minute from noon on; below 0 none was taken.
func measured(latencies ...float64) (events []metric.Event) {
	for i, latency := range latencies {
		e := metric.Event{Timestamp: at(float64(i)), ModelName: "fraud", ModelVersion: "v1"}
		if latency >= 0 {
			e.LatencyMS = metric.Some(latency)
		}
		events = append(events, e)
	}
	return events
}

func TestEachRuleAccountsForWhatItHasJudgedAndWhatNot(t *testing.T) {
	for name, c := range map[string]struct {
		rule    string
		options backtest.Options
		events  []metric.Event
		want    backtest.Account
	}{
		"a rule without a period judges each event that measures its metric": {
			rule: `{"metric": "latency_ms", "above": 200}`, events: measured(100, -1, 300, 200),
			want: backtest.Account{Judged: 3, Breaching: 1, Min: metric.Some(100.0), Max: metric.Some(300.0)},
		},
		"a rule that nothing measures judges nothing": {
			rule: `{"metric": "latencyMs", "above": 200}`, events: measured(100), want: backtest.Account{},
		},
		"a rule with a period judges datapoints": {
			rule: `{"metric": "latency_ms", "stat": "mean", "period": "2m", "above": 200}`, events: measured(100, 200, 300, 300, 10),
			want: backtest.Account{Judged: 3, Breaching: 1, Min: metric.Some(10.0), Max: metric.Some(300.0)},
		},
		"periods with few readings are counted apart from those without": {
			rule:   `{"metric": "latency_ms", "stat": "mean", "period": "2m", "above": 200, "min_samples": 2, "missing": "ok"}`,
			events: measured(100, 200, 300, -1, -1, -1, 300, 300), want: backtest.Account{Judged: 2, Breaching: 1, TooFew: 1, Missing: 1, Min: metric.Some(150.0), Max: metric.Some(300.0)},
		},
		"silence that breaches is judged, too": {
			rule:   `{"metric": "latency_ms", "stat": "mean", "period": "1m", "above": 200, "missing": "breaching"}`,
			events: measured(100, -1, 100), want: backtest.Account{Judged: 3, Breaching: 1, Missing: 1, Min: metric.Some(100.0), Max: metric.Some(100.0)},
		},
		"readings that arrive when their period is judged are late": {
			rule:   `{"metric": "latency_ms", "stat": "mean", "period": "1m", "above": 200}`,
			events: measured(100, 100, 100), options: backtest.Options{ArrivalDelay: time.Hour}, want: backtest.Account{Late: 3},
		},
		"a baseline that is not full": {
			rule:   `{"metric": "latency_ms", "stat": "mean", "period": "1m", "above_baseline_by": "10%", "baseline": {"samples": 10}}`,
			events: measured(100, 100, 100), want: backtest.Account{Unknown: 3, Lacks: "the baseline has 3 of 10 readings"},
		},
		"one that is filled on the way": {
			rule:   `{"metric": "latency_ms", "stat": "mean", "period": "1m", "above_baseline_by": "10%", "baseline": {"samples": 3}}`,
			events: measured(100, 100, 200), want: backtest.Account{Judged: 2, Breaching: 1, Unknown: 1, Min: metric.Some(100.0), Max: metric.Some(200.0)},
		},
		"a detector of change with too few datapoints": {
			rule:   `{"metric": "latency_ms", "stat": "mean", "period": "1m", "change": {}}`,
			events: measured(1, 1, 1), want: backtest.Account{Judged: 3, Min: metric.Some(1.0), Max: metric.Some(1.0), Lacks: "adwin has 3 of the 11 datapoints that it needs at least"},
		},
		"three of five periods, of which there are two": {
			rule:   `{"metric": "latency_ms", "stat": "mean", "period": "1m", "above": 50, "datapoints": {"breaching": 3, "of": 5}}`,
			events: measured(100, 10), want: backtest.Account{Judged: 2, Breaching: 1, Min: metric.Some(10.0), Max: metric.Some(100.0), Lacks: "it has 2 of the 3 datapoints that must breach"},
		},
		"a percentile that moves among what was merged before is not known, rather than wrong": {
			rule:   `{"metric": "latency_ms", "stat": "p50", "period": "168h", "above": 40}`,
			events: measured(append(growing(1.05, 500), slices.Repeat([]float64{0.5}, 400)...)...), want: backtest.Account{Unknown: 1},
		},
		"an age is shown each event": {rule: `{"max_age": "1m"}`, events: measured(1, 1, 1), want: backtest.Account{Judged: 3, Breaching: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			wanted := decoded(t, `{"cooldown": "1h", "rules": [`+c.rule[:1]+`"name": "r", `+c.rule[1:]+`]}`)
			c.want.Name = "r"
			assert.Equal(t, []backtest.Account{c.want}, replay(t, wanted, c.options, c.events...).Rules)
		})
	}
}

// growing are n readings, each so many times the one before.
func growing(factor float64, n int) (readings []float64) {
	for i := range n {
		readings = append(readings, math.Pow(factor, float64(i)))
	}
	return readings
}

func TestDatapointsAreKeptWhereTheyAreAskedFor(t *testing.T) {
	wanted := decoded(t, `{"rules": [{"name": "r", "metric": "latency_ms", "stat": "mean", "period": "2m", "above": 200}, {"metric": "latency_ms", "above": 5}]}`)
	events := measured(100, 200, 300, 400)
	assert.Empty(t, replay(t, wanted, backtest.Options{}, events...).Datapoints)
	points := replay(t, wanted, backtest.Options{Datapoints: true}, events...).Datapoints
	require.Len(t, points, 2, "of rules with a period alone")
	assert.Equal(t, backtest.Datapoint{
		ModelVersion: "v1", Start: at(2), End: at(4), Readings: 2, Value: metric.Some(350.0), Threshold: metric.Some(200.0), Breach: true, Verdict: "breaching",
	}, points[1])
}
