package metric

import (
	"math"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// SketchBin is the place of a sketch's bin among all bins, in order of the values in
// them: 0 is the bin of zero, those above it are of positive values, those below it of
// negative ones. Readings of magnitude up to MaxMagnitude fall into some 100,000.
type SketchBin int32

// SketchBinOf is the bin that a sketch counts a value in. It is computed as the
// sketch's own mapping has it, but with each product rounded by itself, so that it is
// the same on processors that fuse products and sums.
func SketchBinOf(value float64) SketchBin {
	switch {
	case value > minIndexable:
		return SketchBin(1 + sketchIndex(value) - firstBin) //nolint:gosec // of some 100,000
	case value < -minIndexable:
		return SketchBin(firstBin - 1 - sketchIndex(-value)) //nolint:gosec // of some 100,000
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

// Bins are the bins of the sketch that hold values, in order of value. Where the
// sketch has merged the bins nearest to zero, that is one entry of many bins.
func (s *Sketch) Bins() (bins []SketchCount, err error) {
	err = s.decode()
	if err != nil {
		return nil, err
	}

	negative := sidesBins(s.sketch.GetNegativeValueStore())
	for i := len(negative) - 1; i >= 0; i-- {
		bins = append(bins, SketchCount{-negative[i].Last, -negative[i].First, negative[i].Count})
	}
	if zeros := s.sketch.GetZeroCount(); zeros > 0 {
		bins = append(bins, SketchCount{0, 0, int64(zeros)})
	}
	return append(bins, sidesBins(s.sketch.GetPositiveValueStore())...), nil
}

// sidesBins are the bins on one side of zero, by magnitude.
func sidesBins(side store.Store) (bins []SketchCount) {
	least, err := side.MinIndex()
	if err != nil { // it is empty
		return nil
	}

	greatest, _ := side.MaxIndex()
	isCollapsed := greatest-least+1 >= maxSketchBins
	side.ForEach(func(index int, count float64) (stop bool) {
		if count <= 0 {
			return false
		}
		bin := SketchBin(1 + index - firstBin) //nolint:gosec // of some 100,000, see checkBins
		first := bin
		if isCollapsed && index == least {
			first = 1
		}
		bins = append(bins, SketchCount{first, bin, int64(count)})
		return false
	})
	return bins
}
