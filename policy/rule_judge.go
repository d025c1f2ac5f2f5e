package policy

import "github.com/modelvigil/modelvigil/metric"

// IsBeyond says that a value is on the breaching side of a threshold.
func (r *Rule) IsBeyond(value, threshold float64) bool {
	if r.BreachesLow() {
		return value < threshold
	}
	return value > threshold
}

// BreachesLow says that low values breach.
func (r *Rule) BreachesLow() bool { return !r.Below.IsZero() || !r.BelowBaselineBy.IsZero() }

// ClearThreshold is the threshold beyond which a breaching rule stays so.
func (r *Rule) ClearThreshold() (float64, bool) {
	if clear, ok := r.ClearBelow.Get(); ok {
		return clear, true
	}
	return r.ClearAbove.Get()
}

// Judge holds the extremes of readings against the threshold.
func (r *Rule) Judge(metric *metric.Summary) (value, threshold float64, breaches bool) {
	if below, ok := r.Below.Get(); ok {
		return metric.Min, below, metric.Min < below
	}
	above := r.Above.Or(0)
	return metric.Max, above, metric.Max > above
}
