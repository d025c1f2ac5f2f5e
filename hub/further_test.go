package hub

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
)

// Further metrics are looked at where they are folded, the known ones by their readings
// alone: what is wrong with them is told as Validate tells it, and nothing is folded.
func TestAnEventWithAFurtherMetricThatMakesNoSenseIsRefusedBeforeAndAfterItsModelIsKnown(t *testing.T) {
	h := newHub(newFakeCarrier(), quiet)
	defer closeHub(t, h)
	ctx := context.Background()
	senseless := map[string]metric.Event{
		"metrics.age: must be a finite number":                      {ModelName: "fraud", Metrics: map[string]float64{"age": math.NaN(), "height": 1}},
		"metrics.accuracy: is a field of the event itself":          {ModelName: "fraud", Metrics: map[string]float64{"accuracy": 1}},
		"metrics.: must be 1 to 100 bytes of UTF-8":                 {ModelName: "fraud", Metrics: map[string]float64{"": 1}},
		"categories.age: is in metrics, too":                        {ModelName: "fraud", Metrics: map[string]float64{"age": 1}, Categories: map[string]string{"age": "old"}},
		"categories.country: must be one line":                      {ModelName: "fraud", Categories: map[string]string{"country": "D\nE"}},
		"metrics.height: must be a finite number of magnitude at m": {ModelName: "fraud", Metrics: map[string]float64{"age": 1, "height": 1e101}},
	}
	refuse := func() {
		for fault, event := range senseless {
			assert.ErrorContains(t, h.Publish(ctx, event), fault)
		}
	}

	refuse()
	assert.Nil(t, h.models.Get("fraud"), "nothing is known of the model")
	require.NoError(t, h.Publish(ctx, metric.Event{ModelName: "fraud", Metrics: map[string]float64{"age": 1, "height": 2}}))
	refuse()
	require.NoError(t, h.Flush(ctx))
	assert.EqualValues(t, 1, h.models.Get("fraud").fold.published())
}
