package metric

import (
	"encoding/json"
	"time"
)

// The names of members and lists of numbers in place of members make a batch of version
// 2 a third of one of version 1, which says the same.

// compactVersion is the first version that is written in this form.
const compactVersion = 2

// compactDigest is a digest in a batch of version 2.
type compactDigest struct {
	ModelVersion string `json:"v,omitempty"`
	Events       int64  `json:"n"`
	// Times are Digest.FoldedFrom, in Unix nanoseconds, and by how many nanoseconds
	// FoldedUntil, First and Last are after it.
	Times      [4]int64                   `json:"t"`
	Late       bool                       `json:"l,omitempty"`
	Metrics    map[string]*compactSummary `json:"m,omitempty"`
	Categories map[string]*Values         `json:"c,omitempty"`
}

// compactSummary is a metric of it.
type compactSummary struct {
	Values [4]float64 `json:"v"` // Summary.Count, Sum, Min and Max
	// Times are by how many nanoseconds Summary.MinAt and MaxAt are after the digest's
	// First; left out where they are not known.
	Times  []int64 `json:"t,omitempty"`
	Sketch *Sketch `json:"q,omitempty"`
	// Bins are as packBins has them. One reading alone is counted by its value.
	Bins []string `json:"b,omitempty"`
}

// MarshalJSON writes a batch in the form of its version.
func (b *Batch) MarshalJSON() ([]byte, error) {
	type plainly Batch
	if b.Version < compactVersion {
		return json.Marshal((*plainly)(b))
	}

	digests := make([]any, len(b.Digests))
	for i, d := range b.Digests {
		digests[i] = b.formOf(d)
	}
	return json.Marshal(struct {
		*plainly
		Digests []any `json:"digests"`
	}{(*plainly)(b), digests})
}

// formOf is what is written of a digest.
func (b *Batch) formOf(d *Digest) any {
	if b.Version < compactVersion || d == nil || !d.isCompactable() {
		return d
	}
	return d.compact()
}

// isCompactable says that a digest's times are within what 64 bits of nanoseconds hold,
// and its counts within what a number of JSON holds exactly. All others keep the form of
// version 1.
func (d *Digest) isCompactable() bool {
	for _, stamp := range [...]time.Time{d.FoldedFrom, d.FoldedUntil, d.First, d.Last} {
		if stamp.Before(earliestCompact) || stamp.After(latestCompact) {
			return false
		}
	}
	for _, m := range d.Metrics {
		if m == nil || m.Count > MaxCount || m.MinAt.IsZero() != m.MaxAt.IsZero() {
			return false
		}
	}

	return true
}

// Between these, differences of two instants in nanoseconds fit in 64 bits.
var (
	earliestCompact = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	latestCompact   = time.Date(2150, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (d *Digest) compact() *compactDigest {
	from := d.FoldedFrom
	c := &compactDigest{
		ModelVersion: d.ModelVersion, Events: d.Events, Late: d.Late, Categories: d.Categories,
		Times:   [4]int64{from.UnixNano(), int64(d.FoldedUntil.Sub(from)), int64(d.First.Sub(from)), int64(d.Last.Sub(from))},
		Metrics: make(map[string]*compactSummary, len(d.Metrics)),
	}
	for name, m := range d.Metrics {
		summary := &compactSummary{Values: [4]float64{float64(m.Count), m.Sum, m.Min, m.Max}, Sketch: m.Sketch}
		if !m.MinAt.IsZero() {
			summary.Times = []int64{int64(m.MinAt.Sub(d.First)), int64(m.MaxAt.Sub(d.First))}
		}
		if m.Count > 1 {
			summary.Bins = packBins(m.Bins)
		}
		c.Metrics[name] = summary
	}

	return c
}

// compactTimes reads those of a digest.
func (c *cursor) compactTimes(d *Digest) {
	var times [4]int64
	c.numbers(len(times), func(i int) { times[i] = c.Int() })
	d.FoldedFrom = time.Unix(0, times[0]).UTC()
	d.FoldedUntil = d.FoldedFrom.Add(time.Duration(times[1]))
	d.First = d.FoldedFrom.Add(time.Duration(times[2]))
	d.Last = d.FoldedFrom.Add(time.Duration(times[3]))
}

// compactValues reads those of a metric.
func (c *cursor) compactValues(m *Summary) {
	c.numbers(4, func(i int) {
		switch i {
		case 0:
			m.Count = c.Int()
		case 1:
			m.Sum = c.Float()
		case 2:
			m.Min = c.Float()
		case 3:
			m.Max = c.Float()
		}
	})
}

// extremeTimes are by how many nanoseconds a metric's extremes come after the digest's
// first event, which may be told later.
type extremeTimes struct {
	summary      *Summary
	minAt, maxAt time.Duration
}

// compactExtremes reads those of a metric.
func (c *cursor) compactExtremes(m *Summary) {
	times := extremeTimes{summary: m}
	c.numbers(2, func(i int) {
		*[]*time.Duration{&times.minAt, &times.maxAt}[i] = time.Duration(c.Int())
	})
	c.extremes = append(c.extremes, times)
}

// numbers reads a list of so many.
func (c *cursor) numbers(n int, read func(i int)) {
	i := 0
	for more := c.Open('[', ']'); more; more = c.More(']') {
		if i >= n {
			c.Bad = true
			return
		}
		read(i)
		i++
	}
	c.Bad = c.Bad || i != n
}

// settleExtremes puts the times of a digest's extremes where they belong.
func (c *cursor) settleExtremes(d *Digest) {
	for _, times := range c.extremes {
		times.summary.MinAt = d.First.Add(times.minAt)
		times.summary.MaxAt = d.First.Add(times.maxAt)
	}
	c.extremes = c.extremes[:0]
}
