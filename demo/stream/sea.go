package stream

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Defaults of a SEA stream. Noise and the block length are those of Street and
// Kim (2001): 50,000 samples in four blocks, a tenth of the classes flipped.
const (
	DefaultNoise      = 0.10
	DefaultDriftEvery = 12_500
)

const (
	seaInputs = 3
	seaRange  = 10.0 // every input is uniform in [0, seaRange)
)

// DefaultThetas returns the four thresholds of Street and Kim, ordered so that
// each change costs a model of the concept before it a good deal: with a tenth
// of noise 10.5, 16.5 and 12.8 points of accuracy.
func DefaultThetas() []float64 { return []float64{8, 9.5, 7, 9} }

// Config says how a SEA stream goes. The zero Config is a stream of the default
// thetas and noise, which drifts every 12,500 samples.
type Config struct {
	Seed uint64
	// Noise is the probability, 0 to 0.5, that a sample's class is flipped; nil
	// means DefaultNoise. No model can be right more often than 1 - Noise.
	Noise *float64
	// Thetas are the concepts in order, each in (0, 20); nil means DefaultThetas.
	Thetas []float64
	// DriftEvery is how many samples each concept but the last has; 0 means
	// DefaultDriftEvery.
	DriftEvery int
	// DriftAt, if given, places the drifts instead: the index, from 0, of the
	// first sample of each concept but the first. Strictly ascending, one fewer
	// than Thetas.
	DriftAt []int
	// Skews, if given, are the powers of each concept's inputs, of which a uniform
	// number in [0, 1) is taken before it is stretched to [0, 10): above 1 small inputs
	// become more frequent, below 1 large ones. As many as Thetas, each with a power
	// above 0 for every input; nil leaves all inputs uniform.
	Skews [][]float64
}

// SEA is the stream of Street and Kim, "A streaming ensemble algorithm (SEA) for
// large-scale classification", KDD 2001, doi:10.1145/502512.502568. Three inputs
// are uniform in [0, 10); the class is x[0] + x[1] <= theta, and x[2] is
// irrelevant. The theta changes abruptly; the inputs' distribution does only where
// Config.Skews says so, and else a drift shows in accuracy alone. It has no end: the
// last concept stays. The same Config gives the same samples. Not for concurrent use.
type SEA struct {
	random  *rand.Rand
	noise   float64
	thetas  []float64
	skews   [][]float64
	driftAt []int
	index   int // of the next sample
}

// New returns a SEA stream at its first sample, or an error that names every
// fault of the Config.
func New(config Config) (*SEA, error) {
	sea := &SEA{
		random:  rand.New(rand.NewPCG(config.Seed, 0)),
		noise:   DefaultNoise,
		thetas:  slices.Clone(config.Thetas),
		driftAt: slices.Clone(config.DriftAt),
	}
	var faults []error
	if config.Noise != nil {
		sea.noise = *config.Noise
	}
	if !(sea.noise >= 0 && sea.noise <= 0.5) {
		faults = append(faults, fmt.Errorf("noise: must be in 0 to 0.5, got %v", sea.noise))
	}
	if config.Thetas == nil {
		sea.thetas = DefaultThetas()
	} else if len(config.Thetas) == 0 {
		faults = append(faults, errors.New("thetas: must not be empty; leave them out for the default concepts"))
	}

	for i, theta := range sea.thetas {
		if !(theta > 0 && theta < 2*seaRange) {
			faults = append(faults, fmt.Errorf("thetas[%d]: must be between 0 and %v, got %v", i, 2*seaRange, theta))
		}
	}

	faults = append(faults, sea.skew(config.Skews), sea.placeDrifts(config))
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	return sea, nil
}

// skew takes the powers of the inputs, one list for each concept.
func (s *SEA) skew(skews [][]float64) error {
	if skews == nil {
		return nil
	}
	if len(skews) != len(s.thetas) {
		return fmt.Errorf("skews: must be %d, one for each theta, got %d", len(s.thetas), len(skews))
	}
	for i, powers := range skews {
		isGood := len(powers) == seaInputs
		for _, power := range powers {
			isGood = isGood && power > 0 && !math.IsInf(power, 1)
		}
		if !isGood {
			return fmt.Errorf("skews[%d]: must be %d finite powers above 0, got %v", i, seaInputs, powers)
		}
	}

	s.skews = skews
	return nil
}

// placeDrifts fills driftAt from DriftEvery, or checks the one that was given.
func (s *SEA) placeDrifts(config Config) error {
	drifts := len(s.thetas) - 1
	if config.DriftAt == nil {
		every := config.DriftEvery
		if every == 0 {
			every = DefaultDriftEvery
		}
		if every < 0 || drifts > 0 && every > math.MaxInt/drifts {
			return fmt.Errorf("drift_every: must be a number of samples, got %d", config.DriftEvery)
		}

		for i := range drifts {
			s.driftAt = append(s.driftAt, (i+1)*every)
		}
		return nil
	}
	if config.DriftEvery != 0 {
		return errors.New("drift_at: must be left out where drift_every is given")
	}
	if len(config.DriftAt) != max(drifts, 0) {
		return fmt.Errorf("drift_at: must place the %d drifts between %d thetas, got %d", drifts, len(s.thetas), len(config.DriftAt))
	}

	before := 0
	for i, at := range config.DriftAt {
		if at <= before {
			return fmt.Errorf("drift_at[%d]: must be above %d, got %d", i, before, at)
		}
		before = at
	}

	return nil
}

// Next returns the next sample.
func (s *SEA) Next() Sample {
	concept := s.Concept()
	theta := s.thetas[concept]
	x := make([]float64, seaInputs)
	for i := range x {
		share := s.random.Float64()
		if s.skews != nil {
			share = math.Pow(share, s.skews[concept][i])
		}
		x[i] = seaRange * share
	}
	y := x[0]+x[1] <= theta
	if s.random.Float64() < s.noise {
		y = !y
	}
	s.index++
	return Sample{X: x, Y: y}
}

// Take returns the next n samples.
func (s *SEA) Take(n int) []Sample {
	samples := make([]Sample, n)
	for i := range samples {
		samples[i] = s.Next()
	}
	return samples
}

// Concept returns which concept, from 0, the next sample is of. It is for
// summaries; whoever learns from the stream must not ask.
func (s *SEA) Concept() int {
	concept, exact := slices.BinarySearch(s.driftAt, s.index)
	if exact {
		concept++
	}
	return concept
}

// Index returns how many samples have been taken.
func (s *SEA) Index() int { return s.index }
