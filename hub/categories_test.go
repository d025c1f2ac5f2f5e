package hub

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
)

func TestCategoriesAreFoldedByValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		for _, country := range []string{"DE", "FR", "DE"} {
			event := metric.Event{ModelName: "fraud", Timestamp: time.Now(), Categories: map[string]string{"country": country}}
			require.NoError(t, h.Publish(t.Context(), event))
		}
		closeHub(t, h)

		total := metric.Values{}
		for _, d := range carrier.deliveries() {
			for _, digest := range d.batch.Digests {
				total.Merge(digest.Categories["country"])
			}
		}
		assert.Equal(t, map[string]int64{"DE": 2, "FR": 1}, total.Counts)
	})
}
