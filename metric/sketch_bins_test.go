package metric_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
)

func drawValue(t *rapid.T) float64 {
	value := math.Pow(10, rapid.Float64Range(-30, 30).Draw(t, "magnitude"))
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return -value
	case 1:
		return float64(rapid.IntRange(-50, 50).Draw(t, "integer"))
	case 2:
		return rapid.Float64Range(-1e100, 1e100).Draw(t, "any")
	}
	return value
}

func TestAValueIsInTheBinThatASketchCountsItIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := drawValue(t)
		sketch := metric.NewSketch()
		sketch.Add(value)

		bins, err := sketch.Bins()

		require.NoError(t, err)
		bin := metric.SketchBinOf(value)
		assert.Equal(t, []metric.SketchCount{{First: bin, Last: bin, Count: 1}}, bins, "%v", value)
	})
}

func TestABinsFloorIsTheSmallestFloatInIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bin := metric.SketchBinOf(drawValue(t))

		floor := bin.Floor()

		assert.GreaterOrEqual(t, metric.SketchBinOf(floor), bin)
		assert.Less(t, metric.SketchBinOf(math.Nextafter(floor, math.Inf(-1))), bin)
	})
}

func TestABinAboveIsOfGreaterValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawValue(t), drawValue(t)
		if a < b {
			assert.LessOrEqual(t, metric.SketchBinOf(a), metric.SketchBinOf(b))
		}
	})
}

// A sketch of more bins than it may have merges what is nearest to zero, and says so.
func TestMergedBinsAreTold(t *testing.T) {
	sketch := metric.NewSketch()
	for i := range 3000 {
		sketch.Add(math.Pow(1.05, float64(i)))
	}

	bins, err := sketch.Bins()

	require.NoError(t, err)
	assert.Equal(t, metric.SketchBinOf(1), bins[0].First)
	assert.Greater(t, bins[0].Last, bins[0].First)
	total := int64(0)
	for i, bin := range bins {
		total += bin.Count
		if i > 0 {
			assert.Equal(t, bin.First, bin.Last)
		}
	}
	assert.Equal(t, int64(3000), total)
}
