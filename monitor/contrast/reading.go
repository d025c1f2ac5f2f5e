package contrast

import (
	"strings"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/monitor/observation"
	"github.com/modelvigil/modelvigil/policy"
)

// reading is what an observation has of one feature: nothing, or one of both.
type reading struct {
	summary  *metric.Summary
	category *observation.Category
}

// of is what an observation has of the feature, which is in a place of its columns.
func (f *Feature) of(o *observation.Observation, place int) reading {
	if f.Category {
		return reading{category: o.Category(f.Name)}
	}
	return reading{summary: o.At(place)}
}

// locate finds the metrics in the columns of an observation.
func (c *Comparison) locate(columns *table.Columns) {
	if c.columns != columns {
		c.columns = columns
		c.places = c.places[:0]
		c.met = append(c.met[:0], make([]bool, len(columns.Names()))...)
	}
}

// admit lets those join that an observation measures for the first time, and that a
// pattern matches.
func (c *Comparison) admit(r *policy.Rule, o *observation.Observation) {
	for place, isMet := range c.met {
		if !isMet && o.At(place) != nil {
			c.met[place] = true
			c.admitName(r, c.columns.Names()[place], false)
		}
	}
	for i := range o.Categories {
		c.admitName(r, o.Categories[i].Name, true)
	}
}

func (c *Comparison) admitName(r *policy.Rule, name string, isCategory bool) {
	if len(c.Features) < policy.MaxWatched && !c.has(name, isCategory) && r.Watches(name, isCategory) {
		c.join(r, name, isCategory)
	}
}

// placesOfFeatures are where the features are in the columns that were looked in last,
// Nowhere for categories.
func (c *Comparison) placesOfFeatures() []int {
	for _, f := range c.Features[len(c.places):] {
		place := table.Nowhere
		if !f.Category {
			place = c.columns.Place(f.Name)
		}
		c.places = append(c.places, place)
	}
	return c.places
}

func (r reading) isThere() bool { return r.summary != nil || r.category != nil }

func (r reading) count() int64 {
	switch {
	case r.summary != nil:
		return r.summary.Count
	case r.category.Values != nil:
		return r.category.Values.Count()
	}
	return 1
}

// Readings is how many readings an observation has, of the feature that it has most of.
func (c *Comparison) Readings(o *observation.Observation) (most int64) {
	c.locate(o.Columns)
	places := c.placesOfFeatures()
	for i, f := range c.Features {
		if r := f.of(o, places[i]); r.isThere() {
			most = max(most, r.count())
		}
	}
	return most
}

func isPattern(name string) bool { return strings.Contains(name, "*") }

func newDistribution(isCategory bool) *Distribution {
	if isCategory {
		return &Distribution{Values: &metric.Values{}}
	}
	return &Distribution{Spread: &drift.Spread{}}
}

// add adds readings, and says whether it could tell them apart.
func (d *Distribution) add(r reading, bins int) bool {
	switch {
	case d.Spread != nil:
		return d.Spread.AddSummary(r.summary, bins)
	case r.category.Values != nil:
		d.Values.Merge(r.category.Values)
	default:
		d.Values.Add(r.category.Value, 1)
	}
	d.Values.Fit(policy.MaxReferenceText)
	return true
}

func (d *Distribution) count() int64 {
	if d.Spread != nil {
		return d.Spread.Count()
	}
	return d.Values.Count()
}

func (d *Distribution) merge(other *Distribution, bins int) {
	if d.Spread != nil {
		d.Spread.Merge(other.Spread, bins)
		return
	}
	d.Values.Merge(other.Values)
}

func (d *Distribution) freeze(missing int64) *drift.Reference {
	if d.Spread != nil {
		return d.Spread.Freeze(missing)
	}
	return drift.ReferenceOfValues(d.Values, missing)
}

// in counts the readings in the bins of a reference.
func (d *Distribution) in(reference *drift.Reference) *drift.Tally {
	if d.Spread != nil {
		return reference.CountSpread(d.Spread)
	}
	return reference.CountValues(d.Values)
}

// add counts readings in a period.
func (p *Part) add(f *Feature, r reading, bins int) {
	p.Count += r.count()
	if f.Against != nil && p.Learnt != nil { // its edges became known meanwhile
		p.Tally = p.Learnt.in(f.Against)
		p.Learnt = nil
	}
	if f.Against == nil {
		if p.Learnt == nil {
			p.Learnt = newDistribution(f.Category)
		}
		p.Coarse = !p.Learnt.add(r, bins) || p.Coarse
		return
	}

	if p.Tally == nil {
		p.Tally = &drift.Tally{Counts: make(drift.Counts, f.Against.Bins())}
	}
	switch {
	case r.category != nil && r.category.Values != nil:
		p.Tally.Add(f.Against.CountValues(r.category.Values))
	case r.category != nil:
		p.Tally.Counts[f.Against.BinOf(r.category.Value)]++
	case r.summary.Count == 1:
		p.Tally.Counts[f.bin(r.summary.Min)]++
	case r.summary.Bins != nil && len(r.summary.BinsOf(f.edgesID())) == len(p.Tally.Counts):
		p.Tally.Counts.Add(r.summary.BinsOf(f.edgesID()))
	default:
		var spread drift.Spread
		if !spread.AddSummary(r.summary, anyBins) {
			p.Coarse = true
			return
		}
		p.Tally.Add(f.Against.CountSpread(&spread))
	}
}

// anyBins is more than a sketch has.
const anyBins = 1 << 11

// in is what was counted in the reference's bins.
func (p *Part) in(reference *drift.Reference) *drift.Tally {
	if p.Learnt == nil {
		return p.Tally
	}
	return p.Learnt.in(reference)
}
