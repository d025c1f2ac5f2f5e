package monitor

import (
	"fmt"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Verdict is what a rule says of a model version: nothing is known, all is well,
// or it breaches.
type Verdict string

// The verdicts.
const (
	Unknown   Verdict = ""
	Healthy   Verdict = "healthy"
	Breaching Verdict = "breaching"
)

// finding is what a rule says at one moment.
type finding struct {
	verdict Verdict
	fresh   bool // judged at this moment
	hit     bool // by something beyond the threshold itself
}

// observe counts an observation and decides about it: the heart of modelvigil.
func (m *Machine) observe(now time.Time, o *observation) {
	m.work += int64(observationWork + len(m.findings) + len(o.metrics))
	if m.mayRest {
		m.catchUp(now)
	}
	seen := m.count(now, o)
	m.track(seen)
	m.beginVerification(now, o)
	rules := m.state.Policy.Rules
	for i := range rules {
		r, t, f := &rules[i], seen.Rules[i], &m.findings[i]
		*f = finding{}
		switch m.forms[i] {
		case policy.FormInstant:
			summary := o.metric(r.Metric)
			if summary == nil {
				continue
			}

			value, threshold, breaches := r.Judge(summary)
			f.verdict = Healthy
			f.fresh = true
			f.hit = breaches
			if breaches {
				f.verdict = Breaching
			}
			t.At = now
			t.Verdict = f.verdict
			t.Value = metric.Some(value)
			t.Threshold = metric.Some(threshold)
		case policy.FormWindow:
			late := t.Window.Late
			if t.Window.feed(r, o, now, m.passed(now)) {
				m.dirty = true
			}
			m.tellLate(now, o.version, i, t.Window.Late-late)
		}
	}

	m.decideOn(moment{now: now, version: o.version, seen: seen, observation: o})
	m.noteSample(now, o)
}

// moment is when, and of what, rules were judged.
type moment struct {
	now         time.Time // the machine's clock
	due         time.Time // of datapoints: when they were due
	version     string
	seen        *version
	observation *observation // nil for datapoints
	evidence    *evidence    // what streaks keep of it; nil while none does
}

// endsBefore says that what was judged belongs to the time before an instant.
func (j *moment) endsBefore(instant time.Time) bool {
	if j.observation != nil {
		return j.observation.endsBefore(instant, j.now)
	}
	return j.now.Before(instant) || j.due.Before(instant)
}

// decideOn acts on the findings of a moment: warnings speak, and the first rule
// in order of precedence that may trigger does, or is suppressed.
func (m *Machine) decideOn(j moment) {
	if m.hasComposites {
		m.compose(&j)
	}
	m.tellFindings(&j)

	chosen := -1
	for i := range m.findings {
		f := &m.findings[i]
		if !f.fresh || !f.hit || f.verdict != Breaching {
			continue
		}

		switch r := &m.state.Policy.Rules[i]; {
		case r.Condition:
		case r.Severity == policy.Warning:
			m.repeat(&j, policy.Warned, "", i)
		default:
			m.noteRegression(i, j.version, j.seen)
			if chosen < 0 {
				chosen = i
			}
		}
	}

	if chosen >= 0 {
		m.breach(&j, chosen)
	}
}

// compose fills in what composites say, from the rules that have no fresh word
// too: those with a period keep their verdict, those without must speak in the
// same observation.
func (m *Machine) compose(j *moment) {
	standing := m.standings(j.seen, j.now)
	for _, i := range m.standingMembers {
		if !m.findings[i].fresh {
			m.findings[i].verdict = standing[i]
		}
	}

	m.combine()

	for i := range m.composites {
		rule := m.composites[i].rule
		f := &m.findings[rule]
		if f.fresh {
			t := j.seen.Rules[rule]
			t.At = j.now
			t.Verdict = f.verdict
		}
	}
}

// standings are what members of composites say of a version while nothing new was
// measured. They are kept for the observations of one signal, which are all handled
// at one instant.
func (m *Machine) standings(seen *version, now time.Time) []Verdict {
	if m.standing.seen == seen && m.standing.at.Equal(now) {
		return m.standing.verdicts
	}
	m.standing.seen = seen
	m.standing.at = now
	for _, i := range m.standingMembers {
		m.standing.verdicts[i] = m.stands(i, seen, now)
	}
	return m.standing.verdicts
}

// said is what the rules say at one moment, as sets of them.
type said struct{ fresh, hit, breaching, healthy ruleSet }

func (s *said) put(rule int, f *finding) {
	s.fresh.set(rule, f.fresh)
	s.hit.set(rule, f.hit)
	s.breaching.set(rule, f.verdict == Breaching)
	s.healthy.set(rule, f.verdict == Healthy)
}

// combine fills in what composites find, members before those they are in.
func (m *Machine) combine() {
	m.said = said{}
	for i := range m.findings {
		m.said.put(i, &m.findings[i])
	}
	for i := range m.composites {
		c := &m.composites[i]
		m.findings[c.rule] = c.find(&m.said)
		m.said.put(c.rule, &m.findings[c.rule])
	}
}

// find is three-valued logic over the composite's members.
func (c *composite) find(s *said) (f finding) {
	fresh := c.members.both(s.fresh)
	f.fresh = !fresh.isEmpty()
	breaching, healthy := c.members.both(s.breaching), c.members.both(s.healthy)
	breaches, heals := !breaching.isEmpty(), !healthy.isEmpty()
	switch c.logic {
	case policy.LogicNot:
		f.hit = f.fresh
		f.verdict = verdictOf(heals, breaches)
	case policy.LogicAll:
		f.hit = !fresh.both(s.hit).both(breaching).isEmpty()
		f.verdict = verdictOf(breaching.count() == c.members.count(), heals)
	case policy.LogicAny:
		f.hit = !fresh.both(s.hit).both(breaching).isEmpty()
		f.verdict = verdictOf(breaches, healthy.count() == c.members.count())
	}

	return f
}

// verdictOf is a verdict from what is certain.
func verdictOf(breaches, isHealthy bool) Verdict {
	switch {
	case isHealthy:
		return Healthy
	case breaches:
		return Breaching
	}
	return Unknown
}

// stands is what a rule says of a version when nothing new was measured.
func (m *Machine) stands(i int, seen *version, now time.Time) Verdict {
	r := &m.state.Policy.Rules[i]
	switch m.forms[i] {
	case policy.FormWindow:
		return seen.Rules[i].standing(r, now)
	case policy.FormAge, policy.FormSilence:
		return m.ageVerdict(r, now)
	}
	return Unknown
}

// standing is what a rule with a period says while no datapoint is judged. It is
// forgotten when all datapoints are out of reach, but where silence is fine.
func (t *track) standing(r *policy.Rule, now time.Time) Verdict {
	w := t.Window
	if r.Change != nil {
		switch {
		case !w.Changed.IsZero() && now.Before(w.Changed.Add(time.Duration(r.Change.Hold.Or(policy.Duration(policy.DefaultHold))))):
			return Breaching
		case w.Detector != nil:
			return Healthy
		}
		return Unknown
	}
	if n := len(w.Points); n == 0 || !w.isSettled(r) && now.After(r.DueAt(w.Points[n-1].Start+int64(r.Reach())*r.PeriodSeconds())) {
		return Unknown
	}

	return t.Verdict
}

// reason says why a rule breaches at this moment, in words.
func (m *Machine) reason(rule int, seen *version) string {
	return m.words(m.evidenceNow(seen), rule)
}

// reason says why a rule with a period breaches.
func (t *track) reason(r *policy.Rule) string {
	w := t.Window
	what := fmt.Sprintf("%s %s", policy.Word(r.Metric), r.Stat)
	if r.Change != nil {
		way := "rose"
		if w.To.Value() < w.From.Value() {
			way = "fell"
		}
		return fmt.Sprintf("%s %s from %s to %s, by %s", what, way, r.Format(w.From.Value()), r.Format(w.To.Value()), r.Change.Method())
	}

	suffix := ""
	if _, n := r.MOfN(); n > 1 {
		breaching, of := w.count(r)
		suffix = fmt.Sprintf(", %d of %d periods of %s", breaching, of, r.Period.Value())
	} else {
		suffix = fmt.Sprintf(" over %s", r.Period.Value())
	}

	value, measured := t.Value.Get()
	threshold, base := t.Threshold.Value(), w.baseOf(r)
	what += " " + r.Format(value)
	switch {
	case !measured:
		return strings.TrimSuffix(what, r.Format(value)) + "missing" + suffix
	case !r.IsBeyond(value, threshold): // what breaches is an earlier datapoint
		if clear, clears := r.ClearThreshold(); clears {
			return fmt.Sprintf("%s not past %s since it was beyond threshold %s%s", what, r.Format(clear), r.Format(threshold), suffix)
		}
		return fmt.Sprintf("%s, earlier ones beyond threshold %s%s", what, r.Format(threshold), suffix)
	case !r.Below.IsZero():
		return fmt.Sprintf("%s below threshold %s%s", what, r.Format(threshold), suffix)
	case !r.Above.IsZero():
		return fmt.Sprintf("%s above threshold %s%s", what, r.Format(threshold), suffix)
	case !r.BelowBaselineBy.IsZero():
		return fmt.Sprintf("%s below baseline %s by more than %s%s", what, r.Format(base.Value()), r.BelowBaselineBy.Value(), suffix)
	}

	return fmt.Sprintf("%s above baseline %s by more than %s%s", what, r.Format(base.Value()), r.AboveBaselineBy.Value(), suffix)
}
