package drift

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
)

// Null is what a statistic is when nothing has changed: both the reference and the
// period are samples of the same shares.
type Null struct {
	Statistic Statistic `json:"statistic"`
	// Counts are the reference's, whose shares, each count plus one half, both are
	// samples of. Of a reference whose periods move along they are those it was frozen with.
	Counts Counts  `json:"counts"`
	Level  float64 `json:"level"` // how often the bound may be exceeded, more than 0 and less than 1
}

// LeastLevel is the lowest level that a bound can be found for: it takes mostSamples,
// some seconds for each size of a period.
const LeastLevel = float64(exceedingRare) / mostSamples

const (
	// A bound is the quantile of so many samples that some 200 of them exceed it, and
	// where that takes more than manySamples at least 10.
	exceeding     = 200
	fewestSamples = 20_000
	manySamples   = 200_000
	exceedingRare = 10
	mostSamples   = 2_000_000
)

// samples are how many are drawn for a level.
func (n *Null) samples() int {
	many := min(manySamples, max(fewestSamples, exceeding/n.Level))
	return int(min(mostSamples, max(many, exceedingRare/n.Level)))
}

// Sizes are the sizes of a period that bounds are found for, ascending. The bound of
// another size is between those of its neighbours.
func Sizes() []int64 {
	return []int64{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20}
}

// Bound is what the statistic of a period of some size exceeds with probability Level
// at most, by simulation: the same on every processor, and at every time. It has the
// digits of a float32, which is more than the simulation knows.
func (n *Null) Bound(size int64) float64 {
	shares := sharesOf(n.Counts)
	samples := n.samples()
	values := make([]float64, samples)
	draw := &sampler{source: rand.NewPCG(1, uint64(size))} //nolint:gosec // a size is positive
	reference, period := make(Counts, len(shares)), make(Counts, len(shares))
	total := n.Counts.Total()
	for i := range values {
		draw.multinomial(reference, total, shares)
		draw.multinomial(period, size, shares)
		values[i], _ = n.Statistic.of(reference, period, nil, 0)
	}

	slices.Sort(values)
	return float64(float32(values[samples-1-int(float64(n.Level*float64(samples)))]))
}

// sharesOf are the shares of bins, each count plus one half.
func sharesOf(counts Counts) []float64 {
	total := float64(counts.Total()) + float64(len(counts))/2
	shares := make([]float64, len(counts))
	for i, count := range counts {
		shares[i] = (float64(count) + 0.5) / total
	}
	return shares
}

// Bounds are those of one Null at Sizes, of which those that are not known are 0.
type Bounds []float64

// At is the bound for a period of some size against a reference of some size; frozen is
// the size of the reference that the bounds were found for. known is false where a
// neighbour's bound is not known.
//
// A bound shrinks about as the root of 1/size + 1/reference does, psi as that itself:
// what is between two sizes is found on that scale. Of small periods, whose bins are
// sparse, it shrinks more slowly, and is found between the bounds themselves.
func (b Bounds) At(statistic Statistic, size, reference, frozen int64) (bound float64, known bool) {
	low, high := Around(size)
	sizes := Sizes()
	if len(b) <= high || b[low] == 0 || b[high] == 0 {
		return 0, false
	}

	share := 0.0 // of the way from one to the other, by ratios: 2 is in the middle of 1 and 4
	if low != high {
		share = logarithm(float64(size)/float64(sizes[low])) / logarithm(float64(sizes[high])/float64(sizes[low]))
	}
	moved := scale(statistic, size, reference) / scale(statistic, size, frozen)
	if size < smoothFrom {
		bound = b[low] + float64(share*(b[high]-b[low]))
		return significant(float64(bound * moved)), true
	}

	ofLow := b[low] / scale(statistic, sizes[low], frozen)
	ofHigh := b[high] / scale(statistic, sizes[high], frozen)
	bound = ofLow + float64(share*(ofHigh-ofLow))
	return significant(float64(bound * scale(statistic, size, reference))), true
}

// smoothFrom is from what size on a bound follows its scale.
const smoothFrom = 128

// MarshalJSON writes the bounds packed.
func (b Bounds) MarshalJSON() ([]byte, error) {
	packed := make([]byte, 0, 4*len(b))
	for _, bound := range b {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(float32(bound)))
	}
	return json.Marshal(unpadded(packed))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *Bounds) UnmarshalJSON(data []byte) error {
	var packed []byte
	err := json.Unmarshal(data, (*unpadded)(&packed))
	if err != nil || len(packed)%4 != 0 {
		return errors.New("packed bounds: broken off")
	}
	*b = make(Bounds, len(packed)/4)
	for i := range *b {
		(*b)[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(packed[4*i:])))
	}
	return nil
}

// Around are the places in Sizes of the two sizes that one is between.
func Around(size int64) (low, high int) {
	sizes := Sizes()
	at, found := slices.BinarySearch(sizes, size)
	switch {
	case found:
		return at, at
	case at == 0:
		return 0, 0
	case at == len(sizes):
		return at - 1, at - 1
	}
	return at - 1, at
}

func scale(statistic Statistic, size, reference int64) float64 {
	variance := 1/float64(size) + 1/float64(reference)
	if statistic == PSI {
		return variance
	}
	return math.Sqrt(variance)
}

// sampler draws from a source of random bits.
type sampler struct{ source *rand.PCG }

// uniform is more than 0 and less than 1.
func (s *sampler) uniform() float64 {
	return (float64(s.source.Uint64()>>12) + 0.5) / (1 << 52)
}

// multinomial draws how many of n fall into each bin.
func (s *sampler) multinomial(into Counts, n int64, shares []float64) {
	left := 1.0
	for i, share := range shares {
		if i == len(shares)-1 || n == 0 {
			into[i] = n
			n = 0
			continue
		}
		into[i] = s.binomial(n, min(1, share/left))
		n -= into[i]
		left -= share
	}
}

// fewExpected is up to how many expected ones a binomial variable is drawn exactly;
// beyond, its quantile function is expanded around the normal one (Cornish and Fisher,
// 1938), which is then off by less than the rounding to whole numbers.
const fewExpected = 12

// binomial draws how many of n come, of which each does with probability p.
func (s *sampler) binomial(n int64, p float64) int64 {
	if p > 0.5 {
		return n - s.binomial(n, 1-p)
	}

	mean := float64(float64(n) * p)
	if mean <= fewExpected {
		return s.countUp(n, p)
	}

	q := 1 - p
	variance := float64(mean * q)
	spread := math.Sqrt(variance)
	z := normal(s.uniform())
	square := float64(z * z)
	skew := (q - p) / spread
	tail := (1 - float64(6*float64(p*q))) / variance
	x := z + float64(skew*(square-1))/6 + float64(float64(tail*z)*(square-3))/24 - float64(float64(float64(skew*skew)*z)*(float64(2*square)-5))/36
	return int64(min(float64(n), max(0, math.Floor(mean+float64(spread*x)+0.5))))
}

// countUp draws by adding up probabilities from 0 on.
func (s *sampler) countUp(n int64, p float64) int64 {
	odds := p / (1 - p)
	probability := power(1-p, n)
	u := s.uniform()
	for k := int64(0); k < n; k++ {
		if u < probability {
			return k
		}
		u -= probability
		probability = float64(float64(probability*odds)*float64(n-k)) / float64(k+1)
	}
	return n
}

// power is x to the n.
func power(x float64, n int64) float64 {
	result := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result = float64(result * x)
		}
		x = float64(x * x)
	}
	return result
}
