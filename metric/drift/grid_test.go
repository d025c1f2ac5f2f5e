package drift_test

import (
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

func TestAFinderCountsInTheReferencesBins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Float64Range(-3, 3), rapid.Float64Range(-metric.MaxMagnitude, metric.MaxMagnitude), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, 2}))
		edges := rapid.SliceOfNDistinct(value, 0, drift.MaxEdges, rapid.ID[float64]).Draw(t, "edges")
		slices.Sort(edges)
		reference := &drift.Reference{Edges: edges}
		grid := reference.Grid()
		finder := drift.NewFinder(&grid)
		for range 20 {
			x := value.Draw(t, "x")
			if len(edges) > 0 && rapid.Bool().Draw(t, "at an edge") {
				x = rapid.SampledFrom(edges).Draw(t, "edge")
			}
			require.Equal(t, reference.Bin(x), finder.Bin(x))
		}
		bins := finder.Start()
		require.Equal(t, reference.ID(), bins.Edges)
		require.Len(t, bins.Counts, reference.Bins())
	})
}

func TestEdgesThatNoReferenceHasAreNotCountedBetween(t *testing.T) {
	assert.Nil(t, drift.NewFinder(&drift.Grid{ID: "x", Edges: []float64{2, 1}}))
	assert.Nil(t, drift.NewFinder(&drift.Grid{ID: "x", Edges: []float64{1, math.NaN()}}))
	assert.Nil(t, drift.NewFinder(&drift.Grid{ID: "x", Edges: make([]float64, drift.MaxEdges+1)}))
}

// BenchmarkFinder is what counting a reading between 31 edges takes, beside adding it to
// a sketch.
func BenchmarkFinder(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	readings := make([]float64, 1<<12)
	for i := range readings {
		readings[i] = random.NormFloat64()
	}
	grid := drift.Grid{ID: "x"}
	for i := range drift.MaxEdges {
		grid.Edges = append(grid.Edges, -2+4*float64(i)/float64(drift.MaxEdges))
	}
	finder := drift.NewFinder(&grid)
	b.Run("bins", func(b *testing.B) {
		bins := finder.Start()
		for i := range b.N {
			bins.Counts[finder.Bin(readings[i%len(readings)])]++
		}
	})
	b.Run("sketch", func(b *testing.B) {
		sketch := metric.NewSketch()
		for i := range b.N {
			sketch.Add(readings[i%len(readings)])
		}
	})
}
