// Package window is what is known of one rule on one version of a model: what it said
// last, and of a rule with a period the recent past, in which each period is judged
// once it is over. A window knows when its next datapoint is due.
package window

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// Track is what is known of one rule on one model version.
type Track struct {
	At        time.Time       `json:"at,omitzero"`       // when it was last judged
	Verdict   verdict.Verdict `json:"verdict,omitempty"` // then
	Value     metric.Reading  `json:"value,omitzero"`    // and what it was
	Threshold metric.Reading  `json:"threshold,omitzero"`
	// Deferred says that the rule would have triggered in the blackout that is on.
	Deferred bool    `json:"deferred,omitempty"`
	Window   *Window `json:"window,omitempty"` // of a rule with a period
}

// NewTrack is that of a rule of which nothing is known.
func NewTrack(r *policy.Rule) *Track {
	if r.IsWindowed() {
		return &Track{Window: &Window{}}
	}
	return &Track{}
}

// NewTracks are one of each rule, in one piece of memory: a version may be new with
// every event.
func NewTracks(rules []policy.Rule) []*Track {
	all := make([]Track, len(rules))
	tracks := make([]*Track, len(rules))
	windowed := 0
	for i := range rules {
		tracks[i] = &all[i]
		if rules[i].IsWindowed() {
			windowed++
		}
	}

	windows := make([]Window, windowed)
	for i := range rules {
		if rules[i].IsWindowed() {
			windowed--
			all[i].Window = &windows[windowed]
		}
	}

	return tracks
}

// Measure judges what one observation has measured of the metric of a rule without a
// period; nil is nothing, of which nothing is found.
func (t *Track) Measure(r *policy.Rule, measured *metric.Summary, now time.Time) (f verdict.Finding) {
	if measured == nil {
		return f
	}

	value, threshold := r.Extreme(measured)
	breaches := r.IsBeyond(value, threshold)
	f = verdict.Finding{Verdict: verdict.Healthy, Fresh: true, Hit: breaches}
	if breaches {
		f.Verdict = verdict.Breaching
	}

	t.At = now
	t.Verdict = f.Verdict
	t.Value = metric.Some(value)
	t.Threshold = metric.Some(threshold)
	return f
}

// Circumstances are what a period is judged under, beside what was measured in it.
type Circumstances struct {
	Silence   bool // a period in which nothing was measured is a datapoint, too
	Gap       bool // this side was away, so that silence says nothing
	TakenOver bool // another version took over within the period, so that a total says nothing
}

// JudgeNext judges the next period of a rule that has one, which is due: what was measured
// in it, or its silence.
func (t *Track) JudgeNext(r *Rule, due, now time.Time, under Circumstances) (f verdict.Finding, judged Judged) {
	w := t.Window
	taken := w.take(r, under.Silence)
	p := taken.point(r.Rule, under.Gap, under.TakenOver || w.isPart(taken.Start))

	switch {
	case r.IsDrift():
		p, t.Threshold = w.judgeDrift(r, taken, under.Gap)
		w.keep(r, p)
		f = w.conclude(r.Rule, p)
	case r.Change != nil:
		w.detect(r, p, due)
		f.Verdict = t.Standing(r, now)
		f.Fresh = true
		f.Hit = f.Verdict == verdict.Breaching
		t.Threshold = w.From
	default:
		w.lookBack(r, p.Start)
		t.Threshold = w.threshold(r.Rule)
		isLost := p.Unknown
		p.judge(r.Rule, t.Threshold)
		w.remember(r, p, taken.Count, isLost)
		w.keep(r, p)
		f = w.conclude(r.Rule, p)
	}

	t.At = due
	t.Verdict = f.Verdict
	t.Value = p.Value
	return f, Judged{Point: p, Readings: taken.Count}
}

// Judged is a datapoint, and how many readings it has.
type Judged struct {
	Point
	Readings int64
}

// Standing is what a rule with a period says while no datapoint is judged. It is
// forgotten when all datapoints are out of reach, but where silence is fine.
func (t *Track) Standing(r *Rule, now time.Time) verdict.Verdict {
	w := t.Window
	if r.Change != nil {
		switch {
		case !w.Changed.IsZero() && now.Before(w.Changed.Add(time.Duration(r.Change.Hold.Or(policy.Duration(policy.DefaultHold))))):
			return verdict.Breaching
		case w.Detector != nil, w.Sums != nil && w.Sums.Learnt >= r.Change.WithDefaults().Samples:
			return verdict.Healthy
		}
		return verdict.Unknown
	}
	if n := len(w.Points); n == 0 || !w.IsSettled(r.Rule) && now.After(r.Periods.Due(r.Periods.Move(w.Points[n-1].Start, int64(r.Reach())))) {
		return verdict.Unknown
	}

	return t.Verdict
}

// ForgetChange ends what a detection says that a retraining, triggered since, has
// answered: one change is one retraining, whether or not it makes a new version.
func (t *Track) ForgetChange(triggered time.Time) {
	if w := t.Window; !w.Changed.IsZero() && !w.Changed.After(triggered) {
		w.Changed = time.Time{}
		t.Verdict = verdict.Healthy
	}
}
