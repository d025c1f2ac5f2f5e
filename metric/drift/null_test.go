package drift_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric/drift"
)

func bounded() []drift.Statistic {
	return []drift.Statistic{drift.KS, drift.PSI, drift.JS, drift.TVD}
}

// Streams without a change breach as rarely as was asked, whatever the size of their
// periods: at sizes that bounds are kept for, and between them, where few values are
// lumpy, and many are sparse.
func TestABoundIsExceededAsRarelyAsWasAskedBySamplesOfEverySize(t *testing.T) {
	const streams, level = 2000, 0.02
	for name, shares := range map[string][]float64{
		"equal bins": slices.Repeat([]float64{1.5}, 32), "five values": {25, 12, 8, 3, 2}, "one rare value": {49, 1},
		"whole numbers, with nothing between": {0, 14, 0, 10, 0, 7.5, 0, 5, 0, 3.5, 0, 3, 0, 2, 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(7, 8))
			frozen := make(drift.Counts, len(shares))
			for i, share := range shares {
				frozen[i] = int64(100 * share)
			}
			learnt := frozen.Total()
			bounds := map[drift.Statistic]drift.Bounds{}
			for _, s := range bounded() {
				null := drift.Null{Statistic: s, Counts: frozen, Level: level}
				bounds[s] = null.Find(1).With(null.Find(700))
			}

			breaching := map[drift.Statistic]map[int64]int{}
			for range streams {
				fresh := &drift.Reference{Edges: make([]float64, len(shares)-1), Counts: draw(random, shares, learnt)}
				for _, size := range []int64{5, 9, 35, 50, 60, 80, 150, 350, 700} {
					period := draw(random, shares, size)
					for s, b := range bounds {
						bound, known := b.At(s, size, learnt)
						require.True(t, known)
						if value, _ := s.Measure(fresh, period); value > bound {
							if breaching[s] == nil {
								breaching[s] = map[int64]int{}
							}
							breaching[s][size]++
						}
					}
				}
			}

			asked := level * float64(streams)
			for s, bySize := range breaching {
				t.Logf("%s: %v, %v were asked", s, bySize, asked)
				for size, count := range bySize {
					// Four standard deviations of a binomial variable.
					assert.LessOrEqual(t, count, int(asked+4*math.Sqrt(asked)), "%s of %d", s, size)
				}
			}
		})
	}
}

func TestASimulationMeasuresWhatARuleMeasures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bins := rapid.IntRange(1, 40).Draw(t, "bins")
		counts := func(name string) drift.Counts {
			return rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64Range(0, 1<<20)), bins, bins).Draw(t, name)
		}
		reference, period := counts("reference"), counts("period")
		reference[0]++
		period[bins-1]++
		for _, s := range bounded() {
			value, known := s.Measure(&drift.Reference{Edges: make([]float64, bins-1), Counts: reference}, period)

			require.True(t, known)
			// A Jensen-Shannon distance is a root, of what is rounded near to 0.
			require.InDelta(t, value, drift.MeasureByYardstick(s, reference, period), 1e-7, s)
		}
	})
}

func TestBoundsAreAtLeastWhatWasFoundAtEachSizeThatWasSimulated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bins := rapid.IntRange(1, 100).Draw(t, "bins")
		first := rapid.SampledFrom(drift.Stretches()).Draw(t, "stretch")
		steps := drift.Steps(first, bins)
		require.Equal(t, first, steps[0])
		require.True(t, slices.IsSorted(steps))
		found := rapid.SliceOfN(rapid.Float64Range(1e-3, 1e3), len(steps), len(steps)).Draw(t, "found")
		bounds := drift.Above(first, bins, found)

		encoded, err := json.Marshal(bounds)
		require.NoError(t, err)
		var again drift.Bounds
		require.NoError(t, json.Unmarshal(encoded, &again))
		require.Equal(t, bounds, again)
		for i, step := range steps {
			require.True(t, bounds.Know(step))
			require.Equal(t, first, drift.StretchOf(step))
			require.GreaterOrEqual(t, bounds.InScale(step), found[i]*(1-1e-12), step)
		}
	})
}

// What is found of one stretch is what it is beside the others.
func TestBoundsOfOneStretchSayNothingOfAnother(t *testing.T) {
	null := drift.Null{Statistic: drift.TVD, Counts: drift.Counts{30, 20, 10}, Level: 0.05}
	all := drift.Bounds(nil)
	for _, size := range drift.Stretches() {
		assert.False(t, all.Know(size))
		all = all.With(null.Find(size))
	}
	for _, size := range []int64{11, 127, 128, 1023, 1024, 1 << 21} {
		alone := null.Find(size)
		bound, known := alone.At(drift.TVD, size, 60)
		require.True(t, known)
		together, _ := all.At(drift.TVD, size, 60)
		assert.InDelta(t, together, bound, 0)
		for _, other := range drift.Stretches() {
			assert.Equal(t, drift.StretchOf(size) == other, alone.Know(other))
		}
	}
}

// The simulation is the same on every processor, and from release to release, unless it
// is meant to be another.
func TestBoundsAreTheSameEverywhere(t *testing.T) {
	for s, expected := range map[drift.Statistic][]float64{
		drift.KS:  {0.978027343994, 0.198103499253, 0.0965288288141, 0.0618039096746, 0.05922087663},
		drift.PSI: {1.69723535156, 0.280317696841, 0.0722502046906, 0.0288933035663, 0.0262812622382},
		drift.JS:  {0.96116480358, 0.245712901104, 0.114808514815, 0.0728657788738, 0.0697679575343},
		drift.TVD: {0.978027343994, 0.22164744018, 0.108518645077, 0.0689461702787, 0.0653787996424},
	} {
		null := drift.Null{Statistic: s, Counts: drift.Counts{12, 40, 77, 130, 241}, Level: 0.01, Among: 3}
		var all drift.Bounds
		for _, size := range drift.Stretches() {
			all = all.With(null.Find(size))
		}
		var bounds []float64
		for _, size := range []int64{1, 50, 300, 5000, 1 << 30} {
			bound, _ := all.At(s, size, 500)
			bounds = append(bounds, bound)
		}
		assert.Equal(t, expected, bounds, s)
	}
}

// Readings are drawn as often as their shares say, one by one and by the hundred.
func TestReadingsAreDrawnByTheirShares(t *testing.T) {
	shares := []float64{0.5, 0.001, 0.2, 0.299}
	for _, n := range []int64{1, 31, 33, 5000} {
		source := rand.NewPCG(3, uint64(n))
		sum := make(drift.Counts, len(shares))
		for range 200_000 / n {
			counts := drift.Drawn(source, shares, n)
			require.Equal(t, n, counts.Total())
			sum.Add(counts)
		}
		total := float64(sum.Total())
		for i, share := range shares {
			assert.InDelta(t, share*total, float64(sum[i]), 4*math.Sqrt(share*total), "%d of %d", i, n)
		}
	}
}

// BenchmarkBounds is of all bounds of one metric of 32 equal bins, of 20,000 samples.
func BenchmarkBounds(b *testing.B) {
	counts := drift.Counts(slices.Repeat([]int64{156}, 32))
	for _, s := range bounded() {
		b.Run(string(s), func(b *testing.B) {
			null := drift.Null{Statistic: s, Counts: counts, Level: 0.01}
			for b.Loop() {
				for _, size := range drift.Stretches() {
					null.Find(size)
				}
			}
		})
	}
}
