package monitor

import (
	"fmt"
	"iter"
	"slices"
	"strings"
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
func (m *Machine) repeat(j *moment, kind Kind, by Suppression, rule int) {
	d := Decision{At: j.now, Kind: kind, Rule: m.state.Policy.Rules[rule].Name, ModelVersion: j.version, SuppressedBy: by, Count: 1}
	s, isShared := m.streak(&d, rule)
	if isShared {
		d.Rule = ""
	}
	if s.entry == 0 {
		request := m.request(rule, j.version, j.seen)
		d.Reason, d.Value, d.Threshold = request.Reason, request.Value, request.Threshold
		m.decide(d)
		return
	}

	if m.OnRepeat != nil {
		m.repeated = repeated{rule, j.seen}
		m.OnRepeat(d)
		m.repeated = repeated{}
	}
	entry := &m.state.Decisions[s.entry-1]
	entry.At = d.At
	entry.Count++
	if entry.ModelVersion != d.ModelVersion {
		entry.ModelVersion = d.ModelVersion
	}
	if entry.Rule != d.Rule {
		entry.Rule = d.Rule
	}
	if j.evidence == nil {
		j.evidence = m.keepEvidence(j.seen)
	}
	s.owed = j.evidence
	s.rule = rule
	s.value = j.seen.Rules[rule].Value.value
	m.owes = true
}

// streak finds the streak that a decision continues; its entry is 0 where the
// decision begins it, or is the second of it.
func (m *Machine) streak(d *Decision, rule int) (s *streak, isShared bool) {
	number := rule
	if d.Kind == Suppressed {
		number = len(m.state.Policy.Rules) + 1 + slices.Index(suppressions, d.SuppressedBy)
	}
	s = &m.streaks[number]
	if s.isShared {
		return &m.streaks[len(m.state.Policy.Rules)], true
	}
	if s.entry != 0 {
		return s, false
	}

	entries, warnings := 0, map[string]bool{}
	for i := range sinceNotable(m.state.Decisions) {
		before := &m.state.Decisions[i]
		if before.Kind == Warned {
			warnings[before.Rule] = true
		}
		if !d.continues(before) {
			continue
		}
		entries++
		if s.entry == 0 {
			s.entry = i + 1
		}
	}
	switch {
	case entries > 1:
		return s, false
	case d.Kind == Warned && entries == 0 && len(warnings) >= maxWarningRules && d.Rule != "":
		shared := *d
		shared.Rule = ""
		s.entry = 0
		s.isShared = true
		s, _ = m.streak(&shared, len(m.state.Policy.Rules))
		return s, true
	}
	s.entry = 0
	return s, false
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
	return d.Kind == before.Kind && (d.Kind == Suppressed && d.SuppressedBy == before.SuppressedBy ||
		d.Kind == Warned && d.Rule == before.Rule)
}

// repeated is what OnRepeat hears of.
type repeated struct {
	rule int
	seen *version
}

// InWords adds value, threshold and reason to the decision that OnRepeat hears of.
// It may be called until OnRepeat returns.
func (m *Machine) InWords(d Decision) Decision {
	request := m.request(m.repeated.rule, d.ModelVersion, m.repeated.seen)
	d.Reason, d.Value, d.Threshold = request.Reason, request.Value, request.Threshold
	return d
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
			e.values[i] = t.Value.value
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
		if e.values == nil && m.kinds[s.rule] == kindInstant {
			e.values = make([]float64, len(e.tracks))
		}
		if m.kinds[s.rule] == kindInstant {
			e.values[s.rule] = s.value
		}
		entry := &m.state.Decisions[s.entry-1]
		entry.Value, entry.Threshold = m.measured(e, s.rule)
		entry.Reason = cut(m.words(e, s.rule), maxTextBytes)
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
	return e.tracks[rule].Value.value
}

// measured is the value and the threshold of a rule's decision; of a composite's,
// those of its first breaching member that measures something.
func (m *Machine) measured(e *evidence, rule int) (value, threshold Reading) {
	rule = m.measuring(e, rule)
	t := e.tracks[rule]
	if m.kinds[rule] == kindInstant {
		return Some(e.valueOf(rule)), t.Threshold
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
	switch m.kinds[rule] {
	case kindComposite:
		var text strings.Builder
		m.writeComposite(&text, e, rule)
		return cut(text.String(), maxTextBytes)
	case kindWindow:
		return cut(e.tracks[rule].reason(r), maxTextBytes)
	case kindAge, kindSilence:
		return m.ageReason(r)
	}
	return r.breachReason(e.valueOf(rule), e.tracks[rule].Threshold.value)
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
		if !e.breaching.has(member) || text.Len() > maxTextBytes {
			continue
		}
		text.WriteString(separator)
		separator = "; "
		if m.kinds[member] == kindComposite {
			m.writeComposite(text, e, member)
			continue
		}
		text.WriteString(m.words(e, member))
	}
}
