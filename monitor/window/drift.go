package window

import (
	"fmt"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/observation"
	"github.com/modelvigil/modelvigil/policy"
)

// FeedDrift puts an observation, handled at now, into the window of a drift rule. What it
// learns from is put nowhere else, so it counts however late it is.
func (w *Window) FeedDrift(r *Rule, o *observation.Observation, now, passed time.Time) {
	when := &o.When
	w.hearSilence(r, when, now, passed)
	at := when.Instant(r.Rule, now)
	b := w.period(r, at, passed)
	if b == nil {
		readings := o.Events // of which those without a reading are what is counted
		if r.Drift.Statistic != drift.Missing {
			readings = w.Compare.Readings(o)
		}
		w.hearLate(when, readings)
		w.Compare.Feed(r.Rule, &contrast.Period{}, r.Periods.Of(at), at, o)
		return
	}

	if b.Compared == nil {
		b.Compared = &contrast.Period{}
	}
	b.Count += o.Events
	b.Approximate = b.Approximate || when.BeganBefore(r.Rule, b.Start)
	w.Compare.Feed(r.Rule, b.Compared, b.Start, at, o)
}

// judgeDrift judges a period of a drift rule.
func (w *Window) judgeDrift(r *Rule, b *Bucket, isGap bool) (p Point, threshold metric.Reading) {
	l := w.Compare.Judge(r.Rule, b.Compared, b.Start, r.Periods.End(b.Start))
	p = Point{Start: b.Start, Value: l.Value, Breach: l.Breach, Unknown: l.Unknown, Approximate: b.Approximate || l.Approximate}
	isMissing := l.Value.IsZero()
	p.Unknown = p.Unknown || isGap && isMissing
	if isMissing && !p.Unknown {
		p.Breach = r.Missing == policy.MissingBreaching
	}
	return p, l.Threshold
}

// FindBounds finds the bounds that the periods which are due by an instant are judged
// by.
func (w *Window) FindBounds(r *Rule, due time.Time, find func(null *drift.Null, size int64) drift.Bounds) {
	if w.Compare == nil {
		return
	}
	for _, b := range w.Open {
		if !r.Periods.Due(b.Start).After(due) {
			w.Compare.FindBounds(r.Rule, b.Compared, b.Start, find)
		}
	}
}

// driftReason says why a drift rule breaches.
func (t *Track) driftReason(r *policy.Rule) string {
	last := &t.Window.Compare.Last
	suffix := ""
	if _, n := r.MOfN(); n > 1 {
		breaching, of := Count(r, t.Window.Points)
		suffix = fmt.Sprintf(", %d of %d periods", breaching, of)
	}

	value, measured := last.Value.Get()
	switch {
	case !measured:
		return fmt.Sprintf("%s %s missing over %s%s", r.Name, r.Drift.Statistic, r.Period.Value(), suffix)
	case !last.Breach:
		return fmt.Sprintf("%s %s %s, earlier ones beyond their threshold over %s against %s%s",
			policy.Word(last.Name), r.Drift.Statistic, r.Figures(value)[0], r.Period.Value(), r.Drift.Reference.String(), suffix)
	}

	reason := r.DriftReason(last.Name, value, last.Threshold.Value()) + suffix
	if others := last.Breaching[1:]; len(others) > 0 {
		reason += "; also " + strings.Join(others, ", ")
	}
	return reason
}
