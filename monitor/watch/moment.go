package watch

import (
	"time"

	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/observation"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// Moment is when, and of what, rules were judged, and what they found. There is one at
// a time: it is valid until the watch returns the next.
type Moment struct {
	Now      time.Time // the machine's clock
	Version  string
	Seen     *Version
	Findings []verdict.Finding // by rule

	due      time.Time         // of datapoints: when they were due
	when     *observation.When // of an observation; nil for datapoints
	watch    *Watch
	evidence *Evidence // what streaks keep of it; nil while none does
}

// EndsBefore says that what was judged belongs to the time before an instant.
func (j *Moment) EndsBefore(instant time.Time) bool {
	if j.when != nil {
		return j.when.EndsBefore(instant, j.Now)
	}
	return j.Now.Before(instant) || j.due.Before(instant)
}

// Of is the moment of a version at which nothing was measured.
func (w *Watch) Of(now time.Time, version string, seen *Version) *Moment {
	j := &w.moment
	j.Now = now
	j.due = now
	j.Version = version
	j.Seen = seen
	j.when = nil
	j.evidence = nil
	return j
}

// Compose fills in what composites say, from the rules that have no fresh word too:
// those with a period keep their verdict, those without must speak in the same
// observation.
func (j *Moment) Compose() {
	if j.watch.composites.Any() {
		j.compose()
	}
	j.watch.tellFindings(j)
}

func (j *Moment) compose() {
	w := j.watch
	stood := w.standings(j.Seen, j.Now)
	for _, i := range w.composites.Standing {
		if !j.Findings[i].Fresh {
			j.Findings[i].Verdict = stood[i]
		}
	}

	w.composites.Combine(j.Findings)
	for i := range w.composites.Rules {
		f := &j.Findings[i]
		if f.Fresh {
			t := j.Seen.Rules[i]
			t.At = j.Now
			t.Verdict = f.Verdict
		}
	}
}

// stand fills in what every rule says of the version when nothing new was measured:
// those without a period what they said last.
func (j *Moment) stand() {
	w := j.watch
	for i, t := range j.Seen.Rules {
		j.Findings[i] = verdict.Finding{Verdict: t.Verdict}
		if w.forms[i] != policy.FormInstant {
			j.Findings[i].Verdict = w.stands(i, j.Seen, j.Now)
		}
	}
	w.composites.Combine(j.Findings)
}

// standings are what members of composites say of a version while nothing new was
// measured. They are kept for the observations of one signal, which are all handled
// at one instant.
func (w *Watch) standings(seen *Version, now time.Time) []verdict.Verdict {
	if w.stood.version == seen && w.stood.at.Equal(now) {
		return w.stood.verdicts
	}
	w.stood.version = seen
	w.stood.at = now
	for _, i := range w.composites.Standing {
		w.stood.verdicts[i] = w.stands(i, seen, now)
	}
	return w.stood.verdicts
}

// stands is what a rule says of a version when nothing new was measured.
func (w *Watch) stands(i int, seen *Version, now time.Time) verdict.Verdict {
	switch w.forms[i] {
	case policy.FormWindow:
		return seen.Rules[i].Standing(&w.rules[i], now)
	case policy.FormAge, policy.FormSilence, policy.FormReadings:
		return w.ageVerdict(&w.policy.Rules[i], now)
	case policy.FormSchedule:
		return verdict.Healthy // between its instants
	}
	return verdict.Unknown
}

// Tell says what a rule has measured, and why it breaches.
func (j *Moment) Tell(rule int) journal.Told {
	e := Evidence{watch: j.watch, tracks: j.Seen.Rules, breaching: j.watch.composites.Breaching()}
	return e.tell(rule)
}

// Keep returns what Tell goes by, until somebody asks for it.
func (j *Moment) Keep(rule int) (e journal.Evidence, value float64) {
	tracks := j.Seen.Rules
	if j.evidence == nil {
		j.evidence = &Evidence{watch: j.watch, tracks: tracks, breaching: j.watch.composites.Breaching()}
		if j.watch.composites.Any() {
			j.evidence.values = make([]float64, len(tracks))
			for i, t := range tracks {
				j.evidence.values[i] = t.Value.Value()
			}
		}
	}
	return j.evidence, tracks[rule].Value.Value()
}

// Request is what a breach of a rule asks for.
func (j *Moment) Request(rule int) modelops.Request {
	rules := j.watch.policy.Rules
	e := Evidence{watch: j.watch, tracks: j.Seen.Rules, breaching: j.watch.composites.Breaching()}
	told := e.tell(rule)
	return modelops.Request{
		ModelVersion: j.Version, Reason: told.Reason, Rule: rules[rule].Name, Metric: rules[e.measuring(rule)].Metric,
		Value: told.Value.Pointer(), Threshold: told.Threshold.Pointer(),
	}
}
