package monitor

import (
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// observation is one event or one digest, as the machine judges it.
type observation struct {
	version                 string
	events                  int64
	last                    time.Time // the latest event's timestamp
	first                   time.Time
	foldedFrom, foldedUntil time.Time
	metrics                 []observed // by name
}

// observed is one metric of an observation.
type observed struct {
	name string
	*metric.Summary
}

// metric returns what was seen of a metric, or nil.
func (o *observation) metric(name string) *metric.Summary {
	const few = 8
	if len(o.metrics) > few {
		i, found := slices.BinarySearchFunc(o.metrics, name, func(m observed, name string) int { return strings.Compare(m.name, name) })
		if !found {
			return nil
		}
		return o.metrics[i].Summary
	}

	for i := range o.metrics {
		if o.metrics[i].name == name {
			return o.metrics[i].Summary
		}
	}

	return nil
}

// longestDelivery is how long before it is handled an observation may have been
// folded, by its publisher's clock. A hub delivers one for up to a day, and after it
// another's worker may have been away; what claims to be older comes from a clock that
// is wrong, and says nothing of when it was.
const longestDelivery = 48 * time.Hour

// endsBefore says that all of an observation handled at now was folded before an
// instant. The end of folding is exclusive, so a digest that was cut at the very
// instant was folded before it; a single event handled then was not.
func (o *observation) endsBefore(instant, now time.Time) bool {
	if now.Before(instant) { // even where the publisher's clock is ahead
		return true
	}
	if now.Sub(o.foldedUntil) > longestDelivery {
		return false
	}
	return o.foldedUntil.Before(instant) || o.foldedUntil.Equal(instant) && o.foldedFrom.Before(instant)
}

// ofDigest is a digest as an observation, valid until the next one is made.
func (m *Machine) ofDigest(d *metric.Digest) *observation {
	o := &m.observation
	*o = observation{
		version: d.ModelVersion, events: d.Events, first: d.First, last: d.Last,
		foldedFrom: d.FoldedFrom, foldedUntil: d.FoldedUntil, metrics: o.metrics[:0],
	}
	for name, metric := range d.Metrics {
		o.metrics = append(o.metrics, observed{name, metric})
	}
	slices.SortFunc(o.metrics, func(a, b observed) int { return strings.Compare(a.name, b.name) })
	return o
}

// ofEvent is a valid event handled at now as an observation, valid until the next
// one is made. It allocates nothing for an event with the three metrics that it
// names itself.
func (m *Machine) ofEvent(e *metric.Event, now time.Time) *observation {
	stamp := e.Timestamp
	if stamp.IsZero() {
		stamp = now
	}
	stamp = stamp.UTC()
	o := &m.observation
	*o = observation{
		version: e.ModelVersion, events: 1, first: stamp, last: stamp,
		foldedFrom: now, foldedUntil: now, metrics: o.metrics[:0],
	}
	m.readings = slices.Grow(m.readings[:0], metric.NamedMetrics+len(e.Metrics)) // they must not move while they are filled
	put := func(name string, value float64) {
		m.readings = append(m.readings, metric.Summary{Count: 1, Sum: value, Min: value, Max: value, MinAt: stamp, MaxAt: stamp})
		o.metrics = append(o.metrics, observed{name, &m.readings[len(m.readings)-1]})
	}

	if !e.Accuracy.IsZero() {
		put(metric.Accuracy, e.Accuracy.Value())
	}
	if !e.DriftScore.IsZero() {
		put(metric.DriftScore, e.DriftScore.Value())
	}
	if !e.LatencyMS.IsZero() {
		put(metric.LatencyMS, e.LatencyMS.Value())
	}
	if len(e.Metrics) == 0 {
		return o // sorted by name already
	}

	for name, value := range e.Metrics {
		put(name, value)
	}
	slices.SortFunc(o.metrics, func(a, b observed) int { return strings.Compare(a.name, b.name) })
	return o
}
