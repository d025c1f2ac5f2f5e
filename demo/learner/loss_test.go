package learner

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/demo/stream"
)

func TestGradientIsTheSlopeOfTheLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		inputs := rapid.IntRange(1, 4).Draw(t, "inputs")
		samples := make([]stream.Sample, 20)
		for i := range samples {
			samples[i] = stream.Sample{X: make([]float64, inputs), Y: random.IntN(2) == 0}
			for j := range samples[i].X {
				samples[i].X[j] = random.NormFloat64()
			}
		}
		model := &Model{Quadratic: rapid.Bool().Draw(t, "quadratic")}
		model.Means, model.Scales = standardise(samples)
		loss := newLogLoss(model, samples, 0.1)
		at := make([]float64, 1+loss.width)
		for i := range at {
			at[i] = random.NormFloat64()
		}
		slope := make([]float64, len(at))
		loss.gradient(slope, at)
		for i, value := range at {
			const step = 1e-6
			at[i] = value + step
			above := loss.value(at)
			at[i] = value - step
			below := loss.value(at)
			at[i] = value
			if numeric := (above - below) / (2 * step); math.Abs(numeric-slope[i]) > 1e-6 {
				t.Fatalf("slope %d is %v, by differences %v", i, slope[i], numeric)
			}
		}
	})
}

func TestLossIsFiniteFarFromTheMinimum(t *testing.T) {
	require.Equal(t, 1e6, softplus(1e6))
	require.Equal(t, 0.0, softplus(-1e6))
	require.InDelta(t, math.Ln2, softplus(0), 1e-15)
	require.Equal(t, 1.0, sigmoid(1e6))
	require.Equal(t, 0.0, sigmoid(-1e6))
	require.Equal(t, 0.5, sigmoid(0))
}
