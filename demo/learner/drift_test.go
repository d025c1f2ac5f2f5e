package learner_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/demo/learner"
	"github.com/modelvigil/modelvigil/demo/stream"
)

// normals draws samples of two inputs, the second one shifted by so many of its
// standard deviations.
func normals(random *rand.Rand, n int, shift float64) []stream.Sample {
	samples := make([]stream.Sample, n)
	for i := range samples {
		samples[i].X = []float64{random.NormFloat64(), random.NormFloat64() + shift}
	}
	return samples
}

func constants(n int, value float64) []stream.Sample {
	samples := make([]stream.Sample, n)
	for i := range samples {
		samples[i].X = []float64{value}
	}
	return samples
}

func TestDriftScore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	reference, err := learner.NewReference(normals(random, 5_000, 0))
	require.NoError(t, err)

	for _, test := range []struct {
		name     string
		shift    float64
		from, to float64
	}{
		{"no shift is read as none", 0, 0, 0.03},
		// Two normals of unit variance and means d apart have a Jeffreys divergence of d².
		{"a shift of 0.4 deviations is read as minor", 0.4, learner.MinorShift, learner.MajorShift},
		{"a shift of a deviation is read as major", 1, 0.7, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			psi, err := reference.PSI(normals(random, 2_000, test.shift))
			require.NoError(t, err)
			require.Less(t, psi[0], 0.03, "the input that never shifts")
			require.GreaterOrEqual(t, psi[1], test.from)
			require.LessOrEqual(t, psi[1], test.to)
			score, err := reference.DriftScore(normals(random, 2_000, test.shift))
			require.NoError(t, err)
			require.GreaterOrEqual(t, score, test.from)
		})
	}

	t.Run("by chance a window reads what the doc says", func(t *testing.T) {
		sum := 0.0
		const windows, size = 200, 100
		for range windows {
			psi, err := reference.PSI(normals(random, size, 0))
			require.NoError(t, err)
			sum += psi[0]
		}
		require.InDelta(t, 9.0/size+9.0/5_000, sum/windows, 0.02)
	})
	t.Run("a constant input that moves either way is seen", func(t *testing.T) {
		constant, err := learner.NewReference(constants(1_000, 0.4))
		require.NoError(t, err)
		for _, value := range []float64{0.3, 0.5} {
			score, err := constant.DriftScore(constants(500, value))
			require.NoError(t, err)
			require.Greater(t, score, learner.MajorShift)
		}
		score, err := constant.DriftScore(constants(500, 0.4))
		require.NoError(t, err)
		require.Less(t, score, 0.01)
	})
	t.Run("a change of concept alone is not seen, since the inputs are as they were", func(t *testing.T) {
		sea := seaOf(t, stream.Config{Seed: 1, DriftEvery: 2_000})
		reference, err := learner.NewReference(sea.Take(2_000))
		require.NoError(t, err)
		require.Equal(t, 1, sea.Concept())
		score, err := reference.DriftScore(sea.Take(2_000))
		require.NoError(t, err)
		require.Less(t, score, 0.03)
	})
}

func TestPSIHoldsItsPromises(t *testing.T) {
	values := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-1e6, 1e6), rapid.SampledFrom([]float64{0, 1, 2})), 1, 200)
	draw := func(t *rapid.T, label string) []stream.Sample {
		var samples []stream.Sample
		for _, value := range values.Draw(t, label) {
			samples = append(samples, stream.Sample{X: []float64{value}})
		}
		return samples
	}
	rapid.Check(t, func(t *rapid.T) {
		before, window := draw(t, "reference"), draw(t, "window")
		reference, err := learner.NewReference(before)
		require.NoError(t, err)
		histogram := reference.Inputs[0]
		total := 0
		for _, count := range histogram.Counts {
			total += count
		}
		require.Equal(t, len(before), total, "every sample is in one bin")
		require.LessOrEqual(t, len(histogram.Counts), 20)
		for i := 1; i < len(histogram.Edges); i++ {
			require.Greater(t, histogram.Edges[i], histogram.Edges[i-1])
		}

		same, err := reference.DriftScore(before)
		require.NoError(t, err)
		require.InDelta(t, 0, same, 1e-12)
		score, err := reference.DriftScore(window)
		require.NoError(t, err)
		require.GreaterOrEqual(t, score, 0.0)
		require.False(t, math.IsInf(score, 0) || math.IsNaN(score))
	})
}

func TestDriftNamesTheFault(t *testing.T) {
	reference, err := learner.NewReference(normals(rand.New(rand.NewPCG(1, 0)), 100, 0))
	require.NoError(t, err)
	_, err = learner.NewReference(nil)
	require.EqualError(t, err, "drift reference: samples: must not be empty")
	_, err = learner.NewReference([]stream.Sample{{X: []float64{math.Inf(1)}}})
	require.EqualError(t, err, "drift reference: samples[0].x[0]: must be a finite number within ±1e+100, got +Inf")
	_, err = reference.DriftScore(nil)
	require.EqualError(t, err, "psi: needs at least one sample")
	_, err = reference.DriftScore(constants(1, 0))
	require.EqualError(t, err, "psi: samples[0].x: must have 2 inputs as the model takes, got 1")
	_, err = learner.Reference{}.PSI(constants(1, 0))
	require.EqualError(t, err, "psi: the reference is empty")
}
