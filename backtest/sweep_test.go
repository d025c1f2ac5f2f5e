package backtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

func TestParseSweep(t *testing.T) {
	for text, want := range map[string][]string{
		"latency.above=150:170:10":           {"150", "160", "170"},
		"latency.above=150:165:10":           {"150", "160"},
		"accuracy.below=0.9:0.7:-0.1":        {"0.9", "0.8", "0.7"},
		"drift.above=0.1:0.3:0.1":            {"0.1", "0.2", "0.3"},
		"cooldown=30m:1h30m:30m":             {"30m", "1h", "1h30m"},
		"cooldown=30m, 1h,2h":                {"30m", "1h", "2h"},
		"a.below_baseline_by=1%:3%:1%":       {"1%", "2%", "3%"},
		"superseded=suppress,trigger":        {"suppress", "trigger"},
		"latency.datapoints.breaching=2:2:1": {"2"},
	} {
		sweep, err := backtest.ParseSweep(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, sweep.Values, text)
	}
	for text, want := range map[string]string{
		"latency.above":              "must be PARAMETER=VALUE",
		"=1,2":                       "must be PARAMETER=VALUE",
		"cooldown=":                  "must be PARAMETER=VALUE",
		"latency.above=1:2":          "FROM:TO:STEP",
		"latency.above=1:2:0":        "STEP must lead from FROM to TO",
		"latency.above=2:1:1":        "STEP must lead from FROM to TO",
		"latency.above=1:2:1m":       "of one kind",
		"latency.above=a:2:1":        "must be a number",
		"latency.above=1:1000000:1":  "at most 1000 values, got 1000000",
		"latency.above=1:1e300:1e-9": "at most 1000 values",
	} {
		_, err := backtest.ParseSweep(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestASweepSetsAnyField(t *testing.T) {
	wanted := policy.Policy{}.With(policy.Rule{
		Name: "auc.mean", Metric: "auc", Stat: policy.StatMean, Period: metric.Some(policy.Duration(time.Hour)), Below: metric.Some(0.7),
	})
	for parameter, c := range map[string]struct {
		value string
		got   func(policy.Policy) any
		want  any
	}{
		"latency.above":                 {"250", func(p policy.Policy) any { return p.Rules[1].Above.Or(0) }, 250.0},
		"auc.mean.below":                {".8", func(p policy.Policy) any { return p.Rules[3].Below.Or(0) }, 0.8},
		"auc.mean.period":               {"2h", func(p policy.Policy) any { return p.Rules[3].PeriodLength() }, 2 * time.Hour},
		"auc.mean.datapoints.breaching": {"3", func(p policy.Policy) any { return p.Rules[3].Datapoints.Breaching }, 3},
		"cooldown":                      {"2h", func(p policy.Policy) any { return time.Duration(p.Cooldown.Or(0)) }, 2 * time.Hour},
		"retraining.timeout":            {"3h", func(p policy.Policy) any { return time.Duration(p.Retraining.Timeout.Or(0)) }, 3 * time.Hour},
		"dry_run":                       {"true", func(p policy.Policy) any { return p.DryRun }, true},
		"max_failures":                  {"+4", func(p policy.Policy) any { return p.MaxFailures }, 4},
	} {
		changed, err := backtest.Sweep{Parameter: parameter}.Apply(wanted, c.value)
		require.NoError(t, err, parameter)
		assert.Equal(t, c.want, c.got(changed), parameter)
	}
	for parameter, want := range map[string]string{
		"latncy.above": `latncy.above=1: latncy: unknown field`, "latency.abve": "rules[1].abve: unknown field",
		"cooldown": "cooldown: must be a duration", "accuracy.above": "rules[0]",
	} {
		_, err := backtest.Sweep{Parameter: parameter}.Apply(wanted, "1")
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "the rules are accuracy, latency, drift, auc.mean")
	}
}

func TestASweepIsARunForEachValue(t *testing.T) {
	var events []metric.Event
	for i := range 300 {
		events = append(events, event(at(float64(i)), 0.95, float64(i)))
	}
	recorded := recording.Of(events...)
	policies := []backtest.Policy{{Label: "a"}, {Label: "b", Policy: policy.Policy{}.WithCooldown(0)}}
	sweep, err := backtest.ParseSweep("latency.above=100:250:50")
	require.NoError(t, err)
	results, err := backtest.RunSweep(t.Context(), recorded, policies, backtest.Grid{sweep}, backtest.Options{Drifts: []backtest.Drift{{At: at(100)}}})
	require.NoError(t, err)
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprintf("%s %s %d %d %v", r.Policy, r.Value, r.Breaches, r.Retrainings.Requested, time.Duration(r.Detection.MeanDelay)))
	}
	assert.Equal(t, []string{
		"a 100 199 4 1m0s", "a 150 149 3 51m0s", "a 200 99 2 1h41m0s", "a 250 49 1 2h31m0s",
		"b 100 199 199 1m0s", "b 150 149 149 51m0s", "b 200 99 99 1h41m0s", "b 250 49 49 2h31m0s",
	}, got)
	_, err = backtest.RunSweep(t.Context(), recorded, policies, backtest.Grid{{Parameter: "x.above", Values: []string{"1"}}}, backtest.Options{})
	assert.ErrorContains(t, err, "x: unknown field")
}
