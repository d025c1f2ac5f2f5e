package observation_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/monitor/observation"
)

// An observation takes the memory, and the names, of the one before: whatever that was,
// it says what a first one says.
func TestWhatAnObservationSaysDependsOnNoEarlierOne(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	names := []string{metric.Accuracy, metric.DriftScore, metric.LatencyMS}
	for i := range 70 {
		names = append(names, fmt.Sprintf("%c%d", "abdklz"[i%6], i))
	}

	rapid.Check(t, func(t *rapid.T) {
		var row table.Row
		var reused observation.Observation
		usual := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 40, rapid.ID[string]).Draw(t, "usual")
		for range rapid.IntRange(1, 8).Draw(t, "observations") {
			readings := map[string]float64{}
			if rapid.IntRange(0, 3).Draw(t, "unusual") > 0 {
				for _, name := range usual {
					readings[name] = 0
				}
				for range rapid.IntRange(0, 2).Draw(t, "missing") {
					delete(readings, rapid.SampledFrom(names).Draw(t, "missed"))
				}
			}
			for range rapid.IntRange(0, 12).Draw(t, "further") {
				readings[rapid.SampledFrom(names).Draw(t, "name")] = 0
			}
			for _, name := range slices.Sorted(maps.Keys(readings)) {
				readings[name] = rapid.Float64Range(-10, 10).Draw(t, name)
			}

			if rapid.IntRange(0, 4).Draw(t, "digest") == 0 {
				digest := &metric.Digest{Metrics: map[string]*metric.Summary{}}
				for name, value := range readings {
					digest.Metrics[name] = &metric.Summary{Count: 1, Sum: value, Min: value, Max: value}
				}
				reused.OfDigest(digest)
				assertSays(t, &reused, readings)
				for name, value := range readings {
					assert.InDelta(t, value, digest.Metrics[name].Sum, 0, "a digest is left as it is")
				}
				continue
			}
			row.OfEvent(eventOf(readings))
			reused.OfRow(&row, now)
			assertSays(t, &reused, readings)
		}
	})
}

func eventOf(readings map[string]float64) *metric.Event {
	event := &metric.Event{ModelName: "m", Metrics: map[string]float64{}}
	for name, value := range readings {
		switch name {
		case metric.Accuracy:
			event.Accuracy = metric.Some(value)
		case metric.DriftScore:
			event.DriftScore = metric.Some(value)
		case metric.LatencyMS:
			event.LatencyMS = metric.Some(value)
		default:
			event.Metrics[name] = value
		}
	}
	return event
}

func assertSays(t *rapid.T, o *observation.Observation, readings map[string]float64) {
	var told []string
	for place, name := range o.Columns.Names() {
		if o.At(place) != nil {
			told = append(told, name)
		}
	}
	assert.Equal(t, slices.Sorted(maps.Keys(readings)), told)
	for name, value := range readings {
		if assert.NotNil(t, o.Metric(name), name) {
			assert.InDelta(t, value, o.Metric(name).Sum, 0, name)
		}
	}
	assert.Nil(t, o.Metric("nowhere"))
}
