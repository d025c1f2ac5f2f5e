package monitor

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/policy"
)

// ageDue is when the model is too old, or silent for too long; zero while it
// can't be.
func (m *Machine) ageDue(r *policy.Rule) time.Time {
	if limit, ok := r.MaxAge.Get(); ok {
		from := clock.Later(m.state.FirstEvent, m.state.LastSuccess)
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

	return clock.Later(latest.Heard, m.state.Resumed).Add(time.Duration(r.SilentFor.Or(0)))
}

// ageVerdict is what an age or a silence says at now.
func (m *Machine) ageVerdict(r *policy.Rule, now time.Time) Verdict {
	switch due := m.ageDue(r); {
	case due.IsZero():
		return Unknown
	case now.Before(due):
		return Healthy
	}
	return Breaching
}

func (m *Machine) ageReason(r *policy.Rule) string {
	if limit, ok := r.MaxAge.Get(); ok {
		if m.state.LastSuccess.IsZero() {
			return fmt.Sprintf("not retrained in the %s since its first event", limit)
		}
		return fmt.Sprintf("last retrained on %s, over %s ago", m.state.LastSuccess.Format(time.RFC3339), limit)
	}
	return fmt.Sprintf("no event for %s", r.SilentFor.Or(0))
}

// look is what was found when a rule on age or silence was looked at. There is one
// for the model, not for each version of it: a canary beside it is no other age.
type look struct {
	At      time.Time `json:"at,omitzero"` // when it began to breach, or ended
	Verdict Verdict   `json:"verdict,omitempty"`
	// Acted is when this breach led to a trigger, or to what stands for one: a question
	// to an operator, or what a dry run holds. Zero while it was only suppressed.
	Acted time.Time `json:"acted,omitzero"`
}

// isAge says that a rule is on age or silence: time alone makes it breach.
func (m *Machine) isAge(rule int) bool {
	return m.forms[rule] == policy.FormAge || m.forms[rule] == policy.FormSilence
}

// looked returns the look of a rule on age or silence.
func (m *Machine) looked(rule int) look { return m.state.Ages[m.state.Policy.Rules[rule].Name] }

func (m *Machine) setLooked(rule int, l look) {
	if m.state.Ages == nil {
		m.state.Ages = map[string]look{}
	}
	m.state.Ages[m.state.Policy.Rules[rule].Name] = l
}

// tickAges judges ages and silences. They go on breaching while time passes, so
// each is acted on once: when it begins, or when what suppressed it then ends; and
// again after each cooldown, if the policy has one.
func (m *Machine) tickAges(now time.Time) {
	seen := m.state.Versions[m.state.Latest]
	if !m.hasAges || seen == nil {
		return
	}

	m.track(seen)
	m.isSilent = false
	fresh := false
	for i := range m.findings {
		m.findings[i] = finding{}
		if !m.isAge(i) {
			continue
		}

		r, last := &m.state.Policy.Rules[i], m.looked(i)
		verdict := m.ageVerdict(r, now)
		isNew := m.forms[i] == policy.FormSilence && last.At.Before(seen.Heard) // another silence than the last
		began := verdict == Breaching && (last.Verdict != Breaching || isNew)
		if began || verdict != Breaching && last.Verdict == Breaching {
			last = look{At: now, Verdict: verdict}
			m.setLooked(i, last)
		}

		m.isSilent = m.isSilent || m.forms[i] == policy.FormSilence && verdict == Breaching
		again := m.mayAct(now, i, last) && m.mayTrigger(now, seen)
		m.findings[i] = finding{verdict: verdict, fresh: began || again, hit: true}
		fresh = fresh || began || again
	}

	if fresh {
		m.decideOn(moment{now: now, due: now, version: m.state.Latest, seen: seen})
	}
}

// mayAct says that an age or a silence breaches and has not led to anything yet; or
// that it has, a cooldown ago.
func (m *Machine) mayAct(now time.Time, rule int, last look) bool {
	if last.Verdict != Breaching || !m.state.Policy.Rules[rule].CanTrigger() {
		return false
	}
	return last.Acted.IsZero() || m.cooldown() > 0 && !now.Before(last.Acted.Add(m.cooldown()))
}

// noteActed remembers that the ages and silences judged at this moment have led to
// something.
func (m *Machine) noteActed(now time.Time) {
	for i := range m.findings {
		if m.isAge(i) && m.findings[i].fresh && m.findings[i].verdict == Breaching {
			acted := m.looked(i)
			acted.Acted = now
			m.setLooked(i, acted)
		}
	}
}

// forgetActed lets all that breach act again: what they led to came to nothing.
func (m *Machine) forgetActed() {
	for name, looked := range m.state.Ages {
		looked.Acted = time.Time{}
		m.state.Ages[name] = looked
	}
}

// mayTrigger says that a breach at now would not be suppressed, but by what a dry
// run or an approval makes of it.
func (m *Machine) mayTrigger(now time.Time, seen *version) bool {
	return m.suppression(&moment{now: now, due: now, seen: seen}) == ""
}

// hasWaitingAge says that an age or a silence triggers as soon as the blackout that is
// on ends: nothing else suppresses it.
func (m *Machine) hasWaitingAge(now time.Time) bool {
	seen := m.state.Versions[m.state.Latest]
	if !m.hasAges || m.suppression(&moment{now: now, due: now, seen: seen}) != ByBlackout {
		return false
	}
	for i := range m.state.Policy.Rules {
		if m.isAge(i) && m.mayAct(now, i, m.looked(i)) {
			return true
		}
	}
	return false
}

// nextAge is when an age or a silence is to be looked at next.
func (m *Machine) nextAge() (next time.Time, ok bool) {
	if !m.hasAges {
		return next, false
	}

	look := func(due time.Time) {
		if due.After(m.state.Ticked) && (!ok || due.Before(next)) {
			next = due
			ok = true
		}
	}

	look(m.state.SilenceCheck)
	for i := range m.state.Policy.Rules {
		if !m.isAge(i) {
			continue
		}

		if m.forms[i] == policy.FormAge || m.state.SilenceCheck.IsZero() {
			look(m.ageDue(&m.state.Policy.Rules[i]))
		}
		if acted := m.looked(i).Acted; m.cooldownFrom().Before(acted) { // what it led to was cancelled before it went out
			look(acted.Add(m.cooldown()))
		}
	}

	return next, ok
}

// checkSilence sets when to look for silence next. Events in between make it later
// and don't move it, so that a timer isn't armed anew by each; but one that ends a
// silence begins the next, which may be over before.
func (m *Machine) checkSilence(now time.Time) {
	if !m.hasAges {
		return
	}

	earliest := time.Time{}
	for i := range m.state.Policy.Rules {
		if m.forms[i] != policy.FormSilence {
			continue
		}
		due := m.ageDue(&m.state.Policy.Rules[i])
		if due.After(now) && (earliest.IsZero() || due.Before(earliest)) {
			earliest = due
		}
	}

	if !m.state.SilenceCheck.After(now) || earliest.Before(m.state.SilenceCheck) {
		m.state.SilenceCheck = earliest
	}
}
