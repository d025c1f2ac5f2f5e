package certify_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/internal/patience"
)

func TestMain(m *testing.M) { patience.Main(m) }

const day = 24 * time.Hour

func certified(t *testing.T, model *certify.Model, wanted string, options certify.Options, changes ...string) *certify.Certificate {
	t.Helper()
	if options.Per == 0 {
		options.Per = 90 * day
	}
	if options.Samples == 0 {
		options.Samples = 100
	}
	for _, text := range changes {
		change, err := certify.ParseChange(text)
		require.NoError(t, err)
		options.Changes = append(options.Changes, change)
	}
	certificate, err := certify.Run(t.Context(), model, backtest.Policy{Label: "p", Policy: decoded(t, wanted)}, options)
	require.NoError(t, err)
	return certificate
}

func TestARuleWithoutMemoryIsExactlyChance(t *testing.T) {
	t.Parallel()
	model := recorded(autoregressive(0), 4_000, 1)
	breaching := 0
	for i := range model.Events {
		if model.Events[i].Metrics["score"] < -2 {
			breaching++
		}
	}
	chance := float64(breaching) / 4_000 * 90 * 24

	for name, wanted := range map[string]string{
		"on each event":     `{"rules": [{"metric": "score", "below": -2}], "cooldown": "0s"}`,
		"on each datapoint": `{"rules": [{"metric": "score", "stat": "mean", "below": -2, "period": "1h"}], "cooldown": "0s"}`,
	} {
		rate := certified(t, model, wanted, certify.Options{}).FalseAlarms
		assert.InEpsilon(t, chance, rate.Mean, 0.05, name)
		assert.Less(t, rate.Low, chance, name)
		assert.Greater(t, rate.High, chance, name)
		assert.InEpsilon(t, 4*math.Sqrt(float64(breaching))/4_000*90*24, rate.High-rate.Low, 0.3, "%s: as wide as so many breaches say", name)
	}
}

func TestACertificateIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	model := recorded(autoregressive(0.5), 2_000, 2)
	wanted := `{"rules": [{"metric": "score", "stat": "mean", "below": -1, "period": "2h"}]}`
	first := certified(t, model, wanted, certify.Options{Seed: 7}, "score=-1sd")
	assert.Equal(t, first, certified(t, model, wanted, certify.Options{Seed: 7}, "score=-1sd"))
	assert.NotEqual(t, first.FalseAlarms, certified(t, model, wanted, certify.Options{Seed: 8}).FalseAlarms)
}

func TestChangesAreFoundLaterTheSmallerTheyAre(t *testing.T) {
	t.Parallel()
	model := recorded(autoregressive(0), 4_000, 3)
	wanted := `{"rules": [{"metric": "score", "stat": "mean", "below": -0.9, "period": "12h"}], "cooldown": "24h"}`
	c := certified(t, model, wanted, certify.Options{}, "score=-0.4", "score=-1", "score:-1sd over 7d", "score=+1")
	require.Len(t, c.Changes, 4)
	small, large, slow, other := c.Changes[0], c.Changes[1], c.Changes[2], c.Changes[3]
	assert.Greater(t, *small.DelayP50, *large.DelayP50)
	assert.InDelta(t, 1, large.Found, 0)
	assert.Less(t, *large.DelayP95, (60 * time.Hour).Seconds())
	assert.Greater(t, *slow.DelayP50, day.Seconds())
	assert.Less(t, other.Found, 0.1, "the rule looks the other way")
	assert.Equal(t, "score:-1sd over 7d", slow.Change)
}

func TestAChangeComesWhenRulesHaveLearntWhatTheyMeasureAgainst(t *testing.T) {
	t.Parallel()
	model := recorded(autoregressive(0), 6_000, 10)
	for _, detector := range []string{`{"detector": "adwin"}`, `{"detector": "cusum"}`, `{"detector": "cusum", "samples": 1000}`} {
		wanted := `{"rules": [{"metric": "score", "stat": "mean", "period": "1h", "change": ` + detector + `}]}`
		found := certified(t, model, wanted, certify.Options{Samples: 40}, "score=-1.5").Changes[0]
		assert.InDelta(t, 1, found.Found, 0, detector)
		assert.Less(t, *found.DelayP50, (3 * day).Seconds(), detector)
	}
}

func TestWhatStandsBesideThePolicy(t *testing.T) {
	t.Parallel()
	model := recorded(autoregressive(0), 3_000, 4)
	c := certified(t, model, `{"rules": [{"metric": "score", "stat": "mean", "below": -2, "period": "6h"}], "cooldown": "10h"}`, certify.Options{}, "score=-1")
	assert.InDelta(t, 90*2, c.Always.FalseAlarms.Mean, 1e-9, "a look every 6 hours, of which the cooldown allows every second")
	assert.InDelta(t, c.FalseAlarms.Mean, c.Calendar.FalseAlarms.Mean, 1e-9)
	assert.InDelta(t, 6*3600, *c.Always.Changes[0].DelayP50, 1e-6)
	assert.Nil(t, c.Default, "the recording has none of its metrics")
	assert.Equal(t, "90d", c.Per)
	assert.Empty(t, c.Unjudged)

	never := certified(t, model, `{"rules": [{"metric": "score", "below": -9}, {"metric": "auc", "below": 0.5}]}`, certify.Options{})
	assert.Zero(t, never.FalseAlarms.Mean)
	assert.InEpsilon(t, 3/(3_000./24/90), never.FalseAlarms.High, 0.01, "what 125 days can't rule out")
	assert.Equal(t, []string{"auc"}, never.Unjudged)
	assert.Zero(t, never.Calendar.FalseAlarms.Mean)
}

func TestBlocksKeepTheirTimeOfDayAndOfWeek(t *testing.T) {
	t.Parallel()
	policyOf := `{"rules": [{"metric": "score", "stat": "mean", "below": -0.9, "period": "1h"}], "cooldown": "0s"}`
	for _, c := range []struct {
		name   string
		makes  process
		hours  int
		season time.Duration
	}{
		{"a weekly course is kept", weekly, 4_000, 7 * day},
		{"without one, the day", autoregressive(0.9), 4_000, day},
		{"too few days have no time of day", autoregressive(0), 200, time.Hour},
	} {
		certificate := certified(t, recorded(c.makes, c.hours, 5), policyOf, certify.Options{})
		assert.Equal(t, c.season, time.Duration(certificate.Season), c.name)
		assert.Zero(t, time.Duration(certificate.Length)%c.season, c.name)
	}
}

func TestWhatFollowsADriftIsLeftOut(t *testing.T) {
	t.Parallel()
	model := recorded(autoregressive(0), 4_000, 6)
	for i := 2_000; i < 2_500; i++ {
		model.Events[i].Metrics["score"] -= 5
	}
	for i := 2_500; i < 4_000; i++ {
		model.Events[i].ModelVersion = "v2"
	}
	wanted := `{"rules": [{"metric": "score", "stat": "mean", "below": -2, "period": "12h"}]}`
	with := certified(t, model, wanted, certify.Options{})
	without := certified(t, model, wanted, certify.Options{Drifts: []backtest.Drift{{At: model.Events[2_000].Timestamp}}})
	assert.Greater(t, with.FalseAlarms.Mean, 10.)
	assert.Zero(t, without.FalseAlarms.Mean)
	assert.InDelta(t, 500, without.LeftOut, 24)

	for i := range model.Events {
		model.Events[i].ModelVersion = "v1"
	}
	ended := certified(t, model, wanted, certify.Options{Drifts: []backtest.Drift{{At: model.Events[2_000].Timestamp, Until: model.Events[2_499].Timestamp}}})
	assert.Equal(t, without.FalseAlarms, ended.FalseAlarms, "a drift that has an end is left out until then, whatever version is served")
	endless := certified(t, model, wanted, certify.Options{Drifts: []backtest.Drift{{At: model.Events[2_000].Timestamp}}})
	assert.InDelta(t, 2_000, endless.LeftOut, 24)
}

func TestABinaryMetricChangesByTurningReadings(t *testing.T) {
	t.Parallel()
	model := recorded(autoregressive(0), 3_000, 7)
	for i := range model.Events {
		hit := 0.0
		if model.Events[i].Metrics["score"] > -1 {
			hit = 1
		}
		model.Events[i].Metrics["score"] = hit
	}
	// A reading that is neither 0 nor 1 would breach here.
	c := certified(t, model, `{"rules": [{"metric": "score", "below": 0}, {"name": "high", "metric": "score", "above": 1}]}`, certify.Options{}, "score=-0.3", "score=+10%")
	assert.Zero(t, c.Changes[0].Found)
	assert.Zero(t, c.Changes[1].Found)
	c = certified(t, model, `{"rules": [{"metric": "score", "stat": "mean", "period": "24h", "below": 0.6}]}`, certify.Options{}, "score=-0.3")
	assert.Greater(t, c.Changes[0].Found, 0.9)
}

// What periods sum up is folded before it is resampled. A rule that never breaches, and
// judges each event, keeps that from being done.
func TestPeriodsThatAreFoldedAreDecidedAsTheirEvents(t *testing.T) {
	t.Parallel()
	model := recorded(autoregressive(0.5), 6_000, 9)
	random := rand.New(rand.NewPCG(9, 21))
	for i := range model.Events {
		model.Events[i].Timestamp = monday.Add(time.Duration(i)*11*time.Minute + time.Duration(random.Int64N(int64(10*time.Minute))))
		if i%7 == 0 {
			model.Events[i].Metrics["auc"] = random.Float64()
		}
		if i%900 < 40 { // and now and then nothing for hours
			delete(model.Events[i].Metrics, "score")
		}
	}
	for _, rules := range []string{
		`{"metric": "score", "stat": "mean", "below": -0.9, "period": "1h"}`,
		`{"metric": "score", "stat": "min", "below": -2, "period": "1h", "datapoints": {"breaching": 2, "of": 3}, "min_samples": 5}`,
		`{"metric": "auc", "stat": "max", "above": 0.95, "period": "2h", "grace": "10m"}, {"name": "few", "metric": "score", "stat": "count", "below": 5, "period": "2h"}`,
		`{"metric": "score", "stat": "mean", "period": "1h", "above_baseline_by": 1.2, "baseline": {"from": "trailing", "periods": 20}, "missing": "breaching"}`,
		`{"metric": "score", "stat": "mean", "change": {"detector": "cusum"}, "period": "1h"}`,
	} {
		options := certify.Options{Block: 30 * time.Hour}
		folded := certified(t, model, `{"rules": [`+rules+`]}`, options, "score=-1")
		one := certified(t, model, `{"rules": [`+rules+`, {"name": "never", "metric": "auc", "above": 9}]}`, options, "score=-1")
		assert.Equal(t, one.Record, folded.Record, rules)
		assert.Positive(t, folded.FalseAlarms.Mean, rules)
	}
}

func TestTheWireFormOfACertificate(t *testing.T) {
	t.Parallel()
	c := certified(t, recorded(autoregressive(0), 1_000, 8), `{"rules": [{"metric": "score", "below": -9}]}`, certify.Options{}, "score=-0.1")
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	var wire map[string]any
	require.NoError(t, json.Unmarshal(encoded, &wire))
	assert.Equal(t, "p", wire["policy"])
	assert.Equal(t, "90d", wire["per"])
	assert.Contains(t, wire["false_alarms"], "low")
	assert.Equal(t, []any{map[string]any{"change": "score=-0.1", "found": 0., "delay_p50": nil, "delay_p95": nil}}, wire["changes"])
	assert.Contains(t, wire, "always")
}

func TestChangesAndDurationsAreRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"accuracy=-0.03", "latency_ms=+20%", "input.age:+0.5sd", "a=b=-1", "accuracy=-0.05 over 7d", "x: 1 sd over 36h"} {
		change, err := certify.ParseChange(text)
		require.NoError(t, err, text)
		assert.Equal(t, text, change.Text)
	}
	for _, text := range []string{"", "accuracy", "accuracy=", "=1", "a=NaN", "a=1e200", "a=0", "a=1 over", "a=1 over 0d", "a=1 over soon", "a=1 px"} {
		_, err := certify.ParseChange(text)
		require.Error(t, err, text)
	}
	for text, want := range map[string]time.Duration{"90d": 90 * day, "1.5d": 36 * time.Hour, "36h": 36 * time.Hour} {
		got, err := certify.ParseDuration(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, text := range []string{"", "d", "NaNd", "1e9d", "90"} {
		_, err := certify.ParseDuration(text)
		require.Error(t, err, text)
	}
}

func TestWhatCannotBeResampledIsRefused(t *testing.T) {
	t.Parallel()
	for name, model := range map[string]*certify.Model{
		"nothing":      {Name: "m"},
		"a few events": recorded(autoregressive(0), 5, 1),
		"events of one instant": func() *certify.Model {
			model := recorded(autoregressive(0), 50, 1)
			for i := range model.Events {
				model.Events[i].Timestamp = monday
			}
			return model
		}(),
	} {
		_, err := certify.Run(t.Context(), model, backtest.Policy{}, certify.Options{Per: day, Samples: 40})
		require.ErrorContains(t, err, "at least 10 events", name)
	}

	change, err := certify.ParseChange("auc=-1")
	require.NoError(t, err)
	_, err = certify.Run(t.Context(), recorded(autoregressive(0), 50, 1), backtest.Policy{}, certify.Options{Per: day, Samples: 40, Changes: []certify.Change{change}})
	require.ErrorContains(t, err, `change "auc=-1": the recording has no reading of auc`)
}

// A year of minutes under the default rules, 1,000 resamples:
// `go test -run=xxx -bench=Certify -benchtime=1x ./backtest/certify`.
func BenchmarkCertify(b *testing.B) {
	model := recorded(autoregressive(0), 525_600, 1)
	for i := range model.Events {
		model.Events[i].Timestamp = monday.Add(time.Duration(i) * time.Minute)
	}
	for name, wanted := range map[string]string{
		"on each event": `{"rules": [{"metric": "score", "below": -4}]}`,
		"on each hour":  `{"rules": [{"metric": "score", "stat": "mean", "period": "1h", "below": -0.5}]}`,
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				certificate, err := certify.Run(b.Context(), model, backtest.Policy{Policy: decoded(b, wanted)}, certify.Options{Per: 90 * day, Samples: 1000})
				require.NoError(b, err)
				b.Logf("%+v", certificate.FalseAlarms)
			}
		})
	}
}
