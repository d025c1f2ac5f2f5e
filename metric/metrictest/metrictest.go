// Package metrictest folds an event into a digest by the definition of one, for tests and
// for what records histories. A hub folds what its policy wants alone.
package metrictest

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// DigestOf folds one event, handled at now, which is also its timestamp where it
// has none.
func DigestOf(event *metric.Event, now time.Time) *metric.Digest {
	stamp := event.Timestamp
	if stamp.IsZero() {
		stamp = now
	}
	stamp = stamp.UTC()

	digest := &metric.Digest{
		ModelVersion: event.ModelVersion, Events: 1,
		First: stamp, Last: stamp, FoldedFrom: now, FoldedUntil: now,
		Metrics: map[string]*metric.Summary{},
	}
	event.EachReading(func(name string, value float64) {
		digest.Metrics[name] = &metric.Summary{Count: 1, Sum: value, Min: value, Max: value, MinAt: stamp, MaxAt: stamp}
	})

	for name, value := range event.Categories {
		if digest.Categories == nil {
			digest.Categories = map[string]*metric.Values{}
		}
		digest.Categories[name] = &metric.Values{Counts: map[string]int64{value: 1}}
	}
	return digest
}
