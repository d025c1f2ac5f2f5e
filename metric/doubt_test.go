package metric_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/metric"
)

func TestWhatIsLegalAndSeldomMeantIsQuestioned(t *testing.T) {
	for name, c := range map[string]struct {
		event metric.Event
		want  []string
	}{
		"nothing measured":   {metric.Event{}, []string{"the event measures nothing, so no rule about a metric looks at it; was a reading forgotten?"}},
		"a per cent":         {metric.Event{Accuracy: metric.Some(93.0)}, []string{"accuracy 93: is usually a share of 0 to 1, as thresholds are; was 0.93 meant?"}},
		"no share at all":    {metric.Event{Accuracy: metric.Some(-3.0)}, []string{"accuracy -3: is usually a share of 0 to 1; is it another metric?"}},
		"clocks apart":       {metric.Event{LatencyMS: metric.Some(-2.5)}, []string{"latency_ms -2.5: is below zero; are the clocks apart by which it was measured?"}},
		"all right":          {metric.Event{Accuracy: metric.Some(1.0), LatencyMS: metric.Some(0.0)}, nil},
		"a category alone":   {metric.Event{Categories: map[string]string{"country": "DE"}}, nil},
		"a score of its own": {metric.Event{DriftScore: metric.Some(-7.0)}, nil},
	} {
		assert.Equal(t, c.want, c.event.Doubts(), name)
	}
}
