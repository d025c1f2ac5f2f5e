package metric_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
)

// wide is a digest that is as large as events make it, in one way or another: names that
// JSON writes with six bytes for each, values at their longest, readings of all magnitudes.
func wide(random *rand.Rand) *metric.Digest {
	letter := []string{"x", "<", "é"}[random.IntN(3)]
	upTo := func(most int) int { return max(random.IntN(2)*most, random.IntN(most+1)) } // often as many as may be
	name := func(kind string, i, longest int) string {
		prefix := fmt.Sprintf("%s%d", kind, i)
		return prefix + strings.Repeat(letter, upTo(longest-len(prefix))/len(letter))
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	readings := 1 + upTo(300)
	d := &metric.Digest{
		ModelVersion: name("v", 0, metric.MaxModelVersionBytes), Events: 1_000_000,
		First: now, Last: now, FoldedFrom: now, FoldedUntil: now, Late: true,
		Metrics: map[string]*metric.Summary{}, Categories: map[string]*metric.Values{},
	}

	decades := float64(upTo(99))
	for i := range upTo(metric.NamedMetrics + metric.MaxExtraMetrics) {
		m := &metric.Summary{}
		for range readings {
			m.Add(math.Pow(10, decades*(2*random.Float64()-1))*float64(1-2*random.IntN(2)), now)
		}
		for j := range upTo(metric.MaxBinned) {
			counts := make(metric.Counts, 32)
			for range readings {
				counts[random.IntN(len(counts))]++
			}
			m.Bins = append(m.Bins, metric.Bins{Edges: name("e", j, 64), Counts: counts})
		}
		d.Metrics[name("m", i, metric.MaxNameBytes)] = m
	}

	values, longest := 1+upTo(250), 10+upTo(190)
	for i := range upTo(metric.MaxCategories) {
		v := &metric.Values{}
		for n := range values {
			v.Add(fmt.Sprintf("%03d", n)+strings.Repeat(letter, (longest-3)/len(letter)), 1+random.Int64N(1000))
		}
		d.Categories[name("c", i, metric.MaxNameBytes)] = v
	}
	return d
}

func TestADigestIsMadeToFitAndNothingOfItVanishes(t *testing.T) {
	shrunk, whole := 0, 0
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 3))
		d := wide(random)
		batch := &metric.Batch{Version: 1 + random.IntN(2), ModelName: "fraud", Publisher: "a", Sequence: 1}
		head, err := json.Marshal(batch)
		require.NoError(t, err)
		batch.Digests = []*metric.Digest{d}
		before, err := json.Marshal(batch)
		require.NoError(t, err)
		most := 320<<10 + max(0, random.IntN(2<<20)-1<<20)

		bytes := batch.Fit(d, most)

		after, err := json.Marshal(batch)
		require.NoError(t, err)
		assert.LessOrEqual(t, bytes, most, "seed %d", seed)
		assert.LessOrEqual(t, len(after)-bytes, len(head))
		if len(before)-len(head) <= most {
			whole++
			assert.Equal(t, before, after, "what fits is left alone")
			continue
		}

		shrunk++
		assert.Greater(t, bytes, most*5/6, "no more is let go of than has to be, seed %d", seed)
		received, err := metric.DecodeBatch(after)
		require.NoError(t, err)
		original, err := metric.DecodeBatch(before)
		require.NoError(t, err)
		require.NoError(t, received.Digests[0].Validate(d.Last))
		checkShrunk(t, original.Digests[0], received.Digests[0])
	}
	t.Logf("%d shrunk, %d whole", shrunk, whole)
	assert.Positive(t, shrunk)
	assert.Positive(t, whole)
}

// checkShrunk says whether a digest tells what another does, less precisely.
func checkShrunk(t *testing.T, original, shrunk *metric.Digest) {
	t.Helper()
	require.Len(t, shrunk.Metrics, len(original.Metrics))
	for name, want := range original.Metrics {
		got := shrunk.Metrics[name]
		bins, err := got.Sketch.Bins()
		require.NoError(t, err)
		readings := int64(0)
		for _, bin := range bins {
			readings += bin.Count
		}
		assert.Equal(t, want.Count, readings, "each reading is counted somewhere")

		top, err := want.Sketch.AtRank(want.Count)
		require.NoError(t, err)
		kept, err := got.Sketch.AtRank(got.Count)
		if err == nil { // else it is known to be unknown
			assert.InEpsilon(t, top, kept, 1e-9)
		}
		want.Sketch = nil
		got.Sketch = nil
		assert.Equal(t, want, got, "all else is exact")
	}

	require.Len(t, shrunk.Categories, len(original.Categories))
	for name, want := range original.Categories {
		got := shrunk.Categories[name]
		assert.Equal(t, want.Count(), got.Count())
		kept := got.Frequent()
		assert.Equal(t, want.Frequent()[:len(kept)], kept, "the most frequent ones")
		for _, value := range kept {
			assert.Equal(t, want.Counts[value], got.Counts[value])
		}
	}
}
