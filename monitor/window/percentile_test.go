package window

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// countedRank finds the nearest rank by counting: of n readings, the first of which
// at least so many tenths of a per cent are not larger.
func countedRank(tenths, n, from int64) int64 {
	rank := from
	for rank*1000 < tenths*n {
		rank++
	}
	return max(1, rank)
}

func TestAPercentileIsTheNearestRankForEveryTenthAndNumberOfReadings(t *testing.T) {
	for tenths := int64(1); tenths <= 999; tenths++ {
		stat := policy.Stat(fmt.Sprintf("p%d.%d", tenths/10, tenths%10))
		percent, ok := stat.Percentile()
		require.True(t, ok, stat)
		counted := int64(0)
		for n := int64(1); n <= 2000; n++ {
			counted = countedRank(tenths, n, max(0, counted-1))
			if rank := nearestRank(percent, n); rank != counted {
				require.Equal(t, counted, rank, "%s of %d readings", stat, n)
			}
		}
	}
}

// A bucket's sketch is asked for the rank exactly, on both sides of each jump.
func TestADatapointIsTheReadingOfItsRank(t *testing.T) {
	const n = 1000
	for _, c := range []struct {
		stat policy.Stat
		rank int
	}{{"p0.1", 1}, {"p7", 70}, {"p50", 500}, {"p75", 750}, {"p90", 900}, {"p99.5", 995}, {"p99.9", 999}} {
		for _, values := range [][2]float64{{100, 900}, {-900, -100}, {-5, 5}, {0, 5}, {-5, 0}} {
			for _, low := range []int{c.rank - 1, c.rank} { // of the smaller value
				readings := append(slices.Repeat([]float64{values[0]}, low), slices.Repeat([]float64{values[1]}, n-low)...)
				b := &Bucket{}
				for _, reading := range readings {
					b.add(&metric.Summary{Count: 1, Sum: reading, Min: reading, Max: reading}, c.stat, false)
				}
				value, measured := b.value(c.stat).Get()
				require.True(t, measured)
				assert.InDelta(t, readings[c.rank-1], value, 0.011*math.Abs(readings[c.rank-1]), "%s, %d of %v", c.stat, low, values)
			}
		}
	}
}

// fill counts readings into a bucket: one by one, and of those whose number is drawn,
// some as a digest, which may have been received.
func fill(t *rapid.T, b *Bucket, stat policy.Stat, readings []float64) {
	for len(readings) > 0 {
		n := min(rapid.SampledFrom([]int{1, 1, 1, 7, 300}).Draw(t, "readings"), len(readings))
		summary := &metric.Summary{}
		for _, reading := range readings[:n] {
			summary.Add(reading, time.Time{})
		}
		readings = readings[n:]
		b.add(summary, stat, false)
	}
}

func TestAPercentileIsWithinOnePerCentOfItsReadingOrUnknown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tenths := rapid.Int64Range(1, 999).Draw(t, "tenths")
		stat := policy.Stat(fmt.Sprintf("p%d.%d", tenths/10, tenths%10))
		readings := make([]float64, rapid.IntRange(1, 1500).Draw(t, "n"))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		decades := rapid.Float64Range(0, 20).Draw(t, "decades")
		negative := rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "negative")
		for i := range readings {
			readings[i] = math.Pow(10, decades*(random.Float64()-0.5))
			if random.Float64() < negative {
				readings[i] = -readings[i]
			}
		}
		isOrdered := rapid.Bool().Draw(t, "ordered") // the percentile moves as far as it can
		if isOrdered {
			slices.Sort(readings)
		}
		b := &Bucket{}
		fill(t, b, stat, readings)

		value, isKnown := b.value(stat).Get()

		slices.Sort(readings)
		exact := readings[countedRank(tenths, int64(len(readings)), 0)-1]
		if isKnown {
			require.InDelta(t, exact, value, 1.001*metric.SketchAccuracy*math.Abs(exact))
		}
		require.True(t, isKnown || isOrdered || len(readings) > keptBins, "few readings, or such of one distribution, are told apart")
		assert.LessOrEqual(t, b.Sketch.Len(), keptBins)
	})
}

func TestAPercentileOfOneDistributionIsKnownHoweverWideItIs(t *testing.T) {
	for name, draw := range map[string]func(r *rand.Rand) float64{
		"one reading of 2,000,000 among some of 20": func(r *rand.Rand) float64 {
			if r.IntN(1000) == 0 {
				return 2e6
			}
			return 20 * math.Exp(0.3*r.NormFloat64())
		},
		"p-values near 1e-9":             func(r *rand.Rand) float64 { return math.Pow(r.Float64(), 30) },
		"20 decades":                     func(r *rand.Rand) float64 { return math.Pow(10, 20*r.Float64()-10) },
		"errors of both signs":           func(r *rand.Rand) float64 { return r.NormFloat64() },
		"20 decades on each side":        func(r *rand.Rand) float64 { return math.Pow(10, 20*r.Float64()-10) * float64(1-2*r.IntN(2)) },
		"amounts of a factor of million": func(r *rand.Rand) float64 { return math.Exp(2 * r.NormFloat64()) },
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			readings := make([]float64, 20_000)
			for i := range readings {
				readings[i] = draw(random)
			}
			sorted := slices.Sorted(slices.Values(readings))
			for _, tenths := range []int64{1, 10, 50, 250, 500, 750, 950, 990, 999} {
				stat := policy.Stat(fmt.Sprintf("p%d.%d", tenths/10, tenths%10))
				b := &Bucket{}
				for _, reading := range readings {
					b.add(&metric.Summary{Count: 1, Min: reading, Max: reading}, stat, false)
				}

				value, isKnown := b.value(stat).Get()

				require.True(t, isKnown, stat)
				exact := sorted[countedRank(tenths, int64(len(sorted)), 0)-1]
				assert.InDelta(t, exact, value, 1.001*metric.SketchAccuracy*math.Abs(exact), stat)
			}
		})
	}
}
