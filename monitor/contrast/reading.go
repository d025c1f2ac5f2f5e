package contrast

import (
	"strings"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// reading is what an observation has of one feature.
type reading struct {
	summary *metric.Summary
	value   string
	values  *metric.Values
}

func (f *Feature) of(o Observed) (r reading) {
	if f.Category {
		r.value, r.values = o.Category(f.Name)
		return r
	}
	r.summary = o.Metric(f.Name)
	return r
}

func (r reading) isThere() bool { return r.summary != nil || r.value != "" || r.values != nil }

func (r reading) count() int64 {
	switch {
	case r.summary != nil:
		return r.summary.Count
	case r.values != nil:
		return r.values.Count()
	}
	return 1
}

// Readings is how many readings an observation has, of the feature that it has most of.
func (c *Comparison) Readings(o Observed) (most int64) {
	for _, f := range c.Features {
		if r := f.of(o); r.isThere() {
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
	case r.values != nil:
		d.Values.Merge(r.values)
	default:
		d.Values.Add(r.value, 1)
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
	case r.value != "":
		p.Tally.Counts[f.Against.BinOf(r.value)]++
	case r.values != nil:
		p.Tally.Add(f.Against.CountValues(r.values))
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
