package recording_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/metric"
)

func TestAColumnNamedWithThePrefixHoldsACategoryWhateverItsCellsLookLike(t *testing.T) {
	r := read(recording.Reader{ModelName: "fraud", Columns: map[string]string{"category:plan": "tarif"}},
		"timestamp,category:country,tarif,amount,note\n2026-03-01T00:00:00Z,DE,1,20,x\n2026-03-01T00:00:01Z,,2,30,y\n2026-03-01T00:00:02Z,\"a, b\",,40,z\n")

	require.NoError(t, r.err)
	require.Equal(t, 3, r.Models[0].Len())
	var events [3]metric.Event
	for i := range events {
		events[i], _ = eventOf(r.Models[0], i)
	}
	assert.Equal(t, map[string]string{"country": "DE", "plan": "1"}, events[0].Categories)
	assert.Equal(t, map[string]string{"plan": "2"}, events[1].Categories, "an empty cell is no reading")
	assert.Equal(t, map[string]string{"country": "a, b"}, events[2].Categories)
	assert.Equal(t, map[string]float64{"amount": 20}, events[0].Metrics)
}

func TestAJSONEventsCategoriesAreRead(t *testing.T) {
	r := read(recording.Reader{}, `{"timestamp":"2026-03-01T00:00:00Z","model_name":"fraud","categories":{"country":"DE","plan":null}}`)

	require.NoError(t, r.err)
	event, _ := eventOf(r.Models[0], 0)
	assert.Equal(t, map[string]string{"country": "DE"}, event.Categories)
}
