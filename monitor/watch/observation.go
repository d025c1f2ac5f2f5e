package watch

import (
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/window"
)

// Observation is one event or one digest, as it is judged.
type Observation struct {
	Version string
	Events  int64
	window.When
	metrics    []observed         // by name
	categories []observedCategory // by name
	readings   []metric.Summary
	next       int // in metrics, after the one that was asked for last
}

// observed is one metric of an observation.
type observed struct {
	name string
	*metric.Summary
}

// observedCategory is one category of an observation: one value, or many.
type observedCategory struct {
	name   string
	value  string
	values *metric.Values
}

// Category returns the reading of a category where there is one alone, or else its
// readings, or nil.
func (o *Observation) Category(name string) (value string, values *metric.Values) {
	i, found := slices.BinarySearchFunc(o.categories, name, func(c observedCategory, name string) int { return strings.Compare(c.name, name) })
	if !found {
		return "", nil
	}
	return o.categories[i].value, o.categories[i].values
}

// EachName tells of all metrics, and then of all categories, each by name.
func (o *Observation) EachName(tell func(name string, isCategory bool)) {
	for i := range o.metrics {
		tell(o.metrics[i].name, false)
	}
	for i := range o.categories {
		tell(o.categories[i].name, true)
	}
}

func (o *Observation) sortCategories() {
	slices.SortFunc(o.categories, func(a, b observedCategory) int { return strings.Compare(a.name, b.name) })
}

// Metric returns what was seen of a metric, or nil. Who asks by name, one after another,
// has each without a search.
func (o *Observation) Metric(name string) *metric.Summary {
	if o.next < len(o.metrics) && o.metrics[o.next].name == name {
		o.next++
		return o.metrics[o.next-1].Summary
	}

	const few = 8
	if len(o.metrics) > few {
		i, found := slices.BinarySearchFunc(o.metrics, name, func(m observed, name string) int { return strings.Compare(m.name, name) })
		if !found {
			return nil
		}
		o.next = i + 1
		return o.metrics[i].Summary
	}

	for i := range o.metrics {
		if o.metrics[i].name == name {
			return o.metrics[i].Summary
		}
	}

	return nil
}

// OfDigest makes o what a digest says. It refers to the digest.
func (o *Observation) OfDigest(d *metric.Digest) {
	o.Version = d.ModelVersion
	o.Events = d.Events
	o.When = window.When{First: d.First, Last: d.Last, FoldedFrom: d.FoldedFrom, FoldedUntil: d.FoldedUntil}
	o.metrics = o.metrics[:0]
	o.next = 0
	o.categories = o.categories[:0]
	for name, values := range d.Categories {
		o.categories = append(o.categories, observedCategory{name: name, values: values})
	}
	o.sortCategories()
	for name, metric := range d.Metrics {
		o.metrics = append(o.metrics, observed{name, metric})
	}
	slices.SortFunc(o.metrics, func(a, b observed) int { return strings.Compare(a.name, b.name) })
}

// OfEvent makes o what a valid event says that is handled at now. It allocates nothing
// for an event with the three metrics that it names itself.
func (o *Observation) OfEvent(e *metric.Event, now time.Time) {
	stamp := e.Timestamp
	if stamp.IsZero() {
		stamp = now
	}
	stamp = stamp.UTC()
	o.Version = e.ModelVersion
	o.Events = 1
	o.When = window.When{First: stamp, Last: stamp, FoldedFrom: now, FoldedUntil: now}
	o.metrics = o.metrics[:0]
	o.next = 0
	o.categories = o.categories[:0]
	if len(e.Categories) > 0 {
		for name, value := range e.Categories {
			o.categories = append(o.categories, observedCategory{name: name, value: value})
		}
		o.sortCategories()
	}
	o.readings = slices.Grow(o.readings[:0], metric.NamedMetrics+len(e.Metrics)) // they must not move while they are filled

	if !e.Accuracy.IsZero() {
		o.put(metric.Accuracy, e.Accuracy.Value())
	}
	if !e.DriftScore.IsZero() {
		o.put(metric.DriftScore, e.DriftScore.Value())
	}
	if !e.LatencyMS.IsZero() {
		o.put(metric.LatencyMS, e.LatencyMS.Value())
	}
	if len(e.Metrics) == 0 {
		return // sorted by name already
	}

	for name, value := range e.Metrics {
		o.put(name, value)
	}
	slices.SortFunc(o.metrics, func(a, b observed) int { return strings.Compare(a.name, b.name) })
}

// put adds the reading of one metric, where there is room for it.
func (o *Observation) put(name string, value float64) {
	n := len(o.readings)
	o.readings = o.readings[:n+1]
	s := &o.readings[n]
	s.Count = 1
	s.Sum = value
	s.Min = value
	s.Max = value
	s.MinAt = o.Last
	s.MaxAt = o.Last
	o.metrics = append(o.metrics, observed{name, s})
}
