package drift_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
)

func TestAProfileHasEdgesAtQuantilesAndCountsBetweenThem(t *testing.T) {
	var profiler drift.Profiler
	for i := range 3200 {
		event := metric.Event{Metrics: map[string]float64{"x": float64(i), "flag": float64(i / 2400)}, Categories: map[string]string{"country": []string{"DE", "FR"}[i%2]}}
		if i%2 == 0 {
			event.Metrics["rare"] = 1
		}
		profiler.Add(&event)
	}

	profile := profiler.Profile()

	assert.NoError(t, profile.Validate())
	x := profile.Metrics["x"]
	assert.Len(t, x.Edges, drift.MaxEdges)
	assert.InDelta(t, 100, x.Edges[0], 0)
	assert.Equal(t, slices.Repeat([]int64{100}, 32), x.Counts)
	assert.InDelta(t, 1599.5, x.Mean, 1e-9)
	assert.InDelta(t, math.Sqrt((3200.0*3200-1)/12), x.Std, 1e-6)
	assert.Equal(t, []float64{0, math.SmallestNonzeroFloat64, 1, math.Nextafter(1, 2)}, profile.Metrics["flag"].Edges)
	assert.Equal(t, []int64{0, 2400, 0, 800, 0}, profile.Metrics["flag"].Counts, "a value that many have has a bin of its own")
	assert.Equal(t, int64(1600), profile.Metrics["rare"].Missing)
	assert.Equal(t, map[string]int64{"DE": 1600, "FR": 1600}, profile.Categories["country"].Counts)
}

func TestAProfileOfManyRowsIsOfQuantilesThatAreNear(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var profiler drift.Profiler
	const rows = 600_000
	for range rows {
		profiler.Add(&metric.Event{Metrics: map[string]float64{"x": random.Float64()}})
	}

	x := profiler.Profile().Metrics["x"]

	for i, edge := range x.Edges {
		assert.InDelta(t, float64(i+1)/32, edge, 0.003)
	}
	assert.Equal(t, int64(rows), drift.Counts(x.Counts).Total())
}
