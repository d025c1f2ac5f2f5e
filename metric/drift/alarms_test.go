package drift_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric/drift"
)

// boundOf is the bound for periods of a size against a reference of another.
func boundOf(null *drift.Null, size, reference int64) float64 {
	bound, _ := null.Find(size).At(null.Statistic, size, reference)
	return bound
}

// Each stream learns a reference of its own, has its bound found, and looks once. Many
// bins are few streams, since each bound is a simulation of its own; examples/drift/streams
// counts ten thousand streams of more shapes and sizes.
func TestStreamsThatEachLearnAReferenceBreachAsRarelyAsWasAsked(t *testing.T) {
	patience.Long(t)
	const level, learnt, size = 0.02, 2000, 96
	for name, c := range map[string]struct {
		shares  []float64
		streams int
	}{
		"one rare value": {[]float64{1, 50}, 1500},
		"five values":    {[]float64{50, 25, 15, 7, 3}, 400},
		"equal bins":     {slices.Repeat([]float64{1}, 32), 100},
	} {
		for _, s := range []drift.Statistic{drift.KS, drift.PSI, drift.JS, drift.TVD} {
			t.Run(name+", "+string(s), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(13, 17))
				breaching := 0
				for range c.streams {
					reference := &drift.Reference{Edges: make([]float64, len(c.shares)-1), Counts: draw(random, c.shares, learnt)}
					null := drift.Null{Statistic: s, Counts: reference.Counts, Level: level}
					value, known := s.Measure(reference, draw(random, c.shares, size))
					require.True(t, known)
					if value > boundOf(&null, size, learnt) {
						breaching++
					}
				}

				asked := level * float64(c.streams)
				// Three standard deviations of a binomial variable.
				assert.LessOrEqual(t, breaching, int(asked+3*math.Sqrt(asked)))
				t.Logf("%d of %d, %v were asked", breaching, c.streams, asked)
			})
		}
	}
}
