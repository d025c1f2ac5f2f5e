package drift_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
)

// shape is how a feature may be distributed, in a reference and in a period.
type shape struct {
	name              string
	reference, period func(*rand.Rand) float64
}

func shapes() []shape {
	normal := func(mean, deviation float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return mean + deviation*r.NormFloat64() }
	}
	lognormal := func(mean, deviation float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return math.Exp(mean + deviation*r.NormFloat64()) }
	}
	binary := func(share float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return float64(int(share + r.Float64())) }
	}
	mixed := func(share float64, one, other func(*rand.Rand) float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 {
			if r.Float64() < share {
				return one(r)
			}
			return other(r)
		}
	}
	rounded := func(of func(*rand.Rand) float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return math.Round(of(r)) }
	}
	exponential := func(mean float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return mean * r.ExpFloat64() }
	}
	cauchy := func(place float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return place + math.Tan(math.Pi*(r.Float64()-0.5)) }
	}
	uniform := func(low, high float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return low + (high-low)*r.Float64() }
	}
	negative := func(of func(*rand.Rand) float64) func(*rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return -of(r) }
	}

	return []shape{
		{"normal, nothing moved", normal(0, 1), normal(0, 1)},
		{"normal, moved a tenth", normal(0, 1), normal(0.1, 1)},
		{"normal, moved a half", normal(0, 1), normal(0.5, 1)},
		{"normal, wider", normal(0, 1), normal(0, 1.5)},
		{"normal far from zero, spiky to a sketch", normal(100, 1), normal(100.3, 1)},
		{"normal very far from zero", normal(1e6, 1), normal(1e6+1, 1)},
		{"normal very near zero", normal(0, 1e-9), normal(1e-9, 1e-9)},
		{"lognormal", lognormal(0, 1), lognormal(0.2, 1)},
		{"lognormal, heavier tail", lognormal(0, 2), lognormal(0, 3)},
		{"negative lognormal", negative(lognormal(3, 1)), negative(lognormal(3.2, 1))},
		{"exponential", exponential(10), exponential(12)},
		{"uniform", uniform(0, 1), uniform(0.05, 1.05)},
		{"Cauchy", cauchy(0), cauchy(1)},
		{"binary", binary(0.02), binary(0.05)},
		{"counts", rounded(exponential(3)), rounded(exponential(4))},
		{"rounded normal", rounded(normal(0, 3)), rounded(normal(1, 3))},
		{"many zeros", mixed(0.7, normal(0, 0), lognormal(2, 1)), mixed(0.6, normal(0, 0), lognormal(2, 1))},
		{"two hills", mixed(0.5, normal(-3, 1), normal(3, 1)), mixed(0.3, normal(-3, 1), normal(3, 1))},
		{"an outlier of 1000 among 5000", mixed(1.0/5000, normal(1000, 0), normal(0, 1)), normal(0, 1)},
		{"constant, then not", normal(7, 0), mixed(0.9, normal(7, 0), normal(9, 1))},
	}
}

// Bins lose something of what raw values say, and how much at most is in docs/drift.md:
// KS is never too large, and too small by the largest share that
// a bin of more than one value has in the reference; the distance
// of Wasserstein is that of readings cut at the outermost edges, within the sum of the
// widths of bins times the larger share of the two. What a sketch leaves in doubt
// comes on top, and the range tells it.
func TestStatisticsOverBinsAreAsNearToThoseOfRawValuesAsIsPromised(t *testing.T) {
	for i, shape := range shapes() {
		random := rand.New(rand.NewPCG(11, uint64(i)))
		first, later := drawn(random, shape.reference, 5000), drawn(random, shape.period, 2000)
		var learnt drift.Spread
		profiler := drift.Profiler{}
		summary := metric.Summary{}
		for _, value := range first {
			learnt.Add(value, 256)
			profiler.Add(&metric.Event{Metrics: map[string]float64{"x": value}})
		}
		for _, value := range later {
			summary.Add(value, time.Time{})
		}

		for from, reference := range map[string]*drift.Reference{
			"learnt": learnt.Freeze(0), "profile": profiler.Profile().Reference("x", false),
		} {
			exactly := &drift.Tally{Counts: make(drift.Counts, reference.Bins())}
			for _, value := range later {
				exactly.Counts[reference.Bin(value)]++
			}
			var spread drift.Spread
			require.True(t, spread.AddSummary(&summary, 1<<11))

			for by, tally := range map[string]*drift.Tally{"events": exactly, "a digest": reference.CountSpread(&spread)} {
				assertNear(t, shape.name+", "+from+" and "+by, reference, tally, first, later)
			}
		}
	}
}

func drawn(random *rand.Rand, from func(*rand.Rand) float64, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = from(random)
	}
	slices.Sort(values)
	return values
}

// rounding is what 12 significant digits and sums in another order may differ by.
const rounding = 1e-9

func assertNear(t *testing.T, name string, reference *drift.Reference, tally *drift.Tally, first, later []float64) {
	t.Helper()
	n, m := float64(reference.Counts.Total()), float64(tally.Counts.Total())
	largest, wide := 0.0, 0.0
	for i, count := range reference.Counts {
		isBetween := i > 0 && i < len(reference.Edges)
		if !isBetween || math.Nextafter(reference.Edges[i-1], math.Inf(1)) < reference.Edges[i] {
			largest = max(largest, float64(count)/n)
		}
		if isBetween {
			doubt := 0.0
			if tally.Doubt != nil {
				doubt = float64(tally.Doubt[i-1]+tally.Doubt[i]) / m
			}
			share := max(float64(count)/n, float64(tally.Counts[i])/m+doubt)
			wide += share * (reference.Edges[i] - reference.Edges[i-1])
		}
	}

	low, high, known := drift.KS.Range(reference, tally)
	require.True(t, known, name)
	ks, _ := distances(first, later, math.Inf(-1), math.Inf(1))
	assert.GreaterOrEqual(t, ks, low-rounding, "%s: ks", name)
	assert.LessOrEqual(t, ks, high+largest+rounding, "%s: ks", name)

	low, high, known = drift.Wasserstein.Range(reference, tally)
	if !known {
		assert.Zero(t, reference.Deviation, name)
		return
	}
	_, area := distances(first, later, reference.Edges[0], reference.Edges[len(reference.Edges)-1])
	area /= reference.Deviation
	wide /= reference.Deviation
	assert.GreaterOrEqual(t, area, low-wide-rounding, "%s: wasserstein", name)
	assert.LessOrEqual(t, area, high+wide+rounding, "%s: wasserstein", name)
}

// distances are the largest difference of two samples' cumulated shares, and the area
// between these from one value to another. Both samples are sorted.
func distances(first, later []float64, from, until float64) (ks, area float64) {
	places := slices.Concat(first, later)
	slices.Sort(places)
	for i, at := range places {
		f, g := below(first, at), below(later, at)
		ks = max(ks, math.Abs(f-g))
		if i+1 < len(places) {
			area += math.Abs(f-g) * max(0, min(places[i+1], until)-max(at, from))
		}
	}
	return ks, area
}

// below is the share of a sorted sample up to a value, itself too.
func below(sorted []float64, value float64) float64 {
	at, _ := slices.BinarySearch(sorted, math.Nextafter(value, math.Inf(1)))
	return float64(at) / float64(len(sorted))
}
