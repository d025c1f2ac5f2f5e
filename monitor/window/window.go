package window

import (
	"cmp"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/observation"
	"github.com/modelvigil/modelvigil/policy"
)

// Window is the recent past of a rule with a period.
type Window struct {
	Open    []*Bucket `json:"open,omitempty"`    // periods not judged yet, by start
	Points  []Point   `json:"points,omitempty"`  // judged ones, oldest first
	Through int64     `json:"through,omitempty"` // end of the last period judged, in Unix seconds; none before is judged again
	Silence int64     `json:"silence,omitempty"` // of the first period whose silence counts, unless it is judged, in Unix seconds
	Late    int64     `json:"late,omitempty"`    // events that came when their period was judged
	LateAt  time.Time `json:"late_at,omitzero"`  // the timestamp of the last of them
	// Since is the timestamp, or the arrival, of the first event of the version, or of the
	// first after a time in which another version was heard: of the period that it is in, and
	// of those before, a total is not known.
	Since     time.Time `json:"since,omitzero"`
	Uncleared bool      `json:"held,omitempty"` // breaching until a datapoint is no longer beyond the clear threshold
	// First fills up with the version's first readings; its statistic is Base.
	First    *Bucket        `json:"first,omitempty"`
	Base     metric.Reading `json:"base,omitzero"`
	Previous metric.Reading `json:"previous,omitzero"` // what the version before has left: its Base, or its Last
	Trail    *Trail         `json:"trail,omitempty"`   // of a baseline that is made of datapoints
	Last     []Last         `json:"last,omitempty"`    // for the version that replaces this one, oldest first
	Detector *ADWIN         `json:"detector,omitempty"`
	Sums     *CUSUM         `json:"sums,omitempty"`   // the other detector
	Changed  time.Time      `json:"changed,omitzero"` // when a change was detected that counts
	From     metric.Reading `json:"from,omitzero"`    // the mean before it
	To       metric.Reading `json:"to,omitzero"`      // and after it
	// Compare is what a drift rule knows.
	Compare *contrast.Comparison `json:"compare,omitempty"`
}

// Point is a judged datapoint.
type Point struct {
	Start       int64          `json:"start"`          // of its period, Unix seconds
	Value       metric.Reading `json:"value,omitzero"` // absent: missing
	Breach      bool           `json:"breach,omitempty"`
	Unknown     bool           `json:"unknown,omitempty"` // missing, or incomplete, by an outage on our side
	Approximate bool           `json:"approximate,omitempty"`
}

// Feed puts an observation handled at now into the window of a rule: when it was, and
// what was measured of the rule's metric, nil where it was not. passed is until when
// the machine has let time pass.
func (w *Window) Feed(r *Rule, measured *metric.Summary, when *observation.When, now, passed time.Time) {
	w.hearSilence(r, when, now, passed)
	if measured == nil {
		return
	}

	at := when.Instant(r.Rule, now)
	w.fillBaseline(r.Rule, measured, at)
	b := w.period(r, at, passed)
	if b == nil {
		w.hearLate(when, measured.Count)
		return
	}
	b.add(measured, r.Stat, when.BeganBefore(r.Rule, b.Start))
}

// hearSilence begins to count the silence of a version.
func (w *Window) hearSilence(r *Rule, when *observation.When, now, passed time.Time) {
	if !r.KnowsSilence() || w.nextSilence() != 0 && r.Periods.Due(w.nextSilence()).After(passed) {
		return
	}

	// Silence counts from the period of a version's first event on. That of the time in
	// which another version was heard is passed over.
	if w.nextSilence() == 0 {
		w.Silence = r.Periods.Of(now)
	}
	w.Silence = max(w.nextSilence(), r.Periods.FirstOpen(passed))
	if r.IsTotal() {
		w.Since = when.Began(r.Rule, now)
	}
}

// isPart says that the version was heard from somewhere in the period on that begins at
// start, or from a later one.
func (w *Window) isPart(start int64) bool { return time.Unix(start, 0).Before(w.Since) }

// BeganIn says that the version was heard from somewhere in the period on that begins at
// start.
func (w *Window) BeganIn(r *Rule, start int64) bool {
	return w.isPart(start) && w.Since.Before(time.Unix(r.Periods.End(start), 0))
}

// period is the open period that an instant is in; nil where it comes too late.
func (w *Window) period(r *Rule, at, passed time.Time) *Bucket {
	if n := len(w.Open); n > 0 && r.Periods.Has(w.Open[n-1].Start, at) {
		return w.Open[n-1]
	}

	start := r.Periods.Of(at)
	if start < w.Through || !r.Periods.Due(start).After(passed) {
		return nil
	}

	i, found := slices.BinarySearchFunc(w.Open, start, func(b *Bucket, start int64) int { return cmp.Compare(b.Start, start) })
	if !found {
		w.Open = slices.Insert(w.Open, i, &Bucket{Start: start})
	}
	return w.Open[i]
}

// hearLate counts the readings of an observation that comes too late.
func (w *Window) hearLate(when *observation.When, readings int64) {
	if readings > 0 {
		w.Late += readings
		w.LateAt = clock.Later(w.LateAt, when.Last)
	}
}

// Rest passes over the silence that nobody was woken for since it changed nothing, see
// IsSettled: the last datapoints are what they would be if each had been judged.
func (w *Window) Rest(r *Rule, passed time.Time) {
	next := r.Periods.FirstOpen(passed)
	if !r.KnowsSilence() || !w.IsSettled(r.Rule) || next <= w.nextSilence() {
		return
	}

	passedOver := r.Periods.Number(next) - r.Periods.Number(w.Through)
	for i := range w.Points {
		w.Points[i].Start = r.Periods.Move(w.Points[i].Start, passedOver)
	}
	w.Through = next
}

// nextSilence is the first period whose silence is still to be judged, if the rule
// knows it; 0 before the version's first event.
func (w *Window) nextSilence() int64 { return max(w.Through, w.Silence) }

// Next is the start of the period whose datapoint is judged next; ok is false while
// none is to come. silence says that a period without a reading is one too.
func (w *Window) Next(silence bool) (start int64, ok bool) {
	if len(w.Open) > 0 {
		start = w.Open[0].Start
		ok = true
	}
	if next := w.nextSilence(); silence && next != 0 && (!ok || next < start) {
		start = next
		ok = true
	}
	return start, ok
}

// IsSettled says that further silence changes nothing that the rule says: every
// datapoint that is looked at is missing, and that is fine.
func (w *Window) IsSettled(r *policy.Rule) bool {
	_, n := r.MOfN()
	if r.Missing != policy.MissingOK || r.IsTotal() || len(w.Points) < n {
		return false
	}
	for _, p := range w.Points[len(w.Points)-n:] {
		if !p.Value.IsZero() || p.Unknown {
			return false
		}
	}
	return true
}

// take removes the period that is due next, and returns what was measured in it.
func (w *Window) take(r *Rule, silence bool) *Bucket {
	next := w.nextSilence()
	if len(w.Open) > 0 && (!silence || next == 0 || w.Open[0].Start <= next) {
		taken := w.Open[0]
		w.Open = slices.Delete(w.Open, 0, 1)
		w.Through = max(w.Through, r.Periods.End(taken.Start))
		return taken
	}

	w.Through = r.Periods.End(next)
	return &Bucket{Start: next}
}

// Skip passes over the silence of a long outage but for what is still in reach.
func (w *Window) Skip(r *Rule, now time.Time) {
	if r.KnowsSilence() && w.nextSilence() != 0 {
		w.Silence = max(w.Silence, r.Periods.Move(r.Periods.FirstOpen(now), -int64(r.Reach())))
	}
}

// forget drops the datapoints that are out of reach of the last.
func (w *Window) forget(r *Rule) {
	if len(w.Points) == 0 {
		return
	}
	oldest := r.Periods.Move(w.Points[len(w.Points)-1].Start, -int64(r.Reach()-1))
	w.Points = slices.DeleteFunc(w.Points, func(p Point) bool { return p.Start < oldest })
}
