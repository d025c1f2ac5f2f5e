package monitor

import (
	"fmt"
	"time"
)

// ageDue is when the model is too old, or silent for too long; zero while it
// can't be.
func (m *Machine) ageDue(r *Rule) time.Time {
	if limit, ok := r.MaxAge.Get(); ok {
		from := later(m.state.FirstEvent, m.state.LastSuccess)
		if !m.state.LastSuccess.IsZero() {
			from = m.state.LastSuccess
		}
		if from.IsZero() {
			return from
		}
		return from.Add(time.Duration(limit))
	}
	latest := m.state.Versions[m.state.Latest]
	if latest == nil {
		return time.Time{}
	}
	return later(latest.Heard, m.state.Resumed).Add(time.Duration(r.SilentFor.Or(0)))
}

// ageVerdict is what an age or a silence says at now.
func (m *Machine) ageVerdict(r *Rule, now time.Time) Verdict {
	switch due := m.ageDue(r); {
	case due.IsZero():
		return Unknown
	case now.Before(due):
		return Healthy
	}
	return Breaching
}

func (m *Machine) ageReason(r *Rule) string {
	if limit, ok := r.MaxAge.Get(); ok {
		if m.state.LastSuccess.IsZero() {
			return fmt.Sprintf("not retrained in the %s since its first event", limit)
		}
		return fmt.Sprintf("last retrained on %s, over %s ago", m.state.LastSuccess.Format(time.RFC3339), limit)
	}
	return fmt.Sprintf("no event for %s", r.SilentFor.Or(0))
}

// tickAges judges ages and silences. They go on breaching while time passes, so
// each is acted on once: when it begins, and again when what suppressed it ends.
func (m *Machine) tickAges(now time.Time) {
	seen := m.state.Versions[m.state.Latest]
	if !m.hasAges || seen == nil {
		return
	}
	m.track(seen)
	fresh := false
	for i := range m.findings {
		r, t := &m.state.Policy.Rules[i], seen.Rules[i]
		m.findings[i] = finding{}
		if m.kinds[i] != kindAge && m.kinds[i] != kindSilence {
			continue
		}
		verdict := m.ageVerdict(r, now)
		isNew := m.kinds[i] == kindSilence && t.At.Before(seen.Heard) // another silence than the last
		began := verdict == Breaching && (t.Verdict != Breaching || isNew)
		if began || verdict != Breaching && t.Verdict == Breaching {
			t.At, t.Verdict = now, verdict
		}
		again := verdict == Breaching && r.CanTrigger() && m.mayTrigger(now, seen)
		m.findings[i] = finding{verdict: verdict, fresh: began || again, hit: true}
		fresh = fresh || began || again
	}
	if fresh {
		m.decideOn(moment{now: now, due: now, version: m.state.Latest, seen: seen})
	}
}

// mayTrigger says that a breach at now would not be suppressed, but by what a dry
// run or an approval makes of it.
func (m *Machine) mayTrigger(now time.Time, seen *version) bool {
	return m.suppression(&moment{now: now, due: now, seen: seen}) == ""
}

// nextAge is when an age or a silence is to be looked at next.
func (m *Machine) nextAge() (next time.Time, ok bool) {
	if !m.hasAges {
		return next, false
	}
	if next = m.state.SilenceCheck; next.After(m.state.Ticked) {
		ok = true
	}
	for i := range m.state.Policy.Rules {
		looks := m.kinds[i] == kindAge || m.kinds[i] == kindSilence && m.state.SilenceCheck.IsZero()
		if !looks {
			continue
		}
		if due := m.ageDue(&m.state.Policy.Rules[i]); due.After(m.state.Ticked) && (!ok || due.Before(next)) {
			next, ok = due, true
		}
	}
	return next, ok
}

// checkSilence sets when to look for silence next. Events in between don't move
// it, so that a timer isn't armed anew by each.
func (m *Machine) checkSilence(now time.Time) {
	if !m.hasAges || m.state.SilenceCheck.After(now) {
		return
	}
	m.state.SilenceCheck = time.Time{}
	for i := range m.state.Policy.Rules {
		if m.kinds[i] != kindSilence {
			continue
		}
		due := m.ageDue(&m.state.Policy.Rules[i])
		if due.After(now) && (m.state.SilenceCheck.IsZero() || due.Before(m.state.SilenceCheck)) {
			m.state.SilenceCheck = due
		}
	}
}
