package drift_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric/drift"
)

// testdata/scipy.json is written by examples/drift/vectors.py.
func TestEachStatisticIsWhatScipySays(t *testing.T) {
	var vectors []struct {
		Edges             []float64
		Deviation         float64
		Reference, Period drift.Counts
		Values            map[drift.Statistic]float64
	}
	data, err := os.ReadFile("testdata/scipy.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.NotEmpty(t, vectors)

	for i, vector := range vectors {
		reference := &drift.Reference{Edges: vector.Edges, Counts: vector.Reference, Deviation: vector.Deviation}
		require.Len(t, vector.Values, 5, "vector %d", i)
		for statistic, want := range vector.Values {
			value, known := statistic.Measure(reference, vector.Period)
			assert.True(t, known, "vector %d: %s", i, statistic)
			assert.InDelta(t, want, value, 1e-9*math.Max(1, want), "vector %d: %s", i, statistic)
		}
	}
}
