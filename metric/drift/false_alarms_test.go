package drift_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric/drift"
)

// unchanged are what readings are drawn from.
var unchanged = map[string]func(*rand.Rand) float64{
	"normal":       func(r *rand.Rand) float64 { return r.NormFloat64() },
	"skewed":       func(r *rand.Rand) float64 { return math.Exp(1.5 * r.NormFloat64()) },
	"discrete":     func(r *rand.Rand) float64 { return math.Floor(-3 * math.Log(1-r.Float64())) },
	"heavy-tailed": func(r *rand.Rand) float64 { return math.Tan(math.Pi * (r.Float64() - 0.5)) },
}

// boundsFor are the bounds of periods of one size, by statistic.
func boundsFor(reference *drift.Reference, size int64, level float64) map[drift.Statistic]drift.Bounds {
	all := map[drift.Statistic]drift.Bounds{}
	for _, s := range []drift.Statistic{drift.KS, drift.PSI, drift.JS, drift.TVD} {
		null := drift.Null{Statistic: s, Counts: reference.Counts, Level: level}
		all[s] = null.Find(size)
	}
	return all
}

// learn freezes a fresh reference.
func learn(random *rand.Rand, shape func(*rand.Rand) float64, size int) *drift.Reference {
	spread := drift.Spread{}
	for range size {
		spread.Add(shape(random), 256)
	}
	return spread.Freeze(0)
}

// mostOf is three standard deviations beyond what a binomial variable is expected to be.
func mostOf(looks int, chance float64) int {
	mean := float64(looks) * chance
	return int(mean + 3*math.Sqrt(mean*(1-chance)))
}

// Each stream is one look at a fresh reference, of readings in bins frozen from
// readings. So that it takes minutes and not days, a bound is found for one reference
// of a hundred; examples/drift/streams counts ten thousand streams, of more sizes.
func TestStreamsWithoutAChangeBreachAsRarelyAsWasAsked(t *testing.T) {
	streams, sizes := 100, []int64{50, 700}
	if os.Getenv(patience.LongVariable) != "" {
		streams, sizes = 1000, []int64{50, 700, 5000}
	}
	const level, learnt, perBound = 0.02, 2000, 100
	for name, shape := range unchanged {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s of %d", name, size), func(t *testing.T) {
				random := rand.New(rand.NewPCG(11, uint64(size)))
				var bounds map[drift.Statistic]drift.Bounds
				breaching := map[drift.Statistic]int{}
				for i := range streams {
					reference := learn(random, shape, learnt)
					if i%perBound == 0 {
						bounds = boundsFor(reference, size, level)
					}
					counts := make(drift.Counts, reference.Bins())
					for range size {
						counts[reference.Bin(shape(random))]++
					}
					for s, b := range bounds {
						value, _ := s.Measure(reference, counts)
						bound, known := b.At(s, size, learnt)
						require.True(t, known)
						if value > bound {
							breaching[s]++
						}
					}
				}
				for s := range bounds {
					t.Logf("%s: %d of %d, at most %d were asked", s, breaching[s], streams, mostOf(streams, level))
					assert.LessOrEqual(t, breaching[s], mostOf(streams, level), s)
				}
			})
		}
	}
}

// A rule on forty features breaches as rarely as one on a single one.
func TestARuleOnFortyFeaturesBreachesAsRarelyAsWasAsked(t *testing.T) {
	looks := 50
	if os.Getenv(patience.LongVariable) != "" {
		looks = 1000
	}
	const features, perLook, size, learnt = 40, 0.05, 300, 1000
	level, ok := drift.Level(perLook, 1, 1, 1, features)
	require.True(t, ok)
	random := rand.New(rand.NewPCG(12, 13))
	bounds := boundsFor(learn(random, unchanged["normal"], learnt), size, level)
	breaching := map[drift.Statistic]int{}
	for range looks {
		isBeyond := map[drift.Statistic]bool{}
		for range features {
			reference := learn(random, unchanged["normal"], learnt)
			counts := make(drift.Counts, reference.Bins())
			for range size {
				counts[reference.Bin(random.NormFloat64())]++
			}
			for s, b := range bounds {
				value, _ := s.Measure(reference, counts)
				bound, _ := b.At(s, size, learnt)
				isBeyond[s] = isBeyond[s] || value > bound
			}
		}
		for s, is := range isBeyond {
			if is {
				breaching[s]++
			}
		}
	}
	for s := range bounds {
		t.Logf("%s: %d of %d, at most %d were asked", s, breaching[s], looks, mostOf(looks, perLook))
		assert.LessOrEqual(t, breaching[s], mostOf(looks, perLook), s)
	}
}
