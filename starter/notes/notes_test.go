package notes_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/starter/notes"
)

func TestWhatWasStartedAndWhatIsDoubtfulIsToldOnceAndBriefly(t *testing.T) {
	var told strings.Builder
	asked := map[string]int{}
	n := notes.Notes{
		To: &told, With: "the default policy",
		IsNew: func(_ context.Context, model string) bool {
			asked[model]++
			return model != "fraud"
		},
		Watched: func(context.Context) []string { return []string{"fraud", "churn-1", "churn-2"} },
	}
	good := func(model string) *metric.Event { return &metric.Event{ModelName: model, Accuracy: metric.Some(0.9)} }
	for range 3 {
		n.Look(t.Context(), good("fraud"))
		n.Look(t.Context(), good("frad"))
	}
	for i := range 7 {
		n.Look(t.Context(), &metric.Event{ModelName: fmt.Sprint("churn-", i)})
	}
	n.Tell(t.Context())

	assert.Equal(t, 1, asked["frad"], "the server is asked once for each")
	assert.Equal(t, 1, strings.Count(told.String(), "for a model that nobody has applied: frad; did you mean fraud?\n"))
	assert.Equal(t, 5, strings.Count(told.String(), "measures nothing"))
	assert.Contains(t, told.String(), "note: 2 events more likewise\n")
	assert.Contains(t, told.String(), "nobody has applied: churn-0\n", "models of the same call are no suggestions")
	assert.Contains(t, told.String(), "note: and 3 models more likewise\n")
}

func TestOfAGoodEventOfAWatchedModelNothingIsTold(t *testing.T) {
	var told strings.Builder
	n := notes.Notes{To: &told}
	n.Look(t.Context(), &metric.Event{ModelName: "fraud", Accuracy: metric.Some(0.9)})
	n.Tell(t.Context())

	assert.Empty(t, told.String())
}
