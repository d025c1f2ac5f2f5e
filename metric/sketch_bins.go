package metric

import (
	"cmp"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// SketchBin is the place of a sketch's bin among all bins, in order of the values in
// them: 0 is the bin of zero, those above it are of positive values, those below it of
// negative ones. Readings of magnitude up to MaxMagnitude fall into some 100,000.
type SketchBin int32

// The indices, in DDSketch's count, of magnitudes up to MaxMagnitude.
var firstIndex, lastIndex = sketchMapping.Index(minIndexable), sketchMapping.Index(MaxMagnitude)

// SketchBinOf is the bin that a sketch counts a value in. It is computed as DDSketch's
// mapping has it, but with each product rounded by itself, so that it is the same on
// processors that fuse products and sums.
func SketchBinOf(value float64) SketchBin {
	switch {
	case value > minIndexable:
		return SketchBin(1 + sketchIndex(value) - firstIndex) //nolint:gosec // of some 100,000
	case value < -minIndexable:
		return SketchBin(firstIndex - 1 - sketchIndex(-value)) //nolint:gosec // of some 100,000
	}
	return 0
}

func sketchIndex(value float64) int {
	bits := math.Float64bits(value)
	exponent := float64(int(bits>>52&0x7FF) - 1023)
	fraction := math.Float64frombits(bits&(1<<52-1)|0x3FF<<52) - 1
	log := float64(mapping.A*fraction) + mapping.B
	log = float64(log*fraction) + mapping.C
	log = float64(log*fraction) + exponent
	return int(math.Floor(float64(log * sketchMultiplier)))
}

// sketchMultiplier is how many bins a factor of two spans.
var sketchMultiplier = 1 / math.Log2(math.Pow((1+SketchAccuracy)/(1-SketchAccuracy), 10*math.Ln2/7))

// index is the bin's in DDSketch's count, which begins anew on each side of zero.
func (b SketchBin) index() int {
	if b > 0 {
		return int(b) - 1 + firstIndex
	}
	return firstIndex - 1 - int(b)
}

// middle is the value that is within SketchAccuracy of all in the bin.
func (b SketchBin) middle() float64 {
	switch {
	case b > 0:
		return sketchMapping.Value(b.index())
	case b < 0:
		return -sketchMapping.Value(b.index())
	}
	return 0
}

// Floor is the smallest value that is counted in the bin or in one above it.
func (b SketchBin) Floor() float64 {
	low, high := orderOf(-2*MaxMagnitude), orderOf(2*MaxMagnitude)
	for low < high {
		middle := low + int64((uint64(high)-uint64(low))/2) //nolint:gosec // differences wrap around to the right one
		if SketchBinOf(valueOf(middle)) >= b {
			high = middle
		} else {
			low = middle + 1
		}
	}

	return valueOf(low)
}

// orderOf numbers the floats in order of their values, without a gap.
func orderOf(value float64) int64 {
	bits := int64(math.Float64bits(value)) //nolint:gosec // the sign bit becomes the sign
	if bits < 0 {
		return math.MinInt64 - bits
	}
	return bits
}

// valueOf is the float of a number that orderOf gave.
func valueOf(order int64) float64 {
	if order < 0 {
		order = math.MinInt64 - order
	}
	return math.Float64frombits(uint64(order)) //nolint:gosec // see orderOf
}

// SketchCount is how many values of a sketch are in the bins from First to Last.
type SketchCount struct {
	First, Last SketchBin
	Count       int64
}

// Bins are the bins of the sketch that hold values, in order of value. Those that were
// merged are one entry of many bins.
func (s *Sketch) Bins() ([]SketchCount, error) {
	err := s.decode()
	if err != nil {
		return nil, err
	}
	return s.inOrder(), nil
}

func (s *Sketch) inOrder() []SketchCount {
	all := make([]SketchCount, 0, s.used+len(s.merged))
	for _, b := range s.slots {
		if b.count > 0 {
			all = append(all, SketchCount{b.bin, b.bin, b.count})
		}
	}
	all = append(all, s.merged...)
	slices.SortFunc(all, func(a, b SketchCount) int { return cmp.Compare(a.First, b.First) })
	return all
}
