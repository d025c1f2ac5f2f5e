package metric_test

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
)

// drawReadings are numbers of any of 20 decades, of one sign or both, and zero.
func drawReadings(t *rapid.T, most int) (readings []float64) {
	magnitude := rapid.Float64Range(-10, 10)
	sign := rapid.SampledFrom(rapid.SampledFrom([][]float64{{1}, {-1}, {1, -1}, {1, -1, 0}}).Draw(t, "signs"))
	for range rapid.IntRange(1, most).Draw(t, "n") {
		readings = append(readings, sign.Draw(t, "sign")*math.Pow(10, magnitude.Draw(t, "magnitude")))
	}
	return readings
}

func sketchOf(readings []float64) *metric.Sketch {
	sketch := metric.NewSketch()
	for _, reading := range readings {
		sketch.Add(reading)
	}
	return sketch
}

// received is a sketch as its reader has it.
func received(t require.TestingT, sketch *metric.Sketch) *metric.Sketch {
	text, err := sketch.MarshalJSON()
	require.NoError(t, err)
	read := &metric.Sketch{}
	require.NoError(t, read.UnmarshalJSON(text))
	return read
}

func binsOf(t require.TestingT, sketch *metric.Sketch) []metric.SketchCount {
	bins, err := sketch.Bins()
	require.NoError(t, err)
	return bins
}

// merged is what sketches of parts of the readings give, merged in any order, some of
// them received.
func merged(t *rapid.T, readings []float64) *metric.Sketch {
	var parts []*metric.Sketch
	for left := readings; len(left) > 0; {
		n := rapid.IntRange(1, len(left)).Draw(t, "part")
		parts = append(parts, sketchOf(left[:n]))
		left = left[n:]
	}
	for len(parts) > 1 {
		i := rapid.IntRange(0, len(parts)-2).Draw(t, "into")
		if rapid.Bool().Draw(t, "received") {
			parts[i] = received(t, parts[i])
		}
		require.NoError(t, parts[i].Merge(parts[len(parts)-1]))
		parts = parts[:len(parts)-1]
	}
	return parts[0]
}

func TestAValueOfARankIsWithinItsAccuracyHoweverFarReadingsAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := drawReadings(t, 400)

		sketch := merged(t, readings)

		assert.Equal(t, binsOf(t, sketchOf(readings)), binsOf(t, sketch))
		slices.Sort(readings)
		for i, exact := range readings {
			got, err := sketch.AtRank(int64(i + 1))
			require.NoError(t, err)
			require.InDelta(t, exact, got, 1.001*metric.SketchAccuracy*math.Abs(exact))
		}
	})
}

// Whatever is merged, what is said is right.
func TestAValueOfARankIsWithinItsAccuracyOrNotKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := drawReadings(t, 200)
		all := metric.NewSketch()
		for left := readings; len(left) > 0; {
			n := rapid.IntRange(1, len(left)).Draw(t, "part")
			part := merged(t, left[:n])
			if rapid.Bool().Draw(t, "fewer") {
				require.NoError(t, part.Keep(rapid.Int64Range(1, int64(n)).Draw(t, "rank"), rapid.IntRange(8, 40).Draw(t, "bins")))
			}
			require.NoError(t, all.Merge(part))
			left = left[n:]
		}
		before := binsOf(t, all)
		all = received(t, all)

		require.Equal(t, before, binsOf(t, all), "as it was sent")
		slices.Sort(readings)
		for i, exact := range readings {
			got, err := all.AtRank(int64(i + 1))
			if err != nil {
				require.ErrorIs(t, err, metric.ErrMerged)
				continue
			}
			require.InDelta(t, exact, got, 1.001*metric.SketchAccuracy*math.Abs(exact))
		}
	})
}

func TestWhatIsKeptIsAsExactAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := drawReadings(t, 200)
		sketch := sketchOf(readings)
		most := rapid.IntRange(8, 60).Draw(t, "bins")
		rank := rapid.Int64Range(1, int64(len(readings))).Draw(t, "rank")

		require.NoError(t, sketch.Keep(rank, most))

		assert.LessOrEqual(t, sketch.Len(), most)
		want, err := sketchOf(readings).AtRank(rank)
		require.NoError(t, err)
		got, err := sketch.AtRank(rank)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	})
}

// former is a sketch as releases before this one made it: of 512 bins of each sign, of
// which the lowest holds all that is nearer to zero.
func former(t require.TestingT) *ddsketch.DDSketch {
	m, err := mapping.NewCubicallyInterpolatedMapping(metric.SketchAccuracy)
	require.NoError(t, err)
	return ddsketch.NewDDSketch(m, store.NewCollapsingLowestDenseStore(512), store.NewCollapsingLowestDenseStore(512))
}

func TestAFormerSketchIsReadAndWhatItMergedIsNotKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := drawReadings(t, 200)
		old := former(t)
		for _, reading := range readings {
			require.NoError(t, old.Add(reading))
		}
		var encoded []byte
		old.Encode(&encoded, true)
		sketch := &metric.Sketch{}
		require.NoError(t, json.Unmarshal([]byte(`"`+base64.StdEncoding.EncodeToString(encoded)+`"`), sketch))
		require.Equal(t, binsOf(t, sketch), binsOf(t, received(t, sketch)))
		if rapid.Bool().Draw(t, "handed on") { // once something is added, it is written anew
			readings = append(readings, 3)
			sketch.Add(3)
			sketch = received(t, sketch)
		}

		slices.Sort(readings)
		for i, exact := range readings {
			got, err := sketch.AtRank(int64(i + 1))
			if err != nil {
				require.ErrorIs(t, err, metric.ErrMerged)
				continue
			}
			require.InDelta(t, exact, got, 1.001*metric.SketchAccuracy*math.Abs(exact))
		}
	})
}

func TestAFormerReaderReadsASketch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := drawReadings(t, 200)
		slices.Sort(readings)
		furthest, rank, quantile := readings[0], 1, 0.0 // what is near zero it merges itself
		if last := readings[len(readings)-1]; -furthest < last {
			furthest, rank, quantile = last, len(readings), 1
		}
		sketch := sketchOf(readings)
		if rapid.Bool().Draw(t, "merged") {
			require.NoError(t, sketch.Keep(int64(rank), 20))
		}
		text, err := sketch.MarshalJSON()
		require.NoError(t, err)
		var encoded []byte
		require.NoError(t, json.Unmarshal(text, &encoded))

		old := former(t)
		require.NoError(t, old.DecodeAndMergeWith(encoded))

		assert.InDelta(t, len(readings), old.GetCount(), 0)
		got, err := old.GetValueAtQuantile(quantile)
		require.NoError(t, err)
		assert.InDelta(t, furthest, got, 1.001*metric.SketchAccuracy*math.Abs(furthest))
	})
}

// A former sketch of so many bins in a row had merged some; one of today has not.
func TestAsManyBinsInARowAsFormerSketchesHadAreReadAsTheyAre(t *testing.T) {
	for _, signs := range [][]float64{{1}, {-1}, {1, -1}} {
		for _, width := range []int{511, 512, 513} {
			sketch := metric.NewSketch()
			for i := range width {
				for _, sign := range signs {
					sketch.Add(sign * metric.SketchBin(20_000+i).Floor())
				}
			}

			assert.Equal(t, binsOf(t, sketch), binsOf(t, received(t, sketch)), "%d bins", width)
		}
	}
}

// Counts take more bytes the greater they are, and a reader takes 16 KiB.
func TestASketchOfMostBinsAndReadingsCanBeSent(t *testing.T) {
	sketch := metric.NewSketch()
	for i := range 2500 {
		sketch.Add(math.Pow(1.05, float64(i)))
	}
	for range 28 { // to 6.7e11 readings, of at most 1e12
		require.NoError(t, sketch.Merge(sketch.Clone()))
	}

	read := received(t, sketch)

	total := int64(0)
	for _, bin := range binsOf(t, read) {
		total += bin.Count
	}
	assert.EqualValues(t, 2500<<28, total)
}
