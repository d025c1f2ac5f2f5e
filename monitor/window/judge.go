package window

import (
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// point is the datapoint of a period, not judged yet.
func (b *Bucket) point(r *policy.Rule, isGap, isPart bool) Point {
	p := Point{Start: b.Start, Approximate: b.Approximate, Value: b.value(r.Stat)}
	isEnough := b.Count >= max(1, r.MinSamples)
	if !r.IsTotal() && !isEnough {
		p.Value = metric.Reading{}
	}

	isWide := b.Sketch != nil && isEnough && p.Value.IsZero() // the readings span too much for this percentile
	p.Unknown = isWide || b.saysNothing(r, isGap, isPart)
	return p
}

// saysNothing says that what was measured in a period can't be judged, since not all of
// it need have come: this side was away, or the version was there for a part of it.
func (b *Bucket) saysNothing(r *policy.Rule, isGap, isPart bool) bool {
	switch {
	case isPart && r.IsTotal():
		return true
	case !isGap:
		return false
	case b.Count == 0: // it need not have been silent
		return true
	}

	// A total lacks what has not come: only that it is too high is certain.
	return r.IsTotal() && (r.BreachesLow() || r.Change != nil || r.HasBaseline())
}

// judge holds a datapoint against the threshold. One that is unknown stays so, and
// so does one whose threshold is.
func (p *Point) judge(r *policy.Rule, threshold metric.Reading) {
	p.Breach = false
	switch value, measured := p.Value.Get(); {
	case p.Unknown:
	case !measured:
		p.Breach = r.Missing == policy.MissingBreaching
	case threshold.IsZero():
		p.Unknown = true
	default:
		p.Breach = r.IsBeyond(value, threshold.Value())
	}
}

// conclude says what a rule says by its datapoints, of which p is the one judged last.
func (w *Window) conclude(r *policy.Rule, p Point) verdict.Finding {
	breaching, of := Count(r, w.Points)
	mOf, _ := r.MOfN()
	f := verdict.Finding{Verdict: verdict.Healthy, Fresh: true, Hit: p.Breach && breaching >= mOf}
	value, measured := p.Value.Get()
	switch clear, clears := r.ClearThreshold(); {
	case of == 0:
		f.Verdict = verdict.Unknown
	case !clears && breaching >= mOf:
		f.Verdict = verdict.Breaching
	case clears:
		if f.Hit {
			w.Uncleared = true
		} else if measured && !p.Unknown && !r.IsBeyond(value, clear) {
			w.Uncleared = false
		}
		if w.Uncleared {
			f.Verdict = verdict.Breaching
		}
	}

	return f
}

// Count says how many of the last N datapoints of a rule breach, and how many there are.
// points are the judged ones, oldest first.
func Count(r *policy.Rule, points []Point) (breaching, of int) {
	_, n := r.MOfN()
	for i := len(points) - 1; i >= 0 && of < n; i-- {
		p := &points[i]
		if p.Unknown || p.Value.IsZero() && r.IgnoresMissing() {
			continue // earlier ones are looked at instead
		}

		of++
		if p.Breach {
			breaching++
		}
	}

	return breaching, of
}

// detect shows a datapoint to the rule's detector of change.
func (w *Window) detect(r *Rule, p Point, due time.Time) {
	w.keep(r, p)
	value, measured := p.Value.Get()
	if !measured || p.Unknown {
		return
	}

	changed, before, after := w.show(r.Change.WithDefaults(), value)
	up, down := r.Change.Direction != policy.DirectionDown, r.Change.Direction != policy.DirectionUp
	if changed && (up && after > before || down && after < before) {
		w.Changed = due
		w.From = metric.Some(before)
		w.To = metric.Some(after)
	}
}

// show shows a value to the detector that a rule asks for, and says whether the mean has
// changed by it, from what to what.
func (w *Window) show(c policy.Change, value float64) (changed bool, before, after float64) {
	if c.Detector == policy.DetectorCUSUM {
		if w.Sums == nil {
			w.Sums = &CUSUM{}
		}
		return w.Sums.Add(value, c.Samples, c.Slack, c.Decision)
	}

	if w.Detector == nil {
		w.Detector = &ADWIN{}
	}
	return w.Detector.Add(value, c.Delta)
}

// keep adds a judged datapoint, in order of time, and forgets those out of reach.
func (w *Window) keep(r *Rule, p Point) {
	i := len(w.Points)
	for i > 0 && w.Points[i-1].Start > p.Start {
		i--
	}

	w.Points = slices.Insert(w.Points, i, p)
	w.forget(r)
}
