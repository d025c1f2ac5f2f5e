package window

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
					b.add(&metric.Summary{Count: 1, Sum: reading, Min: reading, Max: reading}, true, false)
				}
				value, measured := b.value(c.stat).Get()
				require.True(t, measured)
				assert.InDelta(t, readings[c.rank-1], value, 0.011*math.Abs(readings[c.rank-1]), "%s, %d of %v", c.stat, low, values)
			}
		}
	}
}
