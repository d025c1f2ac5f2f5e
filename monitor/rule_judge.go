package monitor

func (r *Rule) hasBaseline() bool { return !r.BelowBaselineBy.IsZero() || !r.AboveBaselineBy.IsZero() }

func (r *Rule) baselineSamples() int64 {
	if r.Baseline == nil || r.Baseline.Samples == 0 {
		return DefaultBaselineSamples
	}
	return r.Baseline.Samples
}

// fromPrevious says that the rule measures against the version before.
func (r *Rule) fromPrevious() bool { return r.Baseline != nil && r.Baseline.From == BaselinePrevious }

// isBeyond says that a value is on the breaching side of a threshold.
func (r *Rule) isBeyond(value, threshold float64) bool {
	if r.falls() {
		return value < threshold
	}
	return value > threshold
}

// falls says that low values breach.
func (r *Rule) falls() bool { return !r.Below.IsZero() || !r.BelowBaselineBy.IsZero() }

func (c *Change) detector() Detector {
	if c.Detector == "" {
		return DetectorADWIN
	}
	return c.Detector
}

// clear is the threshold beyond which a breaching rule stays so.
func (r *Rule) clear() (float64, bool) {
	if clear, ok := r.ClearBelow.Get(); ok {
		return clear, true
	}
	return r.ClearAbove.Get()
}

// judge holds the extremes of readings against the threshold.
func (r *Rule) judge(metric *MetricDigest) (value, threshold float64, breaches bool) {
	if below, ok := r.Below.Get(); ok {
		return metric.Min, below, metric.Min < below
	}
	above := r.Above.Or(0)
	return metric.Max, above, metric.Max > above
}
