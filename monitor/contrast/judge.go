package contrast

import (
	"cmp"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// PeriodFinding is what a rule found of one period.
type PeriodFinding struct {
	Name        string         `json:"name,omitempty"` // the feature furthest beyond its bound, or nearest to it
	Value       metric.Reading `json:"value,omitzero"` // its statistic; absent where nothing was measured
	Threshold   metric.Reading `json:"threshold,omitzero"`
	Breaching   []string       `json:"breaching,omitempty"` // all that are beyond theirs, the furthest first
	Breach      bool           `json:"breach,omitempty"`
	Unknown     bool           `json:"unknown,omitempty"`     // it could not be said whether enough of them are
	Approximate bool           `json:"approximate,omitempty"` // counted by sketches, that say no better
	Readings    int64          `json:"readings,omitempty"`    // of the feature
	Judged      int            `json:"judged,omitempty"`      // features that were measured
	Beyond      int            `json:"beyond,omitempty"`      // of those, that are beyond their bounds
}

// Moved is one feature of a finding, in words too.
type Moved struct {
	Name      string   `json:"name"`
	Value     float64  `json:"value"`
	Threshold float64  `json:"threshold"`
	Readings  int64    `json:"readings"`
	Reference int64    `json:"reference"`       // its size
	Bins      []string `json:"moved,omitempty"` // those whose share has changed most, in words
}

const (
	mostMoved = 3 // features, and bins of one, that are told
	mostNamed = 8 // features that a reason names
)

// found is what was found of one feature.
type found struct {
	feature   *Feature
	reference drift.Counts // as it was then
	tally     *drift.Tally
	value     float64
	bound     float64
}

func (f *found) beyond() float64 { return f.value - f.bound }

// Judge holds a period, from start until end in Unix seconds, against the references. It
// keeps what it found, and lets the period join those that make a trailing reference.
func (c *Comparison) Judge(r *policy.Rule, p *Period, start, end int64) *PeriodFinding {
	if p == nil {
		p = &Period{}
	}
	var judged []found
	unknown, lacking := 0, 0
	finding := PeriodFinding{}
	for i, f := range c.Features {
		part := &Part{}
		if i < len(p.Parts) && p.Parts[i] != nil {
			part = p.Parts[i]
		}
		if f.Against == nil || !f.counts(r, start) {
			lacking++
			continue
		}

		one := found{feature: f, reference: f.Against.Counts, tally: &drift.Tally{Counts: make(drift.Counts, f.Against.Bins())}}
		if part.Count > 0 && !part.Coarse {
			one.tally = part.in(f.Against)
		}
		measured, certain := one.judge(r, p, part)
		if !certain {
			unknown++
		}
		if measured {
			judged = append(judged, one)
		}
		finding.Approximate = finding.Approximate || one.tally.IsApproximate()
	}

	slices.SortStableFunc(judged, func(a, b found) int { return cmp.Compare(b.beyond(), a.beyond()) })
	finding.fill(r, judged, unknown, lacking > 0 || c.Dropped)
	c.Last = finding
	c.Moved = tellMoved(judged)
	c.judged = judged
	if r.Drift.Reference.From == policy.ReferenceTrailing {
		c.trail(r, p, end)
	}
	return &c.Last
}

// judge finds the statistic of one feature, and its bound. certain is false where what
// is not known could change the verdict.
func (f *found) judge(r *policy.Rule, p *Period, part *Part) (measured, certain bool) {
	against := f.feature.Against
	least := max(1, r.MinSamples)
	if r.Drift.Statistic == drift.Missing {
		if p.Events < least {
			return false, true
		}
		f.value = drift.MissingShare(p.Events, part.Count)
		f.bound = drift.Significant(r.Above.Value() + against.MissingShare())
		return true, true
	}

	if part.Count < least {
		return false, true
	}
	if part.Coarse {
		return false, false
	}
	value, known := r.Drift.Statistic.Measure(against, f.tally.Counts)
	bound, isBound := f.feature.bound(r, f.tally.Counts.Total())
	if !known || !isBound {
		return false, false
	}
	low, high, _ := r.Drift.Statistic.Range(against, f.tally)
	f.value = value
	f.bound = bound
	if low <= bound && high > bound {
		return false, false
	}
	return true, true
}

// bound is beyond what the statistic of so many readings breaches.
func (f *Feature) bound(r *policy.Rule, size int64) (bound float64, known bool) {
	if r.FalseAlarms.IsZero() {
		return r.Above.Get()
	}
	return f.Bounds.At(r.Drift.Statistic, size, f.Against.Counts.Total())
}

// fill says what the features make of the rule.
func (l *PeriodFinding) fill(r *policy.Rule, judged []found, unknown int, isLacking bool) {
	for i := range judged {
		if judged[i].beyond() <= 0 {
			break
		}
		if len(l.Breaching) < mostNamed || len(l.Breaching) < r.Breadth() {
			l.Breaching = append(l.Breaching, judged[i].feature.Name)
		}
	}

	breaching := 0
	for i := range judged {
		if judged[i].beyond() > 0 {
			breaching++
		}
	}
	l.Judged = len(judged)
	l.Beyond = breaching
	l.Breach = breaching >= r.Breadth()
	l.Unknown = !l.Breach && (breaching+unknown >= r.Breadth() && unknown > 0 || len(judged) == 0 && isLacking)
	if len(judged) > 0 {
		l.Name = judged[0].feature.Name
		l.Value = metric.Some(judged[0].value)
		l.Threshold = metric.Some(judged[0].bound)
		l.Readings = judged[0].tally.Counts.Total()
	}
}

// trail lets a judged period join those that make the reference.
func (c *Comparison) trail(r *policy.Rule, p *Period, end int64) {
	periods := r.Drift.Reference.PeriodCount()
	bins := r.LearningBins()
	for i, f := range c.Features {
		if i >= len(p.Parts) || p.Parts[i] == nil || p.Parts[i].Coarse || p.Parts[i].Count < max(1, r.MinSamples) {
			continue
		}
		past := Past{Missing: max(0, p.Events-p.Parts[i].Count)}
		if f.Against != nil {
			past.Counts = p.Parts[i].in(f.Against).Counts
			f.Trail = append(f.Trail, past)
			f.Trail = f.Trail[max(0, len(f.Trail)-periods):]
			f.sum()
			continue
		}

		past.Learnt = p.Parts[i].Learnt
		f.Trail = append(f.Trail, past)
		if len(f.Trail) == periods {
			f.freezeTrail(bins, end*int64(time.Second))
			c.Closed = true
		}
	}
}

// freezeTrail makes a reference of the first periods: edges, and each one's counts.
func (f *Feature) freezeTrail(bins int, end int64) {
	all := newDistribution(f.Category)
	for i := range f.Trail {
		all.merge(f.Trail[i].Learnt, bins)
	}
	reference := all.freeze(0)
	for i := range f.Trail {
		f.Trail[i].Counts = f.Trail[i].Learnt.in(reference).Counts
		f.Trail[i].Learnt = nil
	}
	// The period that begins as the last of these ends is the first to be judged.
	f.compareWith(reference, end-1)
	f.sum()
}

// sum makes the reference of the periods that are kept. Its edges stay.
func (f *Feature) sum() {
	counts := make(drift.Counts, f.Against.Bins())
	missing := int64(0)
	for i := range f.Trail {
		counts.Add(f.Trail[i].Counts)
		missing += f.Trail[i].Missing
	}
	f.Against.Counts = counts
	f.Against.Missing = missing
}
