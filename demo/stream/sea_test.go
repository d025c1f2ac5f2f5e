package stream_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/demo/stream"
)

func TestSEA(t *testing.T) {
	t.Run("the zero config has the documented concepts, noise and places of drift", func(t *testing.T) {
		sea, err := stream.New(stream.Config{})
		require.NoError(t, err)
		flipped := make([]float64, 4)
		for index := range 50_000 {
			concept := sea.Concept()
			require.Equal(t, index/stream.DefaultDriftEvery, concept)
			require.Equal(t, index, sea.Index())
			sample := sea.Next()
			if (sample.X[0]+sample.X[1] <= stream.DefaultThetas()[concept]) != sample.Y {
				flipped[concept]++
			}
		}
		for concept, count := range flipped {
			require.InDelta(t, stream.DefaultNoise, count/stream.DefaultDriftEvery, 0.01, "concept %d", concept)
		}
	})

	t.Run("the last concept stays", func(t *testing.T) {
		sea, err := stream.New(stream.Config{Thetas: []float64{8, 9}, DriftEvery: 10})
		require.NoError(t, err)
		sea.Take(1_000)
		require.Equal(t, 1, sea.Concept())
	})

	t.Run("each default drift costs the accuracy that its doc says", func(t *testing.T) {
		thetas := stream.DefaultThetas()
		for i, want := range []float64{0.105, 0.165, 0.128} {
			// Both thetas are at most the inputs' range, so the class is a triangle.
			between := math.Abs(thetas[i+1]*thetas[i+1]-thetas[i]*thetas[i]) / 2 / 100
			require.InDelta(t, want, between*(1-2*stream.DefaultNoise), 0.001)
		}
	})
}

func TestSEAHoldsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		thetas := rapid.SliceOfN(rapid.Float64Range(0.1, 19.9), 1, 5).Draw(t, "thetas")
		var driftAt []int
		at := 0
		for range len(thetas) - 1 {
			at += rapid.IntRange(1, 30).Draw(t, "concept length")
			driftAt = append(driftAt, at)
		}
		config := stream.Config{Seed: rapid.Uint64().Draw(t, "seed"), Noise: new(0.0), Thetas: thetas, DriftAt: driftAt}
		first, err := stream.New(config)
		if err != nil {
			t.Fatal(err)
		}
		again, err := stream.New(config)
		if err != nil {
			t.Fatal(err)
		}
		concept := 0
		for index := range at + 10 {
			if concept < len(driftAt) && index == driftAt[concept] {
				concept++
			}
			if got := first.Concept(); got != concept {
				t.Fatalf("sample %d is of concept %d, want %d", index, got, concept)
			}
			sample := first.Next()
			if len(sample.X) != 3 {
				t.Fatalf("sample %d has %d inputs", index, len(sample.X))
			}
			for _, x := range sample.X {
				if x < 0 || x >= 10 {
					t.Fatalf("sample %d has an input of %v", index, x)
				}
			}
			if sample.Y != (sample.X[0]+sample.X[1] <= thetas[concept]) {
				t.Fatalf("sample %d without noise has the wrong class: %v", index, sample)
			}
			if other := again.Next(); fmt.Sprint(other) != fmt.Sprint(sample) {
				t.Fatalf("sample %d is %v at first, %v again", index, sample, other)
			}
		}
	})
}

func TestSEARefusesWhatItCannotStream(t *testing.T) {
	for name, test := range map[string]struct {
		config stream.Config
		want   string
	}{
		"more noise than a coin's":   {stream.Config{Noise: new(0.6)}, "noise: must be in 0 to 0.5, got 0.6"},
		"noise that is no number":    {stream.Config{Noise: new(math.NaN())}, "noise: must be in 0 to 0.5, got NaN"},
		"no concept":                 {stream.Config{Thetas: []float64{}}, "thetas: must not be empty; leave them out for the default concepts"},
		"a theta of one class only":  {stream.Config{Thetas: []float64{8, 20}}, "thetas[1]: must be between 0 and 20, got 20"},
		"drifts backwards":           {stream.Config{DriftEvery: -1}, "drift_every: must be a number of samples, got -1"},
		"drifts placed twice":        {stream.Config{DriftEvery: 5, DriftAt: []int{1, 2, 3}}, "drift_at: must be left out where drift_every is given"},
		"fewer drifts than concepts": {stream.Config{DriftAt: []int{1}}, "drift_at: must place the 3 drifts between 4 thetas, got 1"},
		"fewer skews than concepts":  {stream.Config{Skews: [][]float64{{1, 1, 1}}}, "skews: must be 4, one for each theta, got 1"},
		"a skew of two inputs":       {stream.Config{Thetas: []float64{8}, Skews: [][]float64{{1, 1}}}, "skews[0]: must be 3 finite powers above 0, got [1 1]"},
		"a skew by nothing":          {stream.Config{Thetas: []float64{8}, Skews: [][]float64{{1, 0, 1}}}, "skews[0]: must be 3 finite powers above 0, got [1 0 1]"},
		"drifts out of order":        {stream.Config{DriftAt: []int{5, 9, 9}}, "drift_at[2]: must be above 9, got 9"},
		"two faults, of which both are told": {
			stream.Config{Noise: new(-1.0), Thetas: []float64{0}},
			"noise: must be in 0 to 0.5, got -1\nthetas[0]: must be between 0 and 20, got 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := stream.New(test.config)
			require.EqualError(t, err, test.want)
		})
	}
}

func TestCheck(t *testing.T) {
	good := stream.Sample{X: []float64{1, 2}}
	for name, test := range map[string]struct {
		samples []stream.Sample
		inputs  int
		want    string
	}{
		"no samples are fine":               {nil, 3, ""},
		"samples alike are fine":            {[]stream.Sample{good, good}, 0, ""},
		"an input missing":                  {[]stream.Sample{good, {X: []float64{1}}}, 0, "samples[1].x: must have 2 inputs as samples[0] has, got 1"},
		"other inputs than the model's":     {[]stream.Sample{good}, 3, "samples[0].x: must have 3 inputs as the model takes, got 2"},
		"no inputs":                         {[]stream.Sample{{}}, 0, "samples[0].x: must have at least one input"},
		"an input that is no number":        {[]stream.Sample{good, {X: []float64{1, math.NaN()}}}, 0, "samples[1].x[1]: must be a finite number within ±1e+100, got NaN"},
		"an input that is infinite":         {[]stream.Sample{{X: []float64{math.Inf(-1)}}}, 1, "samples[0].x[0]: must be a finite number within ±1e+100, got -Inf"},
		"an input whose square overflows":   {[]stream.Sample{{X: []float64{1e200}}}, 1, "samples[0].x[0]: must be a finite number within ±1e+100, got 1e+200"},
		"an input at the bound is accepted": {[]stream.Sample{{X: []float64{stream.MaxMagnitude}}}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := stream.Check(test.samples, test.inputs)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}

func ExampleNew() {
	sea, err := stream.New(stream.Config{Seed: 1, Thetas: []float64{8, 9.5}, DriftEvery: 1_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	before := sea.Take(1_000)
	fmt.Println(len(before), "samples of", len(before[0].X), "inputs; now concept", sea.Concept())
	// Output: 1000 samples of 3 inputs; now concept 1
}
