// Package observation has what the machine is shown, one event or one digest of many, as
// rules judge it.
package observation

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
)

// Observation is one event or one digest, as it is judged. It is valid until what it was
// made of changes.
type Observation struct {
	Version string
	Events  int64
	When
	// Columns are names of metrics, those that were measured among them. Who has looked for
	// a name in them need not do so again while observations come that have the same.
	Columns    *table.Columns
	Categories []Category // by name

	values    []float64         // of an event, by column
	summaries []*metric.Summary // of a digest, by column
	isDigest  bool
	one       metric.Summary
	known     *table.Columns // of digests
}

// Category is one category of an observation: one value, or many.
type Category struct {
	Name   string
	Value  string         // of an event
	Values *metric.Values // of a digest; nil where Value is all
}

// At is what was measured in a column, or nil. It is valid until the next is asked for.
func (o *Observation) At(place int) *metric.Summary {
	switch {
	case place == table.Nowhere:
		return nil
	case o.isDigest:
		return o.summaries[place]
	}

	value := o.values[place]
	if !table.IsTaken(value) {
		return nil
	}
	o.one.Sum = value
	o.one.Min = value
	o.one.Max = value
	return &o.one
}

// Metric is At by a name.
func (o *Observation) Metric(name string) *metric.Summary { return o.At(o.Columns.Place(name)) }

// Category is what was measured of a category, or nil.
func (o *Observation) Category(name string) *Category {
	i, found := slices.BinarySearchFunc(o.Categories, name, func(c Category, name string) int { return strings.Compare(c.Name, name) })
	if !found {
		return nil
	}
	return &o.Categories[i]
}

// OfRow makes o what a valid event says that is handled at now. It refers to the event.
func (o *Observation) OfRow(row *table.Row, now time.Time) {
	stamp := row.Timestamp
	if stamp.IsZero() {
		stamp = now
	}
	stamp = stamp.UTC()
	o.Version = row.ModelVersion
	o.Events = 1
	o.When = When{First: stamp, Last: stamp, FoldedFrom: now, FoldedUntil: now}
	o.Columns = row.Columns
	o.values = row.Values
	o.isDigest = false
	o.one.Count = 1
	o.Categories = o.Categories[:0]
	for _, c := range row.Categories {
		o.Categories = append(o.Categories, Category{Name: c.Name, Value: c.Value})
	}
}

// OfDigest makes o what a digest says. It refers to the digest.
func (o *Observation) OfDigest(d *metric.Digest) {
	o.Version = d.ModelVersion
	o.Events = d.Events
	o.When = When{First: d.First, Last: d.Last, FoldedFrom: d.FoldedFrom, FoldedUntil: d.FoldedUntil}
	o.isDigest = true
	if o.known == nil {
		o.known = table.Own
	}
	if !o.take(d) {
		o.known = o.known.With(maps.Keys(d.Metrics))
		o.take(d)
	}

	o.Categories = o.Categories[:0]
	for _, name := range slices.Sorted(maps.Keys(d.Categories)) {
		o.Categories = append(o.Categories, Category{Name: name, Values: d.Categories[name]})
	}
}

// take puts what was measured into the columns that are known, and says whether these are
// all.
func (o *Observation) take(d *metric.Digest) (isWhole bool) {
	o.Columns = o.known
	o.summaries = o.summaries[:0]
	left := len(d.Metrics)
	for _, name := range o.known.Names() {
		summary := d.Metrics[name]
		o.summaries = append(o.summaries, summary)
		if summary != nil {
			left--
		}
	}

	return left == 0
}
