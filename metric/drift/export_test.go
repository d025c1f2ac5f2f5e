package drift

import "math/rand/v2"

// MeasureByYardstick is what a simulation measures of a period.
func MeasureByYardstick(s Statistic, reference, period Counts) float64 {
	y := newYardstick(s, len(reference))
	y.hold(reference, reference.Total())
	return y.measure(period, period.Total())
}

// Steps are the sizes that are simulated in the stretch that a size is in.
func Steps(size int64, bins int) []int64 { return stretchOf(size).steps(bins) }

// Above are the bounds of what was found at the steps of a stretch, in its scale.
func Above(size int64, bins int, found []float64) Bounds {
	return stretchOf(size).above(Steps(size, bins), found)
}

// InScale is a bound as a multiple of its scale.
func (b Bounds) InScale(size int64) float64 { return b.between(around(size)) }

// Drawn are n readings in each of whose bins there is its share.
func Drawn(source *rand.PCG, shares []float64, n int64) Counts {
	counts := make(Counts, len(shares))
	newSampler(source, shares).add(counts, n)
	return counts
}
