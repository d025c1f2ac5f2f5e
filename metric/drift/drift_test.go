package drift_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
)

// naive are the statistics as their definitions have them, by floating point's own
// logarithm and in no particular order.
func naive(s drift.Statistic, edges []float64, deviation float64, reference, period []int64) float64 {
	n, m, half := 0.0, 0.0, float64(len(reference))/2
	for i := range reference {
		n += float64(reference[i])
		m += float64(period[i])
	}
	f, g, value, area := 0.0, 0.0, 0.0, 0.0
	for i := range reference {
		p, q := float64(reference[i])/n, float64(period[i])/m
		f += p
		g += q
		switch s {
		case drift.KS:
			value = math.Max(value, math.Abs(f-g))
		case drift.TVD:
			value += math.Abs(p-q) / 2
		case drift.PSI:
			p, q := (float64(reference[i])+0.5)/(n+half), (float64(period[i])+0.5)/(m+half)
			value += (q - p) * math.Log(q/p)
		case drift.JS:
			if p > 0 {
				value += p * math.Log2(2*p/(p+q)) / 2
			}
			if q > 0 {
				value += q * math.Log2(2*q/(p+q)) / 2
			}
		case drift.Wasserstein:
			if i+1 < len(edges) {
				area += math.Abs(f-g) * (edges[i+1] - edges[i])
			}
		}
	}
	switch s {
	case drift.JS:
		return math.Sqrt(math.Max(0, value))
	case drift.Wasserstein:
		return area / deviation
	}
	return value
}

func TestEachStatisticIsWhatItsFormulaSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edges := rapid.SliceOfNDistinct(rapid.Float64Range(-1000, 1000), 1, drift.MaxEdges, rapid.ID).Draw(t, "edges")
		slices.Sort(edges)
		counts := rapid.SliceOfN(rapid.Int64Range(0, 1000), len(edges)+1, len(edges)+1)
		reference := &drift.Reference{Edges: edges, Counts: counts.Draw(t, "reference"), Deviation: rapid.Float64Range(0.1, 10).Draw(t, "deviation")}
		period := drift.Counts(counts.Draw(t, "period"))
		reference.Counts[0]++
		period[len(edges)]++
		for _, s := range []drift.Statistic{drift.KS, drift.PSI, drift.JS, drift.TVD, drift.Wasserstein} {
			value, known := s.Measure(reference, period)

			want := naive(s, edges, reference.Deviation, reference.Counts, period)
			assert.True(t, known)
			assert.InDelta(t, want, value, 1e-9*math.Max(1, want), "%s", s)
		}
	})
}

func TestNothingIsKnownOfNothing(t *testing.T) {
	reference := &drift.Reference{Edges: []float64{1, 2}, Counts: drift.Counts{1, 2, 3}}
	for _, s := range []drift.Statistic{drift.KS, drift.PSI, drift.JS, drift.TVD} {
		_, known := s.Measure(reference, drift.Counts{0, 0, 0})
		assert.False(t, known, "%s of an empty period", s)
		_, known = s.Measure(&drift.Reference{Edges: []float64{1, 2}, Counts: drift.Counts{0, 0, 0}}, drift.Counts{1, 0, 0})
		assert.False(t, known, "%s against an empty reference", s)
	}
	_, known := drift.Wasserstein.Measure(reference, drift.Counts{1, 0, 0})
	assert.False(t, known, "the distance from a reference without spread")
}

// What is in doubt of the counts never takes a statistic out of the range that is told.
func TestAStatisticIsInItsRangeWhateverADoubtComesTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(50, 150), 20, 200)
		var learnt drift.Spread
		for _, value := range values.Draw(t, "reference") {
			learnt.Add(value, 256)
		}
		reference := learnt.Freeze(0)
		for i := range reference.Edges { // of a profile, say, which knows no sketch's boundaries
			reference.Edges[i] += rapid.Float64Range(-0.5, 0.5).Draw(t, "apart")
		}
		slices.Sort(reference.Edges)
		reference.Edges = slices.Compact(reference.Edges)
		reference.Counts = reference.Counts[:len(reference.Edges)+1]
		reference.Counts[0]++
		reference.Deviation = 10
		var seen drift.Spread
		exactly := make(drift.Counts, len(reference.Counts))
		for _, value := range values.Draw(t, "period") {
			seen.Add(value, 256)
			exactly[reference.Bin(value)]++
		}

		tally := reference.CountSpread(&seen)

		assert.Equal(t, exactly.Total(), tally.Counts.Total())
		for _, s := range []drift.Statistic{drift.KS, drift.PSI, drift.JS, drift.TVD, drift.Wasserstein} {
			exact, _ := s.Measure(reference, exactly)
			low, high, known := s.Range(reference, tally)
			assert.True(t, known)
			assert.LessOrEqual(t, low, exact+1e-9, "%s", s)
			assert.GreaterOrEqual(t, high, exact-1e-9, "%s", s)
		}
	})
}

// A reference that is learnt has edges at a sketch's boundaries, so that both what it
// learnt and what comes later by sketches is counted exactly.
func TestWhatIsLearntFromSketchesIsCountedExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ofSome := rapid.Float64Range(-1000, 1000).Filter(func(v float64) bool { return math.Abs(v) > 0.1 }) // a sketch holds a factor of 28,000
		value := rapid.OneOf(ofSome, rapid.Map(rapid.IntRange(-3, 3), func(i int) float64 { return float64(i) }))
		values := rapid.SliceOfN(value, 1, 300)
		most := rapid.SampledFrom([]int{32, 64, 256}).Draw(t, "most")
		read := values.Draw(t, "reference")
		var learnt drift.Spread
		for _, value := range read {
			learnt.Add(value, most)
		}

		reference := learnt.Freeze(3)

		counts := make(drift.Counts, reference.Bins())
		for _, value := range read {
			counts[reference.Bin(value)]++
		}
		assert.Equal(t, counts, reference.Counts)
		assert.LessOrEqual(t, len(reference.Edges), drift.MaxEdges)
		assert.True(t, slices.IsSorted(reference.Edges))
		assert.InDelta(t, 3/float64(len(read)+3), reference.MissingShare(), 1e-15)

		summary := &metric.Summary{}
		later := values.Draw(t, "period")
		exactly := make(drift.Counts, reference.Bins())
		for _, value := range later {
			summary.Add(value, metric.Event{}.Timestamp)
			exactly[reference.Bin(value)]++
		}
		var spread drift.Spread
		require.True(t, spread.AddSummary(summary, 1024))
		tally := reference.CountSpread(&spread)
		assert.False(t, tally.IsApproximate())
		assert.Equal(t, exactly, tally.Counts)
	})
}

func TestAnAtomHasABinOfItsOwn(t *testing.T) {
	var learnt drift.Spread
	for i := range 1000 {
		learnt.Add(float64(i%4*10), 256)
	}

	reference := learnt.Freeze(0)

	for _, atom := range []float64{0, 10, 20, 30} {
		assert.Equal(t, int64(250), reference.Counts[reference.Bin(atom)], "%v", atom)
	}
	assert.Less(t, reference.Bin(10), reference.Bin(10.5), "what is beside an atom is not in its bin")
	assert.InDelta(t, math.Sqrt(125), reference.Deviation, 1e-9)
}

func TestASpreadAndAReferenceComeThroughJSONAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var spread, back drift.Spread
		for _, value := range rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 0, 200).Draw(t, "values") {
			spread.Add(value, 32)
		}
		encoded, err := json.Marshal(&spread)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(encoded, &back))
		if spread.Count() > 0 {
			assert.Equal(t, spread, back)
		}

		reference, read := spread.Freeze(1), drift.Reference{}
		encoded, err = json.Marshal(reference)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(encoded, &read))
		assert.Equal(t, reference.Counts, read.Counts)
		assert.Equal(t, reference.ID(), read.ID())
	})
}

func TestSpreadsMergeIntoWhatTheirReadingsMakeTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1000, 1000), 1, 300)
		var one, other, both drift.Spread
		for _, value := range values.Draw(t, "one") {
			one.Add(value, 64)
			both.Add(value, 64)
		}
		for _, value := range values.Draw(t, "other") {
			other.Add(value, 32)
			both.Add(value, 32)
		}

		one.Merge(&other, 32)

		assert.Equal(t, both.Count(), one.Count())
		a, b := one.Freeze(0), both.Freeze(0)
		assert.InDelta(t, b.Deviation, a.Deviation, 1e-9*(1+b.Deviation))
		assert.Equal(t, both.Count(), a.Counts.Total())
	})
}

func TestLevelsAreThoseAtWhichARuleBreachesAsOftenAsIsAsked(t *testing.T) {
	choose := func(n, k int) float64 {
		all := 1.0
		for i := range k {
			all = all * float64(n-i) / float64(i+1)
		}
		return all
	}
	tail := func(p float64, n, k int) (sum float64) {
		for i := k; i <= n; i++ {
			sum += choose(n, i) * math.Pow(p, float64(i)) * math.Pow(1-p, float64(n-i))
		}
		return sum
	}
	for _, c := range []struct{ m, n, atLeast, metrics int }{{1, 1, 1, 1}, {1, 1, 1, 40}, {2, 3, 1, 1}, {2, 3, 3, 40}, {1, 100, 64, 64}, {5, 5, 1, 64}} {
		level, ok := drift.Level(1.0/90, c.m, c.n, c.atLeast, c.metrics)

		require.True(t, ok)
		assert.InEpsilon(t, 1.0/90, tail(tail(level, c.metrics, c.atLeast), c.n, c.m), 1e-6, "%+v", c)
	}
	_, ok := drift.Level(1, 1, 1, 1, 1)
	assert.False(t, ok)
}

func draw(random *rand.Rand, shares []float64, n int64) drift.Counts {
	counts, total := make(drift.Counts, len(shares)), 0.0
	for _, share := range shares {
		total += share
	}
	for range n {
		at := random.Float64() * total
		for i, share := range shares {
			at -= share
			if at < 0 || i == len(shares)-1 {
				counts[i]++
				break
			}
		}
	}
	return counts
}
