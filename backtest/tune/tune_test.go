package tune_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/backtest/tune"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

func TestMain(m *testing.M) { patience.Main(m) }

const day = 24 * time.Hour

// hours is a recording of hourly readings, which are normal around 0.95 by 0.02.
func hours(n int) *certify.Model {
	random := rand.New(rand.NewPCG(7, 21))
	model := &certify.Model{Name: "fraud", Events: make([]metric.Event, n)}
	for i := range model.Events {
		model.Events[i] = metric.Event{
			Timestamp: time.Date(2024, 1, 1, 0, 30, 0, 0, time.UTC).Add(time.Duration(i) * time.Hour), ModelName: "fraud", ModelVersion: "v1",
			Accuracy: metric.Some(0.95 + 0.02*random.NormFloat64()),
		}
	}
	return model
}

func tuned(t *testing.T, model *certify.Model, text string, options tune.Options, sweeps ...string) (*tune.Tuned, error) {
	t.Helper()
	wanted, err := policy.Decode([]byte(text))
	require.NoError(t, err)
	for _, text := range sweeps {
		sweep, err := backtest.ParseSweep(text)
		require.NoError(t, err)
		options.Grid = append(options.Grid, sweep)
	}
	options.Resampling.Per = 90 * day
	options.Resampling.Samples = 60
	change, err := certify.ParseChange("accuracy=-0.03")
	require.NoError(t, err)
	if options.Resampling.Changes == nil {
		options.Resampling.Changes = []certify.Change{change}
	}
	return tune.Run(t.Context(), model, backtest.Policy{Label: "p", Policy: wanted}, options)
}

const sensitive = `{"rules": [{"metric": "accuracy", "stat": "mean", "below": 0.945, "period": "6h"}], "cooldown": "24h"}`

func TestThresholdsAreFoundThatKeepToTheRateAndFindChangesSoonest(t *testing.T) {
	t.Parallel()
	found, err := tuned(t, hours(4_000), sensitive, tune.Options{FalseAlarms: 2})
	require.NoError(t, err)
	assert.LessOrEqual(t, found.FalseAlarms.Mean, 4., "on folds that it was not tuned on")
	assert.Greater(t, found.Before.FalseAlarms.Mean, 20., "the policy as it was")
	assert.Greater(t, found.Changes[0].Found, 0.99)
	assert.Len(t, found.Folds, 4)

	// A mean of six readings deviates by 0.02/√6 = 0.0082, and there are 360 looks in 90
	// days: two of them are beyond 2.54 deviations.
	assert.InDelta(t, 0.95-2.54*0.0082, found.TunedPolicy.Rules[0].Below.Or(0), 0.003)
	assert.Contains(t, found.Values, "accuracy.below")
}

func TestOfAGridThePointIsFoundThatFindsChangesSoonest(t *testing.T) {
	t.Parallel()
	// All of these thresholds keep to the rate, and the highest is the most sensitive.
	found, err := tuned(t, hours(2_000), sensitive, tune.Options{FalseAlarms: 2}, "accuracy.below=0.90,0.91,0.92,0.80")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"accuracy.below": "0.92"}, found.Values)
	assert.Equal(t, 4, found.Points)
	for _, fold := range found.Folds {
		assert.Equal(t, found.Values, fold.Values)
	}
}

func TestWhatCouldNotBeDoneIsSaid(t *testing.T) {
	t.Parallel()
	found, err := tuned(t, hours(2_000), sensitive, tune.Options{FalseAlarms: 0.5}, "accuracy.below=0.94,0.945")
	require.NoError(t, err)
	require.NotEmpty(t, found.Notes)
	assert.Contains(t, found.Notes[0], "None of the 2 points keeps to 0.5 per 90d")
	assert.Equal(t, "0.94", found.Values["accuracy.below"], "which has the fewest")

	change, err := certify.ParseChange("accuracy=-0.001")
	require.NoError(t, err)
	found, err = tuned(t, hours(2_000), sensitive, tune.Options{FalseAlarms: 1, Resampling: certify.Options{Changes: []certify.Change{change}}}, "accuracy.below=0.90,0.91")
	require.NoError(t, err)
	assert.Contains(t, found.Notes[len(found.Notes)-1], "accuracy=-0.001 is found in")

	_, err = tuned(t, hours(2_000), `{"rules": [{"metric": "accuracy", "stat": "mean", "change": {}, "period": "6h"}]}`, tune.Options{FalseAlarms: 1})
	require.ErrorContains(t, err, "name what to tune")
	_, err = tuned(t, hours(30), sensitive, tune.Options{FalseAlarms: 1})
	require.ErrorContains(t, err, "of 4 folds: a recording of at least 10 events")
}

func TestTheAnswerIsAPolicyThatCanBeApplied(t *testing.T) {
	t.Parallel()
	found, err := tuned(t, hours(1_000), sensitive, tune.Options{FalseAlarms: 2}, "accuracy.below=0.90,0.91")
	require.NoError(t, err)
	text, err := tune.Text([]*tune.Tuned{found, found})
	require.NoError(t, err)
	assert.Contains(t, text, "# tuned")
	assert.Contains(t, text, "# accuracy.below")

	documents, err := document.ReadForAny([]string{"-"}, strings.NewReader(strings.Split(text, "---\n")[1]))
	require.NoError(t, err)
	require.Len(t, documents, 1)
	assert.Equal(t, "fraud", documents[0].Model)
	assert.True(t, documents[0].Policy.Equal(found.TunedPolicy))
}

func TestAPageHasTheOperatingCurve(t *testing.T) {
	t.Parallel()
	wanted, err := policy.Decode([]byte(sensitive))
	require.NoError(t, err)
	change, err := certify.ParseChange("accuracy=-0.02")
	require.NoError(t, err)
	model, options := hours(1_500), certify.Options{Per: 90 * day, Samples: 40, Changes: []certify.Change{change}}
	certificate, err := certify.Run(t.Context(), model, backtest.Policy{Label: "<p>", Policy: wanted}, options)
	require.NoError(t, err)
	curve, err := tune.CurveOf(t.Context(), model, backtest.Policy{Policy: wanted}, tune.Options{Resampling: options})
	require.NoError(t, err)
	require.Greater(t, len(curve.Points), 15)
	first, last := curve.Points[0], curve.Points[len(curve.Points)-1]
	assert.Greater(t, first.FalseAlarms.Mean, 50., "a quarter of the datapoints breach")
	assert.Zero(t, last.FalseAlarms.Mean, "beyond all of them")
	assert.Less(t, first.Changes[0].Mean, last.Changes[0].Mean)

	var page strings.Builder
	require.NoError(t, tune.WritePage(&page, []tune.Certified{{Certificate: certificate, Curve: curve}}, 90*day))
	assert.Contains(t, page.String(), "&lt;p&gt; over fraud")
	assert.Equal(t, 1+len(curve.Points), strings.Count(page.String(), "<circle"))
	assert.NotContains(t, page.String(), "NaN")
	assert.NotContains(t, page.String(), "http")

	none, err := tune.CurveOf(t.Context(), model, backtest.Policy{Policy: policy.Policy{Rules: []policy.Rule{}}.With(policy.Below("auc", 0.5))}, tune.Options{Resampling: options})
	require.NoError(t, err)
	page.Reset()
	require.NoError(t, tune.WritePage(&page, []tune.Certified{{Certificate: certificate, Curve: none}}, 90*day))
	assert.Contains(t, page.String(), "No operating curve: ")
}
