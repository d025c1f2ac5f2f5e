package contrast

import (
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// Lacking is a feature whose bounds are not known.
type Lacking struct {
	Name     string     `json:"name"`
	Category bool       `json:"category,omitempty"`
	Null     drift.Null `json:"null"`
}

// Lacks are the features whose bounds are to be found, all of them at once: those of
// whose reference no bound is known.
func (c *Comparison) Lacks(r *policy.Rule) (lacking []Lacking) {
	if r.FalseAlarms.IsZero() || !c.Closed {
		return nil
	}

	for _, f := range c.Features {
		if f.Against == nil || f.Bounds != nil {
			continue
		}
		null, ok := c.null(r, f)
		if ok {
			lacking = append(lacking, Lacking{f.Name, f.Category, null})
		}
	}
	return lacking
}

// null is what the statistic of a feature is when nothing has changed.
func (c *Comparison) null(r *policy.Rule, f *Feature) (drift.Null, bool) {
	m, n := r.MOfN()
	level, ok := drift.Level(r.FalseAlarms.Value().PerLook(r.PeriodLength()), m, n, r.Breadth(), len(c.Features))
	return drift.Null{Statistic: r.Drift.Statistic, Counts: f.Against.Counts, Level: level, Among: len(c.Features)}, ok
}

// SetBounds takes the bounds of a feature.
func (c *Comparison) SetBounds(name string, isCategory bool, bounds drift.Bounds) {
	for _, f := range c.Features {
		if f.Name == name && f.Category == isCategory && f.Against != nil {
			f.Bounds = bounds
		}
	}
}

// FindBounds finds what the judgement of a period that begins at start will ask for,
// and no more: what is found is what it would be if all were. find finds the bounds of a
// stretch of sizes.
func (c *Comparison) FindBounds(r *policy.Rule, p *Period, start int64, find func(null *drift.Null, size int64) drift.Bounds) {
	if r.FalseAlarms.IsZero() || !c.Closed || p == nil {
		return
	}

	for i, f := range c.Features {
		if f.Against == nil || !f.counts(r, start) || i >= len(p.Parts) || p.Parts[i] == nil || p.Parts[i].Count < max(1, r.MinSamples) {
			continue
		}
		null, ok := c.null(r, f)
		if f.nulls != nil {
			null.Counts = f.nulls
		} else {
			f.nulls = null.Counts
		}
		if size := p.Parts[i].Count; ok && !f.Bounds.Know(size) {
			f.Bounds = f.Bounds.With(find(&null, size))
		}
	}
}
