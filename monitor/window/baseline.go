package window

import (
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// fillBaseline adds readings to a version's first ones until they are enough.
func (w *Window) fillBaseline(r *policy.Rule, metric *metric.Summary, percentile bool) {
	if !r.HasBaseline() || !w.Base.IsZero() {
		return
	}
	if w.First == nil {
		w.First = &Bucket{}
	}
	w.First.add(metric, percentile, false)
	if w.First.Count >= r.BaselineSamples() {
		w.Base = w.First.value(r.Stat)
		w.First = nil
	}
}

// Baseline is what a rule measures against; absent until it is full.
func (w *Window) Baseline(r *policy.Rule) metric.Reading {
	if r.MeasuresPrevious() {
		return w.Previous
	}
	return w.Base
}

// threshold is beyond what a datapoint breaches; absent until the baseline is full.
func (w *Window) threshold(r *policy.Rule) metric.Reading {
	switch {
	case !r.Below.IsZero():
		return r.Below
	case !r.Above.IsZero():
		return r.Above
	}

	base, known := w.Baseline(r).Get()
	if !known {
		return metric.Reading{}
	}
	if margin, below := r.BelowBaselineBy.Get(); below {
		return metric.Some(base - margin.Of(base))
	}

	return metric.Some(base + r.AboveBaselineBy.Value().Of(base))
}
