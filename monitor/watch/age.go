package watch

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// Ages are what was found of the rules on age, silence and new readings. They go on
// breaching while time passes: the first two by time alone, the last for the whole model.
type Ages struct {
	// SilenceCheck is when silence is looked for next. Events in between make it due later
	// and don't move it, so that a timer isn't armed anew by each.
	SilenceCheck time.Time             `json:"silence_check,omitzero"`
	AgeFindings  map[string]AgeFinding `json:"ages,omitempty"` // by the rule's name
	// Readings are those that came since the last success, of the rules that count them.
	Readings map[string]int64 `json:"new_readings,omitempty"` // by the rule's name
}

// AgeFinding is what was found when a rule on age or silence was looked at. There is one
// for the model, not for each version of it: a canary beside it is no other age.
type AgeFinding struct {
	At      time.Time       `json:"at,omitzero"` // when it began to breach, or ended
	Verdict verdict.Verdict `json:"verdict,omitempty"`
	// Acted is when this breach led to a trigger, or to what stands for one: a question
	// to an operator, or what a dry run holds. Zero while it was only suppressed.
	Acted time.Time `json:"acted,omitzero"`
}

// Cooldown is the policy's, for ages and silences act again after each.
type Cooldown struct {
	From   time.Time // the trigger that it counts from
	Length time.Duration
}

// HasAges says that the policy has a rule on age or silence.
func (w *Watch) HasAges() bool { return w.hasAges }

// ageDue is when the model is too old, or silent for too long; zero while it
// can't be.
func (w *Watch) ageDue(r *policy.Rule) time.Time {
	if limit, ok := r.MaxAge.Get(); ok {
		from := w.seen.LastSuccess
		if from.IsZero() {
			from = w.seen.FirstEvent
		}
		if from.IsZero() {
			return from
		}
		return from.Add(time.Duration(limit))
	}
	latest := w.seen.Versions[w.seen.Latest]
	if latest == nil {
		return time.Time{}
	}

	return clock.Later(latest.Heard, w.seen.Resumed).Add(time.Duration(r.SilentFor.Or(0)))
}

// ageVerdict is what an age or a silence says at now.
func (w *Watch) ageVerdict(r *policy.Rule, now time.Time) verdict.Verdict {
	if r.Form() == policy.FormReadings {
		if w.seen.Readings[r.Name] >= r.NewReadings {
			return verdict.Breaching
		}
		return verdict.Healthy
	}

	switch due := w.ageDue(r); {
	case due.IsZero():
		return verdict.Unknown
	case now.Before(due):
		return verdict.Healthy
	}
	return verdict.Breaching
}

func (w *Watch) ageReason(r *policy.Rule) string {
	if r.Form() == policy.FormReadings {
		return fmt.Sprintf("%d new readings of %s since %s", w.seen.Readings[r.Name], r.Metric, w.countedSince())
	}
	if limit, ok := r.MaxAge.Get(); ok {
		if w.seen.LastSuccess.IsZero() {
			return fmt.Sprintf("not retrained in the %s since its first event", limit)
		}
		return fmt.Sprintf("last retrained on %s, over %s ago", w.seen.LastSuccess.Format(time.RFC3339), limit)
	}
	return fmt.Sprintf("no event for %s", r.SilentFor.Or(0))
}

// countedSince is from when on new readings are counted, in words.
func (w *Watch) countedSince() string {
	if w.seen.LastSuccess.IsZero() {
		return "its first event"
	}
	return w.seen.LastSuccess.Format(time.RFC3339)
}

// countReadings counts what an observation has measured of a metric, of whatever version.
func (w *Watch) countReadings(r *policy.Rule, measured *metric.Summary) {
	if measured == nil {
		return
	}
	if w.seen.Readings == nil {
		w.seen.Readings = map[string]int64{}
	}
	w.seen.Readings[r.Name] += measured.Count
}

// ageFinding is what was found of a rule on age or silence.
func (w *Watch) ageFinding(rule int) AgeFinding { return w.seen.AgeFindings[w.policy.Rules[rule].Name] }

func (w *Watch) setAgeFinding(rule int, l AgeFinding) {
	if w.seen.AgeFindings == nil {
		w.seen.AgeFindings = map[string]AgeFinding{}
	}
	w.seen.AgeFindings[w.policy.Rules[rule].Name] = l
}

// JudgeAges judges ages and silences at a moment of the version heard of last, and says
// whether one speaks. Each is acted on once: when it begins to breach, or when what
// suppressed it then ends; and again after each cooldown, if the policy has one. isFree
// says that nothing suppresses a breach at this moment.
func (m *Moment) JudgeAges(c Cooldown, isFree bool) (speaks bool) {
	w := m.watch
	w.track(m.Seen)
	for i := range m.Findings {
		m.Findings[i] = verdict.Finding{}
		if !w.isAge(i) {
			continue
		}

		last := w.ageFinding(i)
		said := w.ageVerdict(&w.policy.Rules[i], m.Now)
		isNew := w.forms[i] == policy.FormSilence && last.At.Before(m.Seen.Heard) // another silence than the last
		began := said == verdict.Breaching && (last.Verdict != verdict.Breaching || isNew)
		if began || said != verdict.Breaching && last.Verdict == verdict.Breaching {
			last = AgeFinding{At: m.Now, Verdict: said}
			w.setAgeFinding(i, last)
		}

		again := isFree && w.mayAct(m.Now, i, last, c)
		m.Findings[i] = verdict.Finding{Verdict: said, Fresh: began || again, Hit: true}
		speaks = speaks || began || again
	}

	return speaks
}

// mayAct says that an age or a silence breaches and has not led to anything yet; or
// that it has, a cooldown ago.
func (w *Watch) mayAct(now time.Time, rule int, last AgeFinding, c Cooldown) bool {
	if last.Verdict != verdict.Breaching || !w.policy.Rules[rule].CanTrigger() {
		return false
	}
	return last.Acted.IsZero() || c.Length > 0 && !now.Before(last.Acted.Add(c.Length))
}

// NoteActed remembers that the ages and silences judged at a moment have led to
// something.
func (m *Moment) NoteActed() {
	w := m.watch
	if !w.hasAges {
		return
	}

	for i := range m.Findings {
		if f := &m.Findings[i]; w.isAge(i) && f.Fresh && f.Verdict == verdict.Breaching {
			acted := w.ageFinding(i)
			acted.Acted = m.Now
			w.setAgeFinding(i, acted)
		}
	}
}

// ForgetActed lets all that breach act again: what they led to came to nothing.
func (w *Watch) ForgetActed() {
	for name, found := range w.seen.AgeFindings {
		found.Acted = time.Time{}
		w.seen.AgeFindings[name] = found
	}
}

// AgeWaits says that an age or a silence would act at now if nothing suppressed it.
func (w *Watch) AgeWaits(now time.Time, c Cooldown) bool {
	for i := range w.policy.Rules {
		if w.isAge(i) && w.mayAct(now, i, w.ageFinding(i), c) {
			return true
		}
	}
	return false
}

// NextAge is when an age or a silence is to be looked at next, after what was let pass.
func (w *Watch) NextAge(passed time.Time, c Cooldown) (next time.Time, ok bool) {
	consider := func(due time.Time) {
		if due.After(passed) && (!ok || due.Before(next)) {
			next = due
			ok = true
		}
	}

	consider(w.seen.SilenceCheck)
	for i := range w.policy.Rules {
		if !w.isAge(i) {
			continue
		}

		if w.forms[i] == policy.FormAge || w.seen.SilenceCheck.IsZero() {
			consider(w.ageDue(&w.policy.Rules[i]))
		}
		if acted := w.ageFinding(i).Acted; c.From.Before(acted) { // what it led to was cancelled before it went out
			consider(acted.Add(c.Length))
		}
	}

	return next, ok
}

// CheckSilence sets when to look for silence next. An event that ends a silence begins
// the next, which may be over before what was to be looked at.
func (w *Watch) CheckSilence(now time.Time) {
	earliest := time.Time{}
	for i := range w.policy.Rules {
		if w.forms[i] != policy.FormSilence {
			continue
		}
		due := w.ageDue(&w.policy.Rules[i])
		if due.After(now) && (earliest.IsZero() || due.Before(earliest)) {
			earliest = due
		}
	}

	if !w.seen.SilenceCheck.After(now) || earliest.Before(w.seen.SilenceCheck) {
		w.seen.SilenceCheck = earliest
	}
}
