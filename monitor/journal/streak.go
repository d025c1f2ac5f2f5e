package journal

import (
	"iter"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
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
	owed  Evidence
	rule  int
	value float64
}

// Repeat writes down a decision that breaches can bring by the thousand: a suppression,
// or a warning.
func (j *Journal) Repeat(now time.Time, version string, kind policy.Kind, by Suppression, rule int, moment Moment) {
	s, isShared := j.streak(kind, by, rule)
	name := j.policy.Rules[rule].Name
	if isShared {
		name = ""
	}

	j.repeated = repeated{now: now, version: version, kind: kind, by: by, name: name, rule: rule, moment: moment}
	if isShared {
		j.share(rule)
	}
	if s.entry == 0 {
		j.Decide(j.Repeated())
		return
	}

	if j.OnRepeat != nil {
		j.OnRepeat(kind, by)
	}
	entry := &j.entries.Decisions[s.entry-1]
	entry.At = now
	entry.Count++
	if entry.ModelVersion != version {
		entry.ModelVersion = version
	}
	if entry.Rule != name {
		entry.Rule = name
	}

	s.owed, s.value = moment.Keep(rule)
	s.rule = rule
	j.owes = true
}

// share lets channels be told of a rule's first warning in the streak that names none.
func (j *Journal) share(rule int) {
	if slices.Contains(j.entries.Sharing, rule) {
		return
	}
	j.entries.Sharing = append(j.entries.Sharing, rule)
	d := j.Repeated()
	d.Rule = j.policy.Rules[rule].Name
	j.notify(d, time.Time{})
}

// streak finds the streak that a decision continues; its entry is 0 where the
// decision begins it, or is the second of it.
func (j *Journal) streak(kind policy.Kind, by Suppression, rule int) (s *streak, isShared bool) {
	rules := len(j.policy.Rules)
	if kind == policy.Suppressed {
		rule = rules + 1 + slices.Index(suppressions, by)
	}
	s = &j.streaks[rule]
	switch {
	case s.isShared:
		return &j.streaks[rules], true
	case s.entry != 0:
		return s, false
	}

	d := Decision{Kind: kind, SuppressedBy: by}
	if kind == policy.Warned {
		d.Rule = j.policy.Rules[rule].Name
	}
	s.entry = j.findStreak(&d)
	if s.entry != 0 || kind != policy.Warned || j.hasBegun(&d) || j.warningRules() < maxWarningRules {
		return s, false
	}

	s.isShared = true
	shared := &j.streaks[rules]
	shared.entry = j.findStreak(&Decision{Kind: policy.Warned})
	return shared, true
}

// findStreak returns 1 + the index of the last entry of a decision's streak, or 0
// while the log has fewer than two.
func (j *Journal) findStreak(d *Decision) (entry int) {
	entries := 0
	for i := range sinceNotable(j.entries.Decisions) {
		if !d.continues(&j.entries.Decisions[i]) {
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
func (j *Journal) warningRules() int {
	rules := map[string]bool{}
	for i := range sinceNotable(j.entries.Decisions) {
		if d := &j.entries.Decisions[i]; d.Kind == policy.Warned {
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
func (j *Journal) hasBegun(d *Decision) bool {
	for i := range sinceNotable(j.entries.Decisions) {
		if d.continues(&j.entries.Decisions[i]) {
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
	kind    policy.Kind
	by      Suppression
	name    string // of the rule; "" where its streak is shared
	rule    int
	moment  Moment
}

// Repeated is the decision that OnRepeat hears of, in words. It may be called until
// OnRepeat returns.
func (j *Journal) Repeated() Decision {
	r := &j.repeated
	told := r.moment.Tell(r.rule)
	return Decision{
		At: r.now, Kind: r.kind, Rule: r.name, Reason: told.Reason, ModelVersion: r.version,
		Value: told.Value, Threshold: told.Threshold, SuppressedBy: r.by, Count: 1,
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

// Settle puts into words what the log's entries still lack. What an entry goes by may
// only change after it.
func (j *Journal) Settle() {
	if !j.owes {
		return
	}

	j.owes = false
	for i := range j.streaks {
		s := &j.streaks[i]
		if s.owed == nil {
			continue
		}

		told := s.owed.Tell(s.rule, s.value)
		entry := &j.entries.Decisions[s.entry-1]
		entry.Value = told.Value
		entry.Threshold = told.Threshold
		entry.Reason = plain.Cut(told.Reason, policy.MaxTextBytes)
		s.owed = nil
	}
}
