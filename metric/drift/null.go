package drift

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
)

// Null is what a statistic is when nothing has changed: both the reference and the
// period are samples of the same shares.
type Null struct {
	Statistic Statistic `json:"statistic"`
	// Counts are the reference's, whose shares both are samples of, each count plus one
	// half. Of a reference whose periods move along they are those it was frozen with.
	Counts Counts  `json:"counts"`
	Level  float64 `json:"level"` // how often the bound may be exceeded, more than 0 and less than 1
	// Among is how many such bounds a rule has. What chance does to one simulation it
	// does not do to all, so that each of many takes fewer samples.
	Among int `json:"among,omitempty"`
}

// LeastLevel is the lowest level that a bound can be found for: it takes mostSamples,
// a minute or two.
const LeastLevel = float64(exceedingRare) / mostSamples

const (
	// Some 200 samples exceed a bound, or all bounds of a rule together, and where that
	// takes more than manySamples at least 10, and 4 of each.
	exceeding     = 200
	fewestSamples = 20_000
	manySamples   = 200_000
	exceedingRare = 10
	exceedingEach = 4
	mostSamples   = 2_000_000
)

// samples are how many are drawn for a level.
func (n *Null) samples() int {
	among := float64(max(1, n.Among))
	many := min(manySamples, exceeding/(n.Level*among))
	rare := max(exceedingEach, exceedingRare/among) / n.Level
	return int(min(mostSamples, max(fewestSamples, many, rare)))
}

// Find finds the bounds of the periods whose sizes are in the same stretch as one, by
// simulation: the same on every processor, and at every time.
//
// A bin that is empty in the reference may be one that nothing falls into, between two
// whole numbers, or that of a value which is rare. Of the two the higher bound is taken:
// psi, which adds one half to each count, is further from 0 in the first case, and the
// others are in the second.
func (n *Null) Find(size int64) Bounds {
	s := stretchOf(size)
	steps := s.steps(len(n.Counts))
	found := n.simulate(s, steps, 0.5)
	if slices.Contains(n.Counts, 0) {
		for i, bound := range n.simulate(s, steps, 0) {
			found[i] = max(found[i], bound)
		}
	}
	return s.above(steps, found)
}

// simulate finds the bounds at some sizes, in their scale. more is what each count of
// the reference is taken to be more than it is.
//
// A bound is the k-th largest of so many samples, k being what the level allows. A
// reference and a period of which nothing has changed are one sample more, which is
// among the k largest as likely as every other is: it exceeds the bound with a
// probability of the level at most, however few the samples are.
func (n *Null) simulate(s stretch, steps []int64, more float64) []float64 {
	samples := n.samples()
	tails := make([]tail, len(steps))
	for i := range tails {
		tails[i].most = max(1, int(float64(n.Level*float64(samples+1))))
	}

	total := n.Counts.Total()
	draw := newSampler(rand.NewPCG(n.seed(), uint64(s.first)), sharesOf(n.Counts, more)) //nolint:gosec // a place is positive
	reference, period := make(Counts, len(n.Counts)), make(Counts, len(n.Counts))
	against := newYardstick(n.Statistic, len(n.Counts))
	for range samples {
		clear(reference)
		draw.add(reference, total)
		against.hold(reference, total)
		clear(period)
		drawn := int64(0)
		for i, step := range steps {
			draw.add(period, step-drawn)
			drawn = step
			tails[i].add(against.measure(period, step))
		}
	}

	found := make([]float64, len(steps))
	for i, step := range steps {
		found[i] = tails[i].least() / scale(n.Statistic, step, total)
	}
	return found
}

// seed is the reference's own.
func (n *Null) seed() uint64 {
	hash := fnv.New64a()
	for _, count := range n.Counts {
		_, _ = hash.Write(binary.LittleEndian.AppendUint64(nil, uint64(count))) //nolint:gosec // a count
	}
	return hash.Sum64()
}

// sharesOf are the shares of bins, of which each has so many readings more than it has.
func sharesOf(counts Counts, more float64) []float64 {
	total := float64(counts.Total()) + float64(float64(len(counts))*more)
	shares := make([]float64, len(counts))
	for i, count := range counts {
		shares[i] = (float64(count) + more) / total
	}
	return shares
}

// scale is how a bound shrinks about, as periods and references grow.
func scale(statistic Statistic, size, reference int64) float64 {
	variance := 1/float64(size) + 1/float64(reference)
	if statistic == PSI {
		return variance
	}
	return math.Sqrt(variance)
}
