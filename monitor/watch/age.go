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
	SilenceCheck time.Time       `json:"silence_check,omitzero"`
	Looks        map[string]Look `json:"ages,omitempty"` // by the rule's name
	// Readings are those that came since the last success, of the rules that count them.
	Readings map[string]int64 `json:"new_readings,omitempty"` // by the rule's name
}

// Look is what was found when a rule on age or silence was looked at. There is one
// for the model, not for each version of it: a canary beside it is no other age.
type Look struct {
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

// look returns what was found of a rule on age or silence.
func (w *Watch) look(rule int) Look { return w.seen.Looks[w.policy.Rules[rule].Name] }

func (w *Watch) setLook(rule int, l Look) {
	if w.seen.Looks == nil {
		w.seen.Looks = map[string]Look{}
	}
	w.seen.Looks[w.policy.Rules[rule].Name] = l
}

// JudgeAges judges ages and silences at a moment of the version heard of last, and says
// whether one speaks. Each is acted on once: when it begins to breach, or when what
// suppressed it then ends; and again after each cooldown, if the policy has one. isFree
// says that nothing suppresses a breach at this moment.
func (j *Moment) JudgeAges(c Cooldown, isFree bool) (speaks bool) {
	w := j.watch
	w.track(j.Seen)
	for i := range j.Findings {
		j.Findings[i] = verdict.Finding{}
		if !w.isAge(i) {
			continue
		}

		last := w.look(i)
		said := w.ageVerdict(&w.policy.Rules[i], j.Now)
		isNew := w.forms[i] == policy.FormSilence && last.At.Before(j.Seen.Heard) // another silence than the last
		began := said == verdict.Breaching && (last.Verdict != verdict.Breaching || isNew)
		if began || said != verdict.Breaching && last.Verdict == verdict.Breaching {
			last = Look{At: j.Now, Verdict: said}
			w.setLook(i, last)
		}

		again := isFree && w.mayAct(j.Now, i, last, c)
		j.Findings[i] = verdict.Finding{Verdict: said, Fresh: began || again, Hit: true}
		speaks = speaks || began || again
	}

	return speaks
}

// mayAct says that an age or a silence breaches and has not led to anything yet; or
// that it has, a cooldown ago.
func (w *Watch) mayAct(now time.Time, rule int, last Look, c Cooldown) bool {
	if last.Verdict != verdict.Breaching || !w.policy.Rules[rule].CanTrigger() {
		return false
	}
	return last.Acted.IsZero() || c.Length > 0 && !now.Before(last.Acted.Add(c.Length))
}

// NoteActed remembers that the ages and silences judged at a moment have led to
// something.
func (j *Moment) NoteActed() {
	w := j.watch
	if !w.hasAges {
		return
	}
	for i := range j.Findings {
		if f := &j.Findings[i]; w.isAge(i) && f.Fresh && f.Verdict == verdict.Breaching {
			acted := w.look(i)
			acted.Acted = j.Now
			w.setLook(i, acted)
		}
	}
}

// ForgetActed lets all that breach act again: what they led to came to nothing.
func (w *Watch) ForgetActed() {
	for name, look := range w.seen.Looks {
		look.Acted = time.Time{}
		w.seen.Looks[name] = look
	}
}

// AgeWaits says that an age or a silence would act at now if nothing suppressed it.
func (w *Watch) AgeWaits(now time.Time, c Cooldown) bool {
	for i := range w.policy.Rules {
		if w.isAge(i) && w.mayAct(now, i, w.look(i), c) {
			return true
		}
	}
	return false
}

// NextAge is when an age or a silence is to be looked at next, after what was let pass.
func (w *Watch) NextAge(passed time.Time, c Cooldown) (next time.Time, ok bool) {
	look := func(due time.Time) {
		if due.After(passed) && (!ok || due.Before(next)) {
			next = due
			ok = true
		}
	}

	look(w.seen.SilenceCheck)
	for i := range w.policy.Rules {
		if !w.isAge(i) {
			continue
		}

		if w.forms[i] == policy.FormAge || w.seen.SilenceCheck.IsZero() {
			look(w.ageDue(&w.policy.Rules[i]))
		}
		if acted := w.look(i).Acted; c.From.Before(acted) { // what it led to was cancelled before it went out
			look(acted.Add(c.Length))
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
