package metric_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
)

func TestAValueOfARankIsWithinItsAccuracyOrNotKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		decades := rapid.Float64Range(0, 10).Draw(t, "decades")
		sign := rapid.SampledFrom([]float64{1, -1}).Draw(t, "sign")
		sketch := metric.NewSketch()
		var values []float64
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			value := sign * math.Pow(10, rapid.Float64Range(-decades, decades).Draw(t, "magnitude"))
			values = append(values, value)
			sketch.Add(value)
		}
		if rapid.Bool().Draw(t, "received") {
			text, err := sketch.MarshalJSON()
			require.NoError(t, err)
			sketch = &metric.Sketch{}
			require.NoError(t, sketch.UnmarshalJSON(text))
		}

		slices.Sort(values)
		for i, exact := range values {
			got, err := sketch.AtRank(int64(i + 1))
			if err != nil {
				require.ErrorIs(t, err, metric.ErrMerged)
				continue
			}
			require.InDelta(t, exact, got, 1.001*metric.SketchAccuracy*math.Abs(exact))
		}
	})
}

func TestReadingsWithinAFactorOf20000AreKnownAtEachRank(t *testing.T) {
	sketch := metric.NewSketch()
	for i := range 1000 {
		sketch.Add(math.Pow(20_000, float64(i)/999))
	}
	for rank := range int64(1000) {
		_, err := sketch.AtRank(rank + 1)
		assert.NoError(t, err)
	}
}
