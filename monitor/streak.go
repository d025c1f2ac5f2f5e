package monitor

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Breaches that lead to nothing, and warnings, can come with every event. The log
// holds a streak of them in two entries: the first, and the last, whose Count is of
// all but the first. A streak is all that was suppressed for one reason, or all
// warnings of one rule, between two notable decisions; what alternates with it
// does not end it. So a storm neither pushes out what matters nor costs words for
// each breach: an entry's value and reason are found when somebody reads the log.

// maxWarningRules is how many rules have a streak of warnings of their own between
// two notable decisions. The others share one, which names no rule: the log has
// room for that many streaks, and for all reasons of suppression, but not for all
// rules of a policy.
const maxWarningRules = 10

// streak is one that goes on in the log.
type streak struct {
	entry    int  // 1 + the index of its last entry in the log; 0 while that has to be looked for
	isShared bool // the rule's warnings are in the streak that names no rule
	// owed is what its last entry was decided by, nil while the entry has its words:
	// the rule, and what it measured if it has no period.
	owed  *evidence
	rule  int
	value float64
}

// evidence is what the decisions of one moment go by, kept until somebody asks for
// it in words.
type evidence struct {
	tracks    []*track
	breaching ruleSet   // of all rules
	values    []float64 // what rules without a period measured; nil: what their tracks say
}

func (m *Machine) evidenceNow(seen *version) *evidence {
	return &evidence{tracks: seen.Rules, breaching: m.said.breaching}
}

// repeat records a decision that breaches can bring by the thousand: a suppression,
// or a warning.
func (m *Machine) repeat(j *moment, kind policy.Kind, by Suppression, rule int) {
	s, isShared := m.streak(kind, by, rule)
	name := m.state.Policy.Rules[rule].Name
	if isShared {
		name = ""
	}
	m.repeated = repeated{now: j.now, seen: j.seen, version: j.version, kind: kind, by: by, name: name, rule: rule}
	if s.entry == 0 {
		m.decide(m.Repeated())
		return
	}

	if m.OnRepeat != nil {
		m.OnRepeat(kind, by)
	}
	entry := &m.state.Decisions[s.entry-1]
	entry.At = j.now
	entry.Count++
	if entry.ModelVersion != j.version {
		entry.ModelVersion = j.version
	}
	if entry.Rule != name {
		entry.Rule = name
	}
	if j.evidence == nil {
		j.evidence = m.keepEvidence(j.seen)
	}
	s.owed = j.evidence
	s.rule = rule
	s.value = j.seen.Rules[rule].Value.Value()
	m.owes = true
}

// streak finds the streak that a decision continues; its entry is 0 where the
// decision begins it, or is the second of it.
func (m *Machine) streak(kind policy.Kind, by Suppression, rule int) (s *streak, isShared bool) {
	rules := len(m.state.Policy.Rules)
	if kind == policy.Suppressed {
		rule = rules + 1 + slices.Index(suppressions, by)
	}
	s = &m.streaks[rule]
	switch {
	case s.isShared:
		return &m.streaks[rules], true
	case s.entry != 0:
		return s, false
	}

	d := Decision{Kind: kind, SuppressedBy: by}
	if kind == policy.Warned {
		d.Rule = m.state.Policy.Rules[rule].Name
	}
	s.entry = m.findStreak(&d)
	if s.entry != 0 || kind != policy.Warned || m.hasBegun(&d) || m.warningRules() < maxWarningRules {
		return s, false
	}

	s.isShared = true
	shared := &m.streaks[rules]
	shared.entry = m.findStreak(&Decision{Kind: policy.Warned})
	return shared, true
}

// findStreak returns 1 + the index of the last entry of a decision's streak, or 0
// while the log has fewer than two.
func (m *Machine) findStreak(d *Decision) (entry int) {
	entries := 0
	for i := range sinceNotable(m.state.Decisions) {
		if !d.continues(&m.state.Decisions[i]) {
			continue
		}
		entry = max(entry, i+1)
		entries++
	}
	if entries < 2 {
		return 0
	}
	return entry
}

// warningRules is how many rules have a streak of warnings since the last notable
// decision.
func (m *Machine) warningRules() int {
	rules := map[string]bool{}
	for i := range sinceNotable(m.state.Decisions) {
		if d := &m.state.Decisions[i]; d.Kind == policy.Warned {
			rules[d.Rule] = true
		}
	}
	return len(rules)
}

// sinceNotable are the numbers of a log's entries since the last notable one, the
// latest first.
func sinceNotable(log []Decision) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := len(log) - 1; i >= 0; i-- {
			if log[i].IsNotable() || !yield(i) {
				return
			}
		}
	}
}

// hasBegun says that the log has an entry of the streak that a decision belongs to.
func (m *Machine) hasBegun(d *Decision) bool {
	for i := range sinceNotable(m.state.Decisions) {
		if d.continues(&m.state.Decisions[i]) {
			return true
		}
	}
	return false
}

// continues says that a decision belongs to the streak of another one.
func (d *Decision) continues(before *Decision) bool {
	return d.Kind == before.Kind && (d.Kind == policy.Suppressed && d.SuppressedBy == before.SuppressedBy ||
		d.Kind == policy.Warned && d.Rule == before.Rule)
}

// repeated is what OnRepeat hears of.
type repeated struct {
	now     time.Time
	version string
	seen    *version
	kind    policy.Kind
	by      Suppression
	name    string // of the rule; "" where its streak is shared
	rule    int
}

// Repeated is the decision that OnRepeat hears of, in words. It may be called until
// OnRepeat returns.
func (m *Machine) Repeated() Decision {
	r := &m.repeated
	e := m.evidenceNow(r.seen)
	value, threshold := m.measured(e, r.rule)
	return Decision{
		At: r.now, Kind: r.kind, Rule: r.name, Reason: m.words(e, r.rule), ModelVersion: r.version,
		Value: value, Threshold: threshold, SuppressedBy: r.by, Count: 1,
	}
}

// AppendDecision adds a decision to a log as a monitor does to its own: the third and
// every further one of a streak takes the place of the one before it, and counts it.
func AppendDecision(log []Decision, decision Decision) []Decision {
	last, entries := 0, 0
	for i := range sinceNotable(log) {
		if decision.IsNotable() || !decision.continues(&log[i]) {
			continue
		}
		if entries == 0 {
			last = i
		}
		entries++
	}

	if entries < 2 {
		return append(log, decision)
	}

	decision.Count += log[last].Count
	log[last] = decision
	return log
}

// keepEvidence keeps what the decisions of this moment go by.
func (m *Machine) keepEvidence(seen *version) *evidence {
	e := m.evidenceNow(seen)
	if m.hasComposites {
		e.values = make([]float64, len(seen.Rules))
		for i, t := range seen.Rules {
			e.values[i] = t.Value.Value()
		}
	}
	return e
}

// settleStreaks puts into words what the log's entries still lack. What an entry
// goes by may only change after it.
func (m *Machine) settleStreaks() {
	if !m.owes {
		return
	}

	m.owes = false
	for i := range m.streaks {
		s := &m.streaks[i]
		if s.owed == nil {
			continue
		}

		e := s.owed
		if e.values == nil && m.forms[s.rule] == policy.FormInstant {
			e.values = make([]float64, len(e.tracks))
		}
		if m.forms[s.rule] == policy.FormInstant {
			e.values[s.rule] = s.value
		}
		entry := &m.state.Decisions[s.entry-1]
		entry.Value, entry.Threshold = m.measured(e, s.rule)
		entry.Reason = plain.Cut(m.words(e, s.rule), policy.MaxTextBytes)
		s.owed = nil
	}
}

// forgetStreaks lets every streak be looked for again, since the log has changed.
func (m *Machine) forgetStreaks() { clear(m.streaks) }

// valueOf is what a rule without a period measured.
func (e *evidence) valueOf(rule int) float64 {
	if e.values != nil {
		return e.values[rule]
	}
	return e.tracks[rule].Value.Value()
}

// measured is the value and the threshold of a rule's decision; of a composite's,
// those of its first breaching member that measures something.
func (m *Machine) measured(e *evidence, rule int) (value, threshold metric.Reading) {
	rule = m.measuring(e, rule)
	t := e.tracks[rule]
	if m.forms[rule] == policy.FormInstant {
		return metric.Some(e.valueOf(rule)), t.Threshold
	}
	return t.Value, t.Threshold
}

// measuring is the rule whose metric stands for a rule's decision.
func (m *Machine) measuring(e *evidence, rule int) int {
	for _, member := range m.members[rule] {
		if e.breaching.has(member) && m.state.Policy.Rules[member].Metric != "" {
			return member
		}
	}
	return rule
}

// words say why a rule breaches.
func (m *Machine) words(e *evidence, rule int) string {
	r := &m.state.Policy.Rules[rule]
	switch m.forms[rule] {
	case policy.FormComposite:
		var text strings.Builder
		m.writeComposite(&text, e, rule)
		return plain.Cut(text.String(), policy.MaxTextBytes)
	case policy.FormWindow:
		return plain.Cut(e.tracks[rule].reason(r), policy.MaxTextBytes)
	case policy.FormAge, policy.FormSilence:
		return m.ageReason(r)
	}
	return r.BreachReason(e.valueOf(rule), e.tracks[rule].Threshold.Value())
}

// writeComposite writes why the members of a composite breach, as far as a reason
// has room: composites may hold one another many times over.
func (m *Machine) writeComposite(text *strings.Builder, e *evidence, rule int) {
	r := &m.state.Policy.Rules[rule]
	if r.Not != "" {
		fmt.Fprintf(text, "not %s", r.Not)
		return
	}

	separator := ""
	for _, member := range m.members[rule] {
		if !e.breaching.has(member) || text.Len() > policy.MaxTextBytes {
			continue
		}

		text.WriteString(separator)
		separator = "; "
		if m.forms[member] == policy.FormComposite {
			m.writeComposite(text, e, member)
			continue
		}

		text.WriteString(m.words(e, member))
	}
}
