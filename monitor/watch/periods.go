package watch

import (
	"iter"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
)

// settleAfter is how long after an outage publishers may still be pausing between
// attempts: 15 s at most, and the time to send.
const settleAfter = 30 * time.Second

// NextDatapoint is when the next datapoint of any rule and version is due; zero where
// none is to come. Every window is asked, with no more than a comparison each, since each observation may
// have changed it.
func (w *Watch) NextDatapoint() (next time.Time) {
	var seconds, nanoseconds int64
	ok := false
	for _, seen := range w.tracked {
		for _, i := range w.windowed {
			recent := seen.Rules[i].Window
			start, comes := recent.Next(w.hearsSilence(seen.name, i, recent))
			if !comes {
				continue
			}

			due := w.rules[i].Periods.End(start) + w.lags[i].seconds
			if !ok || due < seconds || due == seconds && w.lags[i].nanoseconds < nanoseconds {
				seconds = due
				nanoseconds = w.lags[i].nanoseconds
				ok = true
			}
		}
	}

	if !ok {
		return next
	}

	return time.Unix(seconds, nanoseconds).UTC()
}

// hearsSilence says that the next period without a reading is a datapoint of a rule
// on a version. Of a version that another has followed silence is no news, and
// where it changes nothing nobody is woken for it; but a rule that a `not` turns
// around speaks by each healthy datapoint, too.
func (w *Watch) hearsSilence(version string, rule int, recent *window.Window) bool {
	if !w.lags[rule].knowsSilence || version != w.seen.Latest {
		return false
	}
	return len(recent.Open) > 0 || w.composites.IsTurned(rule) || !recent.IsSettled(&w.policy.Rules[rule])
}

// catchUp passes over the silence of the version heard of last that nobody was woken
// for, before another is, or another policy says what it means.
func (w *Watch) catchUp(passed time.Time) {
	seen := w.seen.Versions[w.seen.Latest]
	if seen == nil || seen.Rules == nil {
		return
	}
	for _, i := range w.windowed {
		if recent := seen.Rules[i].Window; !w.composites.IsTurned(i) && len(recent.Open) == 0 {
			recent.Rest(&w.rules[i], passed)
		}
	}
}

// JudgeDue judges the datapoints that are due at an instant, version by version, and
// gives the moments at which some were.
func (w *Watch) JudgeDue(due, now time.Time) iter.Seq[*Moment] {
	return func(yield func(*Moment) bool) {
		w.Forget()
		for _, seen := range w.tracked {
			if moment := w.judgeVersion(due, now, seen.name, seen); moment != nil && !yield(moment) {
				return
			}
		}
	}
}

// judgeVersion judges the datapoints of one version that are due at an instant; it
// returns nil where there are none.
func (w *Watch) judgeVersion(due, now time.Time, name string, seen *Version) *Moment {
	moment := w.Of(now, name, seen)
	moment.due = due
	clear(moment.Findings)

	isGap := !w.seen.Resumed.IsZero() && due.Before(w.seen.Resumed.Add(settleAfter))
	judged := false
	for _, i := range w.windowed {
		r, t := &w.rules[i], seen.Rules[i]
		silence := w.hearsSilence(name, i, t.Window)
		start, comes := t.Window.Next(silence)
		if !comes || r.Periods.Due(start).After(due) {
			continue
		}

		judged = true
		w.learnPrevious(i, name, t.Window)
		if r.IsDrift() {
			w.comparison(i, name, t.Window)
		}
		under := window.Circumstances{Silence: silence, Gap: isGap, TakenOver: r.IsTotal() && w.isTakenOver(i, seen, start)}
		found, point := t.JudgeNext(r, due, now, under)
		moment.Findings[i] = found
		w.tellDatapoint(moment, i, point)
	}

	if !judged {
		return nil
	}

	return moment
}

// isTakenOver says that within a period of a version another began, or came back, and
// that this one was not heard since. A canary beside it takes nothing over.
func (w *Watch) isTakenOver(rule int, seen *Version, start int64) bool {
	for _, other := range w.tracked {
		if seen.LastSeen.Before(other.LastSeen) && other.Rules[rule].Window.BeganIn(&w.rules[rule], start) {
			return true
		}
	}
	return false
}

// Outage passes over the silence of the time that this side was away, until now.
func (w *Watch) Outage(now time.Time) {
	w.seen.Resumed = now
	for _, seen := range w.tracked {
		for _, i := range w.windowed {
			seen.Rules[i].Window.Skip(&w.rules[i], now)
		}
	}
}

// learnPrevious lets a rule that measures against another version know what that has
// left, once there is something.
func (w *Watch) learnPrevious(rule int, name string, recent *window.Window) {
	if !recent.Previous.IsZero() {
		return
	}
	switch r := &w.policy.Rules[rule]; r.BaselineOf().From {
	case policy.BaselinePrevious:
		recent.Previous = w.previousBase(rule, name)
	case policy.BaselineReplaced:
		recent.Previous = w.replacedBase(rule, name)
	}
}

// previousBase is the baseline of the version that began last before this one, of
// those whose baseline is full: one that was given up after a few events is no
// measure.
func (w *Watch) previousBase(rule int, name string) (base metric.Reading) {
	var before *Version
	for _, v := range w.tracked { // no two began together
		isFull := !v.Rules[rule].Window.Base.IsZero()
		if isFull && v.beganBefore(w.seen.Versions[name]) && (before == nil || before.beganBefore(v)) {
			before = v
		}
	}
	if before == nil {
		return base
	}

	return before.Rules[rule].Window.Base
}

// replacedBase is what the version that this one replaced did last: the one heard of
// last of those that began before it and have enough readings in whole periods before
// it. One that was given up meanwhile was heard of earlier.
func (w *Watch) replacedBase(rule int, name string) (base metric.Reading) {
	r, seen := &w.rules[rule], w.seen.Versions[name]
	var replaced *Version
	for _, v := range w.tracked { // by name
		last := v.Rules[rule].Window.LastBefore(r.Periods.Of(seen.First), r.BaselineSamples())
		if !v.beganBefore(seen) || last.IsZero() {
			continue
		}
		if replaced == nil || v.Heard.After(replaced.Heard) || v.Heard.Equal(replaced.Heard) && replaced.beganBefore(v) {
			replaced = v
			base = last
		}
	}

	return base
}

// ForgetChanges ends what detections say that a retraining, triggered since, has
// answered.
func (w *Watch) ForgetChanges(triggered time.Time) {
	for _, seen := range w.tracked {
		for _, i := range w.windowed {
			seen.Rules[i].ForgetChange(triggered)
		}
	}
}
