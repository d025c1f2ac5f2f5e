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
	next       int      // in metrics, after the one that was asked for last
	known      []string // further metrics that events had, by name; see putKnown
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

	named := len(o.metrics)
	if !o.putKnown(e.Metrics) {
		o.metrics = o.metrics[:named]
		o.readings = o.readings[:named]
		o.putAny(e.Metrics)
	}
	for i := named - 1; i >= 0; i-- {
		o.moveUp(i)
	}
}

// putKnown adds further readings by name, and says whether these are all that there are:
// events of a model mostly measure the same, and to ask one for each name that is known is
// a fraction of the work that sorting its own is.
func (o *Observation) putKnown(further map[string]float64) (isComplete bool) {
	if !o.resembles(further) {
		return false
	}

	left := len(further)
	for _, name := range o.known {
		value, isThere := further[name]
		if isThere {
			o.put(name, value)
			left--
		}
	}
	return left == 0
}

// resembles says that an event has about as many further readings as there are names
// known.
func (o *Observation) resembles(further map[string]float64) bool {
	return len(o.known) <= 2*len(further)
}

// putAny adds further readings by name, whatever these are.
func (o *Observation) putAny(further map[string]float64) {
	first := len(o.metrics)
	for name, value := range further {
		o.put(name, value)
	}
	added := o.metrics[first:]
	slices.SortFunc(added, func(a, b observed) int { return strings.Compare(a.name, b.name) })
	if !o.resembles(further) {
		return
	}

	o.know(added)
	if len(o.known) > metric.MaxExtraMetrics {
		o.known = o.known[:0]
		o.know(added)
	}
}

// know adds names to those that are known.
func (o *Observation) know(added []observed) {
	for i := range added {
		o.known = append(o.known, added[i].name)
	}
	slices.Sort(o.known)
	o.known = slices.Compact(o.known)
}

// moveUp moves a metric to its place among those behind it, which are in order.
func (o *Observation) moveUp(i int) {
	moved := o.metrics[i]
	places, _ := slices.BinarySearchFunc(o.metrics[i+1:], moved.name, func(m observed, name string) int { return strings.Compare(m.name, name) })
	copy(o.metrics[i:], o.metrics[i+1:i+1+places])
	o.metrics[i+places] = moved
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
