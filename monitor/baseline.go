package monitor

import (
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// fillBaseline adds readings to a version's first ones until they are enough.
func (w *window) fillBaseline(r *policy.Rule, metric *metric.Summary, percentile bool) {
	if !r.HasBaseline() || !w.Base.IsZero() {
		return
	}
	if w.First == nil {
		w.First = &bucket{}
	}
	w.First.add(metric, percentile, false)
	if w.First.Count >= r.BaselineSamples() {
		w.Base = w.First.value(r.Stat)
		w.First = nil
	}
}

// baseOf is the baseline that a rule measures against; absent until it is full.
func (w *window) baseOf(r *policy.Rule) metric.Reading {
	if r.MeasuresPrevious() {
		return w.Previous
	}
	return w.Base
}

// threshold is beyond what a datapoint breaches; unknown until the baseline is full.
func (m *Machine) threshold(r *policy.Rule, w *window, name string) (threshold float64, known bool) {
	switch {
	case !r.Below.IsZero():
		return r.Below.Value(), true
	case !r.Above.IsZero():
		return r.Above.Value(), true
	case r.MeasuresPrevious() && w.Previous.IsZero():
		w.Previous = m.previousBase(r, name)
	}

	base, known := w.baseOf(r).Get()
	if margin, below := r.BelowBaselineBy.Get(); below {
		return base - margin.Of(base), known
	}

	return base + r.AboveBaselineBy.Value().Of(base), known
}

// previousBase is the baseline of the version that began last before this one, of
// those whose baseline is full: one that was given up after a few events is no
// measure.
func (m *Machine) previousBase(r *policy.Rule, name string) (base metric.Reading) {
	rule := m.ruleNumber[r.Name]
	var before *version
	for _, v := range m.state.Versions { // no two began together, so in any order
		isFull := v.Rules != nil && !v.Rules[rule].Window.Base.IsZero()
		if isFull && v.beganBefore(m.state.Versions[name]) && (before == nil || before.beganBefore(v)) {
			before = v
		}
	}
	if before == nil {
		return base
	}
	return before.Rules[rule].Window.Base
}
