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
func (m *Moment) EndsBefore(instant time.Time) bool {
	if m.when != nil {
		return m.when.EndsBefore(instant, m.Now)
	}
	return m.Now.Before(instant) || m.due.Before(instant)
}

// Of is the moment of a version at which nothing was measured.
func (w *Watch) Of(now time.Time, version string, seen *Version) *Moment {
	moment := &w.moment
	moment.Now = now
	moment.due = now
	moment.Version = version
	moment.Seen = seen
	moment.when = nil
	moment.evidence = nil
	return moment
}

// Compose fills in what composites say, from the rules that have no fresh word too:
// those with a period keep their verdict, those without must speak in the same
// observation.
func (m *Moment) Compose() {
	if m.watch.composites.Any() {
		m.compose()
	}
	m.watch.tellFindings(m)
}

func (m *Moment) compose() {
	w := m.watch
	stood := w.standings(m.Seen, m.Now)
	for _, i := range w.composites.Standing {
		if !m.Findings[i].Fresh {
			m.Findings[i].Verdict = stood[i]
		}
	}

	w.composites.Combine(m.Findings)
	for i := range w.composites.Rules {
		f := &m.Findings[i]
		if f.Fresh {
			t := m.Seen.Rules[i]
			t.At = m.Now
			t.Verdict = f.Verdict
		}
	}
}

// stand fills in what every rule says of the version when nothing new was measured:
// those without a period what they said last.
func (m *Moment) stand() {
	w := m.watch
	for i, t := range m.Seen.Rules {
		m.Findings[i] = verdict.Finding{Verdict: t.Verdict}
		if w.forms[i] != policy.FormInstant {
			m.Findings[i].Verdict = w.stands(i, m.Seen, m.Now)
		}
	}
	w.composites.Combine(m.Findings)
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
func (m *Moment) Tell(rule int) journal.Told {
	e := Evidence{watch: m.watch, tracks: m.Seen.Rules, breaching: m.watch.composites.Breaching()}
	return e.tell(rule)
}

// Keep returns what Tell goes by, until somebody asks for it.
func (m *Moment) Keep(rule int) (e journal.Evidence, value float64) {
	tracks := m.Seen.Rules
	if m.evidence == nil {
		m.evidence = &Evidence{watch: m.watch, tracks: tracks, breaching: m.watch.composites.Breaching()}
		if m.watch.composites.Any() {
			m.evidence.values = make([]float64, len(tracks))
			for i, t := range tracks {
				m.evidence.values[i] = t.Value.Value()
			}
		}
	}

	return m.evidence, tracks[rule].Value.Value()
}

// Request is what a breach of a rule asks for.
func (m *Moment) Request(rule int) modelops.Request {
	rules := m.watch.policy.Rules
	e := Evidence{watch: m.watch, tracks: m.Seen.Rules, breaching: m.watch.composites.Breaching()}
	told := e.tell(rule)
	return modelops.Request{
		ModelVersion: m.Version, Reason: told.Reason, Rule: rules[rule].Name, Metric: rules[e.measuring(rule)].Metric,
		Value: told.Value.Pointer(), Threshold: told.Threshold.Pointer(),
	}
}
