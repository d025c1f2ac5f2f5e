package tripwire_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/hub/internal/tripwire"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

func TestOnlyThresholdsWithoutAPeriodAreUrgent(t *testing.T) {
	windowed := policy.Below(metric.Accuracy, 0.1)
	windowed.Name, windowed.Stat, windowed.Period = "windowed", policy.StatMean, metric.Some(policy.Duration(time.Minute))
	warning, condition := policy.Above(metric.LatencyMS, 100), policy.Above("errors", 5)
	warning.Severity, condition.Condition = policy.Warning, true
	trip := tripwire.New([]policy.Rule{
		windowed, warning, condition,
		{Name: "both", AllOf: []string{"windowed", "errors"}},
		{Name: "old", MaxAge: metric.Some(policy.Duration(time.Hour))},
	})
	for name, c := range map[string]struct {
		event  metric.Event
		urgent bool
	}{
		"a reading that only a rule over a period minds": {metric.Event{Accuracy: metric.Some(0.0)}, false},
		"a warning's":   {metric.Event{LatencyMS: metric.Some(101.0)}, true},
		"a condition's": {metric.Event{Metrics: map[string]float64{"errors": 6}}, true},
		"a healthy one": {metric.Event{LatencyMS: metric.Some(100.0), Metrics: map[string]float64{"errors": 5}}, false},
	} {
		assert.Equal(t, c.urgent, trip.IsUrgent(&c.event), name)
	}
}
