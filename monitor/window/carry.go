package window

import (
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// Carry hands a window on from a rule to another that measures the same, and says
// whether its datapoints had to be dropped: a rule knows what it knows from when it
// began to know it, and what was judged by another measure is not known.
func (w *Window) Carry(o *policy.Rule, r *Rule, now time.Time) (dropped bool) {
	switch {
	case !r.KnowsSilence():
		w.Silence = 0
	case !o.KnowsSilence():
		w.Silence = r.Periods.Of(now)
	}

	if !sameDrift(o, r.Rule) {
		dropped = len(w.Points) > 0 || w.Compare != nil && !w.Compare.Dropped
		*w = Window{Through: w.Through, Silence: w.Silence, Late: w.Late, LateAt: w.LateAt}
	}
	if o.Time != r.Time { // readings were put into other periods
		w.Open = nil
	}

	dropped = dropped || len(w.Points) > 0 && judgedOtherwise(o, r.Rule)
	if dropped {
		w.Points = nil
	}
	if o.IgnoresMissing() != r.IgnoresMissing() || (o.Missing == policy.MissingBreaching) != (r.Missing == policy.MissingBreaching) {
		w.Points = slices.DeleteFunc(w.Points, func(p Point) bool { return p.Value.IsZero() })
	}
	w.forget(r) // by how far the rule reaches now

	w.carryBaseline(o, r.Rule)
	w.carryDetector(o.Change, r.Change)
	return dropped
}

// judgedOtherwise says that a rule's datapoints are none of another's that measures the
// same: they are of other periods or other numbers of readings, breach on the other side,
// or had each a threshold of its own.
func judgedOtherwise(o, r *policy.Rule) bool {
	was, is := o.BaselineOf(), r.BaselineOf()
	isTrailing := was.From == policy.BaselineTrailing || is.From == policy.BaselineTrailing
	return o.Time != r.Time || max(1, o.MinSamples) != max(1, r.MinSamples) || o.BreachesLow() != r.BreachesLow() ||
		isTrailing && (o.BelowBaselineBy != r.BelowBaselineBy || o.AboveBaselineBy != r.AboveBaselineBy || was != is)
}

// carryDetector keeps what a detector has learnt while it is the same one, and what it
// has found while it would be found alike.
func (w *Window) carryDetector(o, r *policy.Change) {
	var was, is policy.Change
	if o != nil {
		was = o.WithDefaults()
	}
	if r != nil {
		is = r.WithDefaults()
	}

	if is.Detector != policy.DetectorADWIN {
		w.Detector = nil
	}
	if is.Detector != policy.DetectorCUSUM || is.Samples != was.Samples {
		w.Sums = nil
	}
	is.Hold = was.Hold
	if r == nil || is != was {
		w.Changed = time.Time{}
		w.From = metric.Reading{}
		w.To = metric.Reading{}
	}
}

// sameDrift says that two rules hold the same distributions against the same reference
// and bound, or none.
func sameDrift(o, r *policy.Rule) bool {
	part := func(r *policy.Rule) policy.Rule {
		return policy.Rule{
			Metric: r.Metric, Category: r.Category, Metrics: r.Metrics, Categories: r.Categories, Drift: r.Drift,
			Above: r.Above, FalseAlarms: r.FalseAlarms, AtLeast: r.AtLeast, Datapoints: r.Datapoints, MinSamples: r.MinSamples, Time: r.Time,
		}
	}
	return !o.IsDrift() && !r.IsDrift() || strict.Equal(part(o), part(r))
}

// Rejudge judges what was measured of a rule, old until now, by what the rule is now.
func (t *Track) Rejudge(r *Rule, old *policy.Rule, now time.Time) {
	switch r.Form() {
	case policy.FormInstant:
		t.rejudgeLast(r.Rule, old)
	case policy.FormWindow:
		t.rejudgeWindow(r, now)
	}
}

// rejudgeLast holds what was measured last against another threshold.
func (t *Track) rejudgeLast(r, old *policy.Rule) {
	value, measured := t.Value.Get()
	if !measured || r.BreachesLow() != old.BreachesLow() { // of the other side nothing is known
		*t = Track{Deferred: t.Deferred}
		return
	}

	threshold := r.Below.Or(r.Above.Or(0))
	t.Threshold = metric.Some(threshold)
	t.Verdict = verdict.Healthy
	if r.IsBeyond(value, threshold) {
		t.Verdict = verdict.Breaching
	}
}

// rejudgeWindow judges the datapoints that are kept, one after the other.
func (t *Track) rejudgeWindow(r *Rule, now time.Time) {
	w := t.Window
	if r.Change != nil {
		t.Verdict = t.Standing(r, now)
		t.Threshold = w.From
		return
	}

	if !r.IsDrift() {
		t.Threshold = w.threshold(r.Rule)
	}
	t.Verdict = verdict.Unknown
	w.Uncleared = false
	points := w.Points
	for i := range points {
		// Some were judged by what is not kept: each by a threshold of its own.
		if !r.IsDrift() && r.BaselineOf().From != policy.BaselineTrailing {
			points[i].judge(r.Rule, t.Threshold)
		}
		w.Points = points[:i+1]
		t.Verdict = w.conclude(r.Rule, points[i]).Verdict
	}
}
