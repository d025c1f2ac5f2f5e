package learner_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/demo/learner"
	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/internal/patience"
)

func TestMain(m *testing.M) { patience.Main(m) }

func seaOf(t testing.TB, config stream.Config) *stream.SEA {
	t.Helper()
	sea, err := stream.New(config)
	require.NoError(t, err)
	return sea
}

func accuracy(t testing.TB, model *learner.Model, samples []stream.Sample) float64 {
	t.Helper()
	share, err := model.Accuracy(samples)
	require.NoError(t, err)
	return share
}

func TestFit(t *testing.T) {
	t.Run("a concept without noise is learnt nearly whole", func(t *testing.T) {
		sea := seaOf(t, stream.Config{Seed: 1, Noise: new(0.0)})
		model, err := learner.Fit(sea.Take(2_000), learner.Options{Version: "v1"})
		require.NoError(t, err)
		require.Greater(t, accuracy(t, model, sea.Take(10_000)), 0.98)
		require.NoError(t, model.Validate())
	})
	t.Run("the irrelevant input gets next to no weight", func(t *testing.T) {
		model, err := learner.Fit(seaOf(t, stream.Config{Seed: 1}).Take(5_000), learner.Options{})
		require.NoError(t, err)
		require.Less(t, math.Abs(model.Weights[2]), 0.05*math.Abs(model.Weights[0]))
		require.InDelta(t, model.Weights[0], model.Weights[1], 0.1*math.Abs(model.Weights[0]))
	})
	t.Run("with quadratic features a circle is learnt, without it is not", func(t *testing.T) {
		sea := seaOf(t, stream.Config{Seed: 3})
		samples := sea.Take(4_000)
		for i, sample := range samples {
			samples[i].Y = math.Hypot(sample.X[0]-5, sample.X[1]-5) < 4
		}
		plain, err := learner.Fit(samples[:2_000], learner.Options{})
		require.NoError(t, err)
		quadratic, err := learner.Fit(samples[:2_000], learner.Options{Version: "q", Quadratic: true})
		require.NoError(t, err)
		require.NoError(t, quadratic.Validate())
		require.Less(t, accuracy(t, plain, samples[2_000:]), 0.70)
		require.Greater(t, accuracy(t, quadratic, samples[2_000:]), 0.97)
	})
	t.Run("classes that a line parts leave the weights finite", func(t *testing.T) {
		model, err := learner.Fit([]stream.Sample{{X: []float64{-1}}, {X: []float64{1}, Y: true}}, learner.Options{Version: "v1"})
		require.NoError(t, err)
		require.NoError(t, model.Validate())
		require.True(t, model.Predict([]float64{0.1}))
		require.False(t, model.Predict([]float64{-0.1}))
	})
	t.Run("a constant input gets no weight", func(t *testing.T) {
		samples := seaOf(t, stream.Config{}).Take(1_000)
		for i := range samples {
			samples[i].X[2] = 0.003467
		}
		model, err := learner.Fit(samples, learner.Options{Version: "v1"})
		require.NoError(t, err)
		require.NoError(t, model.Validate())
		require.InDelta(t, 0, model.Weights[2], 1e-9)
	})
}

func TestFitHoldsItsPromises(t *testing.T) {
	t.Run("the same samples in another unit give the same predictions", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			sea := seaOf(t, stream.Config{Seed: rapid.Uint64().Draw(rt, "seed")})
			unit := rapid.SampledFrom([]float64{1e-9, 0.01, 3.7, 1e6}).Draw(rt, "unit")
			samples := sea.Take(300)
			scaled := make([]stream.Sample, len(samples))
			for i, sample := range samples {
				scaled[i].Y = sample.Y
				for _, x := range sample.X {
					scaled[i].X = append(scaled[i].X, unit*x+5*unit)
				}
			}
			model, err := learner.Fit(samples, learner.Options{})
			require.NoError(rt, err)
			other, err := learner.Fit(scaled, learner.Options{})
			require.NoError(rt, err)
			for i := range samples {
				require.InDelta(rt, model.Probability(samples[i].X), other.Probability(scaled[i].X), 1e-4)
			}
		})
	})
	t.Run("the opposite classes give the opposite probability", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			samples := seaOf(t, stream.Config{Seed: rapid.Uint64().Draw(rt, "seed")}).Take(300)
			model, err := learner.Fit(samples, learner.Options{})
			require.NoError(rt, err)
			for i := range samples {
				samples[i].Y = !samples[i].Y
			}
			opposite, err := learner.Fit(samples, learner.Options{})
			require.NoError(rt, err)
			for _, sample := range samples {
				require.InDelta(rt, 1, model.Probability(sample.X)+opposite.Probability(sample.X), 1e-6)
			}
		})
	})
	t.Run("the mean probability in training is the share of the class", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			samples := seaOf(t, stream.Config{Seed: rapid.Uint64().Draw(rt, "seed")}).Take(200)
			model, err := learner.Fit(samples, learner.Options{Quadratic: rapid.Bool().Draw(rt, "quadratic")})
			require.NoError(rt, err)
			predicted, seen := 0.0, 0.0
			for _, sample := range samples {
				predicted += model.Probability(sample.X)
				if sample.Y {
					seen++
				}
			}
			require.InDelta(rt, seen, predicted, 0.01)
		})
	})
}

func TestFitRefusesWhatItCannotLearnFrom(t *testing.T) {
	yes, no := stream.Sample{X: []float64{1, 2}, Y: true}, stream.Sample{X: []float64{3, 4}}
	for name, test := range map[string]struct {
		samples []stream.Sample
		options learner.Options
		want    string
	}{
		"no samples":              {want: "fit: samples: must not be empty"},
		"one class only":          {samples: []stream.Sample{yes, yes}, want: "fit: samples: must be of both classes, all 2 are true"},
		"inputs of two lengths":   {samples: []stream.Sample{yes, {X: []float64{1}}}, want: "fit: samples[1].x: must have 2 inputs as samples[0] has, got 1"},
		"an input that is NaN":    {samples: []stream.Sample{yes, no, {X: []float64{0, math.NaN()}}}, want: "fit: samples[2].x[1]: must be a finite number within ±1e+100, got NaN"},
		"a penalty below nothing": {samples: []stream.Sample{yes, no}, options: learner.Options{L2: -1}, want: "fit: l2: must be a finite number above 0, got -1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := learner.Fit(test.samples, test.options)
			require.EqualError(t, err, test.want)
		})
	}
}

func TestModel(t *testing.T) {
	sea := seaOf(t, stream.Config{Seed: 5})
	model, err := learner.Fit(sea.Take(500), learner.Options{Version: "v7", Quadratic: true})
	require.NoError(t, err)
	body, err := json.Marshal(model)
	require.NoError(t, err)

	t.Run("comes back from JSON as it went", func(t *testing.T) {
		var read learner.Model
		require.NoError(t, json.Unmarshal(body, &read))
		require.NoError(t, read.Validate())
		require.Equal(t, *model, read)
	})
	t.Run("that was read with faults names all of them", func(t *testing.T) {
		var read learner.Model
		require.NoError(t, json.Unmarshal([]byte(`{"means": [1, 2], "scales": [1, 0], "weights": [1]}`), &read))
		require.EqualError(t, read.Validate(), "version: must not be empty\n"+
			"trained_on: must be at least 1, got 0\n"+
			"weights: must be 2 for 2 inputs, got 1\n"+
			"scales[1]: must be above 0, got 0")
	})
	t.Run("tells samples that it cannot judge", func(t *testing.T) {
		_, err := model.Accuracy([]stream.Sample{{X: []float64{1}}})
		require.EqualError(t, err, "accuracy: samples[0].x: must have 3 inputs as the model takes, got 1")
		_, err = model.Accuracy(nil)
		require.EqualError(t, err, "accuracy: needs at least one sample")
		require.Panics(t, func() { model.Predict([]float64{1}) })
	})
	t.Run("predicts without an allocation", func(t *testing.T) {
		x := sea.Next().X
		require.Zero(t, testing.AllocsPerRun(100, func() { model.Predict(x) }))
	})
}

func ExampleFit() {
	sea, err := stream.New(stream.Config{Seed: 1, Noise: new(0.0)})
	if err != nil {
		fmt.Println(err)
		return
	}
	model, err := learner.Fit(sea.Take(1_500), learner.Options{Version: "v1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(model.Version, model.Predict([]float64{1, 2, 9}), model.Predict([]float64{7, 8, 0}))
	// Output: v1 true false
}

func BenchmarkFit(b *testing.B) {
	samples := seaOf(b, stream.Config{Seed: 1}).Take(3_000)
	for _, quadratic := range []bool{false, true} {
		b.Run(fmt.Sprintf("samples=3000/quadratic=%t", quadratic), func(b *testing.B) {
			for b.Loop() {
				if _, err := learner.Fit(samples, learner.Options{Quadratic: quadratic}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPredict(b *testing.B) {
	sea := seaOf(b, stream.Config{Seed: 1})
	model, err := learner.Fit(sea.Take(1_500), learner.Options{})
	require.NoError(b, err)
	x := sea.Next().X
	for b.Loop() {
		model.Predict(x)
	}
}
