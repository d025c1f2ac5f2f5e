// Package contrast holds what is measured of a model version against references: the
// distributions of the metrics and categories that a drift rule watches, and what it
// says of them period by period. Like the rest of the machine it is pure.
package contrast

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/monitor/observation"
	"github.com/modelvigil/modelvigil/policy"
)

// Comparison is what is known of one drift rule on one model version.
type Comparison struct {
	Features []*Feature `json:"features,omitempty"` // metrics and categories, in the order in which they joined
	// Closed says that no further name joins: those that a pattern matches are frozen
	// with the first reference.
	Closed bool `json:"closed,omitempty"`
	// Dropped says that the version was none of those heard of last: of its first
	// readings nothing is known any more.
	Dropped bool          `json:"dropped,omitempty"`
	Last    PeriodFinding `json:"last,omitzero"`
	Moved   []Moved       `json:"moved,omitempty"` // by what was found last, the furthest beyond first

	judged  []found        // what was found last in this run, the furthest beyond first
	columns *table.Columns // of the last observation
	places  []int          // in them, of the features that are metrics
	met     []bool         // by place: it is known whether that metric joins
}

// Feature is a metric, or a category, that is watched.
type Feature struct {
	Name     string `json:"name"`
	Category bool   `json:"category,omitempty"`
	// Own fills up with the version's first readings, of Events events; Full is then
	// what they make.
	Own    *Distribution    `json:"own,omitempty"`
	Events int64            `json:"events,omitempty"`
	Full   *drift.Reference `json:"full,omitempty"`
	FullAt int64            `json:"full_at,omitempty"` // Unix nanoseconds: the last of those readings
	// Against is what periods are held against that begin after Since, in Unix
	// nanoseconds. It is Full itself where it is the version's own.
	Against *drift.Reference `json:"against,omitempty"`
	Since   int64            `json:"since,omitempty"`
	// Trail are the last judged periods, oldest first, where they make the reference.
	Trail []Past `json:"trail,omitempty"`
	// Bounds are those found for the reference as it was frozen.
	Bounds drift.Bounds `json:"bounds,omitempty"`

	grid   drift.Grid    // of Against, once it was asked for
	finder *drift.Finder // of its bins, once a number was counted
	nulls  drift.Counts  // of the reference as it was frozen, where bounds are found one by one
}

// Past is a judged period of a trailing reference: as it was learnt, or, once the
// edges are frozen, its counts.
type Past struct {
	Learnt  *Distribution `json:"learnt,omitempty"`
	Counts  drift.Counts  `json:"counts,omitempty"`
	Missing int64         `json:"missing,omitempty"`
}

// Distribution are readings whose bins are not known yet.
type Distribution struct {
	Spread *drift.Spread  `json:"spread,omitempty"`
	Values *metric.Values `json:"values,omitempty"`
}

// Period is what was measured of the features in one period.
type Period struct {
	Events int64   `json:"events"`
	Parts  []*Part `json:"parts,omitempty"` // by feature; nil where nothing was measured
}

// Part is what was measured of one feature in one period.
type Part struct {
	Tally  *drift.Tally  `json:"tally,omitempty"`  // in the bins of the reference
	Learnt *Distribution `json:"learnt,omitempty"` // while its edges are not known
	Count  int64         `json:"count,omitempty"`  // readings
	// Coarse says that readings came whose distribution nobody kept.
	Coarse bool `json:"coarse,omitempty"`
}

// New begins to compare.
func New(r *policy.Rule, profiles map[string]*drift.Profile) *Comparison {
	c := &Comparison{Closed: !r.HasPattern()}
	reference := &r.Drift.Reference
	for _, isCategory := range []bool{false, true} {
		names := r.Watched(isCategory)
		if reference.From == policy.ReferenceProfile {
			names = profiles[reference.Profile].Names(isCategory)
			c.Closed = true
		}
		for _, name := range names {
			if !isPattern(name) && r.Watches(name, isCategory) && len(c.Features) < policy.MaxWatched {
				c.join(r, name, isCategory)
			}
		}
	}

	c.HoldProfile(r, profiles)
	return c
}

func (c *Comparison) join(r *policy.Rule, name string, isCategory bool) {
	f := &Feature{Name: name, Category: isCategory}
	if from := r.Drift.Reference.From; from == policy.ReferenceFirst || from == policy.ReferencePrevious {
		f.Own = newDistribution(isCategory)
	}
	c.Features = append(c.Features, f)
}

// compareWith lets periods be held against a reference that begin after an instant.
func (f *Feature) compareWith(reference *drift.Reference, since int64) {
	f.Against = reference
	f.grid = drift.Grid{}
	f.finder = nil
	f.Since = since
}

// Feed puts an observation into the period that begins at start, in Unix seconds, and into
// what is learnt. at is the instant that puts it there.
func (c *Comparison) Feed(r *policy.Rule, p *Period, start int64, at time.Time, o *observation.Observation) {
	if c.Dropped {
		return
	}
	c.locate(o.Columns)
	if !c.Closed {
		c.admit(r, o)
	}

	p.Events += o.Events
	bins := 0 // of what is learnt
	places := c.placesOfFeatures()
	for i, f := range c.Features {
		reading := f.of(o, places[i])
		if bins == 0 && f.isLearning() {
			bins = r.LearningBins()
		}
		if f.Own != nil {
			f.learn(c, r, reading, o.Events, at, bins)
		}
		if !reading.isThere() || !f.counts(r, start) {
			continue
		}

		for len(p.Parts) <= i {
			p.Parts = append(p.Parts, nil)
		}
		if p.Parts[i] == nil {
			p.Parts[i] = &Part{}
		}
		p.Parts[i].add(f, reading, bins)
	}
}

// counts says that what comes in the period that begins at start is counted.
func (f *Feature) counts(r *policy.Rule, start int64) bool {
	if f.Against == nil {
		return r.Drift.Reference.From == policy.ReferenceTrailing
	}
	return f.Since == 0 || start*int64(time.Second) > f.Since
}

// isLearning says that readings are kept whose bins are not known yet.
func (f *Feature) isLearning() bool { return f.Own != nil || f.Against == nil }

func (c *Comparison) has(name string, isCategory bool) bool {
	for _, f := range c.Features {
		if f.Name == name && f.Category == isCategory {
			return true
		}
	}
	return false
}

// learn adds the readings of some events to the version's first ones, until they are
// enough. Events whose distribution nobody kept say nothing of what is missing, either.
func (f *Feature) learn(c *Comparison, r *policy.Rule, read reading, events int64, at time.Time, bins int) {
	if read.isThere() && !f.Own.add(read, bins) {
		return
	}
	f.Events += events

	count := f.Own.count()
	if !read.isThere() || count < r.Drift.Reference.SampleCount() {
		return
	}

	f.Full = f.Own.freeze(max(0, f.Events-count))
	f.FullAt = at.UnixNano()
	f.Own = nil
	c.Closed = true
	if r.Drift.Reference.From == policy.ReferenceFirst {
		f.compareWith(f.Full, f.FullAt)
		f.Full = nil
	}
}

// Adopt lets the features without a reference be held against what those of the
// version before have learnt.
func (c *Comparison) Adopt(before *Comparison) {
	for _, old := range before.Features {
		if old.Full == nil {
			continue
		}
		for _, f := range c.Features {
			if f.Against == nil && f.Name == old.Name && f.Category == old.Category {
				f.compareWith(old.Full, old.FullAt)
			}
		}
	}
}

// IsFull says that some feature has learnt what the next version may be held against.
func (c *Comparison) IsFull() bool {
	for _, f := range c.Features {
		if f.Full != nil {
			return true
		}
	}
	return false
}

// LacksReference says that some feature is not held against anything yet.
func (c *Comparison) LacksReference() bool {
	for _, f := range c.Features {
		if f.Against == nil {
			return true
		}
	}
	return false
}

// Drop forgets all but that there was something: the version is none of those heard of
// last.
func (c *Comparison) Drop() { *c = Comparison{Dropped: true} }
