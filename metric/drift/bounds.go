package drift

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
)

// sizes are those of a period that bounds are kept for; others have one that lies between
// those of their neighbours.
var sizes = [...]int64{
	1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 19, 23, 27, 32, 38, 45, 54, 64, 76, 91, 108, 127,
	128, 152, 181, 215, 256, 304, 362, 431, 512, 609, 724, 861, 1<<10 - 1,
	1 << 10, 1 << 11, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20,
}

// stretch are the places in sizes, from first to end, whose bounds are found together: a
// period of one size is simulated by adding readings to a smaller one.
type stretch struct{ first, end int }

var stretches = [...]stretch{{0, 24}, {24, 37}, {37, len(sizes)}}

// Stretches are the smallest sizes of the stretches that bounds are found for.
func Stretches() (all []int64) {
	for _, s := range stretches {
		all = append(all, sizes[s.first])
	}
	return all
}

// StretchOf is the smallest size of the stretch that a size is in.
func StretchOf(size int64) int64 { return sizes[stretchOf(size).first] }

func stretchOf(size int64) stretch {
	low, _, _ := around(size)
	at := slices.IndexFunc(stretches[:], func(s stretch) bool { return low < s.end })
	return stretches[at]
}

// around are the places in sizes of the two that one is between, and which part of the
// way from one to the other it has gone, by ratios: 2 is in the middle of 1 and 4.
func around(size int64) (low, high int, part float64) {
	at, isThere := slices.BinarySearch(sizes[:], size)
	switch {
	case isThere, at == 0:
		return at, at, 0
	case at == len(sizes):
		return at - 1, at - 1, 0
	}
	part = logarithm(float64(size)/float64(sizes[at-1])) / logarithm(float64(sizes[at])/float64(sizes[at-1]))
	return at - 1, at, part
}

// steps are the sizes that are simulated to find the bounds of a stretch, ascending:
// those of sizes and, the fewer bins there are, the more between two of them. Where one
// reading more in a bin changes much, sizes that are next to each other have bounds that
// differ.
func (s stretch) steps(bins int) (steps []int64) {
	for at := s.first; at+1 < s.end; at++ {
		width := sizes[at+1] - sizes[at]
		parts := min(width, int64(max(1, min(mostParts, evenParts/bins))))
		if sizes[at] > manyReadings && bins > fewBins {
			parts = 1
		}
		for part := range parts {
			steps = append(steps, sizes[at]+width*part/parts)
		}
	}

	return append(steps, sizes[s.end-1])
}

const (
	mostParts = 16 // that are made of what is between two sizes
	evenParts = 32 // bins times parts
	// Of more than fewBins bins, each with its own share, the bounds of periods of more
	// than manyReadings go on without a step.
	fewBins      = 8
	manyReadings = 1 << 10
)

// above are bounds for sizes that are, at each step, at least as high as what was found.
func (s stretch) above(steps []int64, found []float64) Bounds {
	bounds := make(Bounds, len(sizes))
	for i, step := range steps {
		if low, high, _ := around(step); low == high {
			bounds[low] = found[i]
		}
	}

	// What is above the line between two is brought below it by raising the nearer one.
	for i, step := range steps {
		low, high, part := around(step)
		lacks := found[i] - bounds.between(low, high, part)
		switch {
		case lacks <= 0:
		case part < 0.5:
			bounds[low] += lacks / (1 - part)
		default:
			bounds[high] += lacks / part
		}
	}

	for at := s.first; at < s.end; at++ {
		bounds[at] = roundedUp(bounds[at])
	}
	return bounds
}

// Bounds are those of one Null by their place in sizes, as multiples of their scale, of
// which those that are not known are 0.
type Bounds []float64

func (b Bounds) between(low, high int, part float64) float64 {
	return b[low] + float64(part*(b[high]-b[low]))
}

// At is the bound for a period of some size against a reference of some size. known is
// false where it has not been found.
func (b Bounds) At(statistic Statistic, size, reference int64) (bound float64, known bool) {
	if !b.Know(size) {
		return 0, false
	}
	low, high, part := around(size)
	return significant(float64(b.between(low, high, part) * scale(statistic, size, reference))), true
}

// Know says that the bound for a period of some size has been found.
func (b Bounds) Know(size int64) bool {
	low, _, _ := around(size) // those of a stretch are known together
	return len(b) == len(sizes) && b[low] != 0
}

// With are the bounds with those of another stretch.
func (b Bounds) With(found Bounds) Bounds {
	all := slices.Clone(found)
	for i := range b[:min(len(b), len(all))] {
		all[i] = max(all[i], b[i])
	}
	return all
}

// Bounds are kept in 16 bits each, the upper 5 for a power of 2 and the others for what
// is between it and the next.
const (
	steps16 = 1 << 11
	least16 = -15 // the least power of 2
)

// roundedUp is the next value of 16 bits that is above one.
func roundedUp(value float64) float64 {
	return unpack16(pack16(value * (1 + 1e-9)))
}

func pack16(value float64) uint16 {
	if value <= math.Ldexp(1, least16) {
		return 1 // 0 is one that is not known
	}
	mantissa, power := math.Frexp(value)
	packed := float64(power-1-least16)*steps16 + math.Ceil((2*mantissa-1)*steps16)
	return uint16(min(packed, math.MaxUint16))
}

func unpack16(packed uint16) float64 {
	if packed == 0 {
		return 0
	}
	return math.Ldexp(1+float64(packed%steps16)/steps16, int(packed/steps16)+least16)
}

// MarshalJSON writes the bounds packed.
func (b Bounds) MarshalJSON() ([]byte, error) {
	packed := make([]byte, 0, 2*len(b))
	for _, bound := range b {
		bits := uint16(0)
		if bound > 0 {
			bits = pack16(bound)
		}
		packed = binary.LittleEndian.AppendUint16(packed, bits)
	}
	return json.Marshal(unpadded(packed))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *Bounds) UnmarshalJSON(data []byte) error {
	var packed []byte
	err := json.Unmarshal(data, (*unpadded)(&packed))
	if err != nil || len(packed)%2 != 0 {
		return errors.New("packed bounds: broken off")
	}
	*b = make(Bounds, len(packed)/2)
	for i := range *b {
		(*b)[i] = unpack16(binary.LittleEndian.Uint16(packed[2*i:]))
	}
	return nil
}
