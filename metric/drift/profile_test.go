package drift_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric/drift"
)

func TestAProfileIsReadAndFrozen(t *testing.T) {
	var profile drift.Profile
	require.NoError(t, json.Unmarshal([]byte(`{"metrics": {"age": {"edges": [20, 30], "counts": [1, 2, 3], "mean": 28, "std": 5, "missing": 4}},
		"categories": {"country": {"counts": {"DE": 7, "FR": 2}, "other": 1}}}`), &profile))

	age := profile.Reference("age", false)
	country := profile.Reference("country", true)

	assert.Equal(t, drift.Counts{1, 2, 3}, age.Counts)
	assert.InDelta(t, 0.4, age.MissingShare(), 1e-15)
	assert.InDelta(t, 5, age.Deviation, 0)
	assert.Equal(t, []string{"DE", "FR"}, country.Values)
	assert.Equal(t, drift.Counts{7, 2, 1}, country.Counts)
	assert.Equal(t, 2, country.BinOf("GB"), "what was never seen shares the last bin with the others")
	assert.Nil(t, profile.Reference("country", false))
}

func TestAProfilesFaultsAreNamed(t *testing.T) {
	for text, fault := range map[string]string{
		`{}`: "has no metrics and no categories",
		`{"metrics": {"age": {"edges": [], "counts": [1]}}}`:                                   "metrics.age.edges: must be 1 to 31, got 0",
		`{"metrics": {"age": {"edges": [2, 1], "counts": [1, 1, 1]}}}`:                         "metrics.age.edges: must ascend, got 1 after 2",
		`{"metrics": {"age": {"edges": [1], "counts": [1]}}}`:                                  "metrics.age.counts: must be one more than the 1 edges, got 1",
		`{"metrics": {"age": {"edges": [1], "counts": [0, 0]}}}`:                               "metrics.age.counts: must add up to 1 to",
		`{"metrics": {"age": {"edges": [1], "counts": [-1, 2]}}}`:                              "metrics.age.counts: a count must be 0 to",
		`{"metrics": {"age": {"edges": [1], "counts": [1, 2], "std": -1}}}`:                    "metrics.age.std: must be 0 to",
		`{"metrics": {"age": {"edges": [1], "counts": [1, 2], "quantiles": []}}}`:              "metrics.age.quantiles: unknown field",
		`{"categories": {"country": {"counts": {"": 1}}}}`:                                     "categories.country.counts.: must be 1 to 200 bytes",
		`{"categories": {"country": {"counts": {"DE": 1}, "missing": -1}}, "model_name": "x"}`: "model_name: unknown field",
	} {
		var profile drift.Profile
		assert.ErrorContains(t, json.Unmarshal([]byte(text), &profile), fault, text)
	}
}
