package window

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// knownReference is a detector that knows its mean, 0, and its deviation, 1: what
// published run lengths are of.
func knownReference() CUSUM { return CUSUM{Learnt: 2, Variance: 1} }

// meanRun is how many datapoints come until a detection, on average.
func meanRun(runs int, decision, mean float64) float64 {
	random := rand.New(rand.NewPCG(1954, 9))
	total := 0
	for range runs {
		c := knownReference()
		for changed := false; !changed; total++ {
			changed, _, _ = c.Add(mean+random.NormFloat64(), 2, 0.5, decision)
		}
	}
	return float64(total) / float64(runs)
}

func TestRunsOfCUSUMAreAsLongAsPublished(t *testing.T) {
	t.Parallel()
	// Montgomery, Introduction to Statistical Quality Control, table 9.3: two-sided,
	// slack 0.5. A run is about geometric, so the mean of 20,000 is within 0.7 %.
	for _, published := range []struct{ decision, shift, run float64 }{
		{decision: 4, shift: 0, run: 168},
		{decision: 4, shift: 1, run: 8.38},
		{decision: 4, shift: -1, run: 8.38},
		{decision: 5, shift: 0, run: 465},
		{decision: 5, shift: 1, run: 10.4},
		{decision: 5, shift: -1, run: 10.4},
	} {
		run := meanRun(20_000, published.decision, published.shift)
		assert.InEpsilon(t, published.run, run, 0.03, "decision %v, shift %v", published.decision, published.shift)
	}
}

// naiveCUSUM detects by the definition: the largest sum of what the datapoints up to
// now have beyond the slack, over all beginnings since the last detection.
func naiveCUSUM(values []float64, samples int, slack, decision float64) (detections []int) {
	mean := 0.0
	for _, v := range values[:samples] {
		mean += v / float64(samples)
	}
	variance := 0.0
	for _, v := range values[:samples] {
		variance += (v - mean) * (v - mean) / float64(samples-1)
	}

	from := samples
	for now := samples; now < len(values); now++ {
		for _, side := range []float64{1, -1} {
			sum, most := 0.0, 0.0
			for i := now; i >= from; i-- {
				sum += side*(values[i]-mean)/math.Sqrt(variance) - slack
				most = max(most, sum)
			}
			if most > decision {
				detections = append(detections, now)
				from = now + 1
				break
			}
		}
	}

	return detections
}

func TestCUSUMDetectsWhereItsDefinitionDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		samples := rapid.IntRange(2, 30).Draw(t, "samples")
		slack := rapid.Float64Range(0, 1).Draw(t, "slack")
		decision := rapid.Float64Range(0.5, 6).Draw(t, "decision")
		level, scale := 1000*random.NormFloat64(), math.Exp(3*random.NormFloat64())
		values := make([]float64, samples+120)
		for i := range values {
			values[i] = level + scale*random.NormFloat64()
			if i > samples+60 {
				values[i] += scale
			}
		}

		var c CUSUM
		var detections []int
		for i, v := range values {
			if i%7 == 0 { // a cut changes nothing
				carried, err := json.Marshal(c)
				require.NoError(t, err)
				c = CUSUM{}
				require.NoError(t, json.Unmarshal(carried, &c))
			}
			changed, before, after := c.Add(v, int64(samples), slack, decision)
			if changed {
				detections = append(detections, i)
				require.NotEqual(t, before, after)
			}
		}
		require.Equal(t, naiveCUSUM(values, samples, slack, decision), detections)
	})
}

func TestCUSUMSaysWhichWayTheMeanWent(t *testing.T) {
	t.Parallel()
	reference := []float64{0.90, 0.92, 0.91, 0.89, 0.93, 0.91, 0.90, 0.92}
	for name, shifted := range map[string]float64{"a rise": 0.96, "a fall": 0.86} {
		var c CUSUM
		for _, v := range reference {
			c.Add(v, 8, 0.5, 5)
		}
		for range 10 {
			if changed, before, after := c.Add(shifted, 8, 0.5, 5); changed {
				assert.InDelta(t, 0.91, before, 1e-9, name)
				assert.InDelta(t, shifted, after, 1e-9, name)
				shifted = math.NaN()
				break
			}
		}
		assert.True(t, math.IsNaN(shifted), "%s is not detected", name)
	}
}

func TestCUSUMOfAReferenceWithoutDeviation(t *testing.T) {
	t.Parallel()
	var c CUSUM
	for range 20 {
		changed, _, _ := c.Add(0.1, 10, 0.5, 5)
		require.False(t, changed, "the same value is no shift")
	}
	changed, before, after := c.Add(0.2, 10, 0.5, 5)
	assert.True(t, changed, "any other value is one")
	assert.InDelta(t, 0.1, before, 1e-12)
	assert.InDelta(t, 0.2, after, 1e-12)
	_, err := json.Marshal(c)
	assert.NoError(t, err, "and the state can be carried over")
}

// What learning the reference costs, as docs/policies.md tabulates it: the median run
// without a shift, of which the known reference's is ln 2 of its mean.
func TestRunsOfCUSUMWithALearntReference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		samples  int64
		decision float64
		median   float64
	}{
		{samples: 50, decision: 4, median: 83},
		{samples: 200, decision: 4, median: 106},
		{samples: 50, decision: 5, median: 190},
		{samples: 200, decision: 5, median: 275},
	} {
		random := rand.New(rand.NewPCG(41, uint64(c.samples)))
		const runs = 4_001
		most := int64(3 * c.median) // a longer run is longer than the median
		lengths := make([]float64, runs)
		for i := range lengths {
			var detector CUSUM
			length := int64(0)
			for changed := false; !changed && length < c.samples+most; length++ {
				changed, _, _ = detector.Add(random.NormFloat64(), c.samples, 0.5, c.decision)
			}
			lengths[i] = float64(length - c.samples)
		}

		slices.Sort(lengths)
		assert.InEpsilon(t, c.median, lengths[runs/2], 0.1, "learnt from %d, decision %v", c.samples, c.decision)
	}
}
