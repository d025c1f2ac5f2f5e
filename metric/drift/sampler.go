package drift

import (
	"math"
	"math/rand/v2"
)

// sampler draws readings whose bins have given shares from a source of random bits.
type sampler struct {
	source *rand.PCG
	ofRest []float64 // by bin, its share of what is not in those before it
	// A reading is in a bin, each being as likely, or else, by chance, in the other that
	// goes with it (Walker's method of aliases).
	stays []uint32
	other []int
}

func newSampler(source *rand.PCG, shares []float64) *sampler {
	s := &sampler{source: source, ofRest: make([]float64, len(shares)), stays: make([]uint32, len(shares)), other: make([]int, len(shares))}
	left := 1.0
	for i, share := range shares {
		s.ofRest[i] = min(1, share/left)
		left -= share
	}

	var scarce, ample []int
	scaled := make([]float64, len(shares))
	for i, share := range shares {
		scaled[i] = float64(share * float64(len(shares)))
		s.stays[i] = math.MaxUint32
		s.other[i] = i
		if scaled[i] < 1 {
			scarce = append(scarce, i)
		} else {
			ample = append(ample, i)
		}
	}
	for len(scarce) > 0 && len(ample) > 0 {
		few, many := scarce[len(scarce)-1], ample[len(ample)-1]
		scarce = scarce[:len(scarce)-1]
		s.stays[few] = uint32(scaled[few] * math.MaxUint32)
		s.other[few] = many
		scaled[many] -= 1 - scaled[few]
		if scaled[many] < 1 {
			ample = ample[:len(ample)-1]
			scarce = append(scarce, many)
		}
	}
	return s
}

// uniform is more than 0 and less than 1.
func (s *sampler) uniform() float64 {
	return (float64(s.source.Uint64()>>12) + 0.5) / (1 << 52)
}

// perBin is how many readings are drawn in the time that a binomial variable takes.
const perBin = 8

// add draws n readings more: a few one by one, and many by how many are in each bin.
func (s *sampler) add(into Counts, n int64) {
	if n <= perBin*int64(len(into)) {
		for range n {
			bits := s.source.Uint64()
			bin := int(bits >> 32 * uint64(len(into)) >> 32)
			if uint32(bits) >= s.stays[bin] { //nolint:gosec // its lower half
				bin = s.other[bin]
			}
			into[bin]++
		}
		return
	}

	for i, share := range s.ofRest {
		if i == len(into)-1 || n == 0 {
			into[i] += n
			return
		}
		drawn := s.binomial(n, share)
		into[i] += drawn
		n -= drawn
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
