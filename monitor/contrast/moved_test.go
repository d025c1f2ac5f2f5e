package contrast

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/metric/drift"
)

func TestABinIsNamedByAsFewDigitsAsTellItsEdgesApart(t *testing.T) {
	for want, edges := range map[string][]float64{
		"8.16 to 8.49":       {8.16193, 8.49312},
		"18 to 24":           {18, 24},
		"100.1 to 100.2":     {100.1, 100.2},
		"125000 to 125500":   {125000, 125500},
		"-0.305 to 0.012":    {-0.30471, 0.012},
		"1.2e+09 to 1.3e+09": {1.2e9, 1.3e9},
		"exactly 5":          {5, math.Nextafter(5, 6)},
	} {
		assert.Equal(t, want, binWords(&drift.Reference{Edges: edges}, 1))
	}
	assert.Equal(t, "below 8.16", binWords(&drift.Reference{Edges: []float64{8.16193, 8.49312}}, 0))
	assert.Equal(t, "8.49 and above", binWords(&drift.Reference{Edges: []float64{8.16193, 8.49312}}, 2))
}
