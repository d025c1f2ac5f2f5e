package baseline_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/hub/baseline"
	"github.com/modelvigil/modelvigil/metric"
)

// Events may be refused after it was asked about their version.
func TestAVersionThatIsOnlyAskedAboutTakesNoOthersPlace(t *testing.T) {
	var counts baseline.Counts
	event := metric.Event{ModelVersion: "v1", Accuracy: metric.Some(0.9)}
	for range 99 {
		isFull, _ := counts.Add(&event)
		assert.False(t, isFull)
	}

	for i := range 1000 {
		asked := fmt.Sprint("asked", i)
		assert.True(t, counts.IsOpen(asked))
		assert.Zero(t, counts.Part(asked))
	}

	isFull, isOpen := counts.Add(&event)
	assert.True(t, isFull, "with the hundredth reading")
	assert.True(t, isOpen)
	assert.Equal(t, 1, counts.Part("v1"))
}
