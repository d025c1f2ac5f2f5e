package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/observation"
	"github.com/modelvigil/modelvigil/monitor/watch"
	"github.com/modelvigil/modelvigil/policy"
)

// This file is the way of a breach, from what was observed to what is done about it:
// observe, judge, choose, suppress or let a trigger go out. Each step writes what it
// decides into the journal.

// Observe judges one valid event, as a backtest has it; what a monitor is sent comes in by
// TakeEvents and TakeBatch. now is when it is handled.
func (m *Machine) Observe(now time.Time, event *metric.Event) {
	m.row.OfEvent(event)
	m.ObserveRow(now, &m.row)
}

// ObserveRow judges one valid event that is a row of a table, as Observe does.
func (m *Machine) ObserveRow(now time.Time, row *table.Row) {
	now = clock.Plain(now)
	if row.ModelName != m.state.ModelName {
		m.Journal.Reject(now, contract.SignalMetric, stray(m.state.ModelName, row.ModelName), nil)
		return
	}

	m.watch.Forget()
	m.observation.OfRow(row, now)
	m.observe(now, &m.observation)
}

// observe counts an observation, lets each rule judge what it has measured, and decides
// about what they find: the heart of modelvigil. A rule without a period finds
// something at once, and one with a period when that is due; see Tick.
func (m *Machine) observe(now time.Time, o *observation.Observation) {
	passed := m.state.passed(now)
	moment := m.watch.Hear(now, passed, o)
	m.Course.BeginVerification(now, o.Version)

	for rule := range moment.Findings {
		moment.Findings[rule] = moment.Take(rule, o, passed)
	}

	m.choose(moment)
	m.Course.NoteSamples(now, o.Version, o.Events)
}

// choose acts on what rules find at a moment: warnings speak, and the first rule in
// order of precedence that may trigger does, or is suppressed.
func (m *Machine) choose(moment *watch.Moment) {
	moment.Compose()

	chosen := -1
	for rule := range moment.Findings {
		if !moment.Findings[rule].Speaks() {
			continue
		}

		switch r := &m.state.Policy.Rules[rule]; {
		case r.Condition: // it speaks through composites only
		case r.Severity == policy.Warning:
			m.Journal.Repeat(moment.Now, moment.Version, policy.Warned, "", rule, moment)
		default:
			m.Course.NoteRegression(rule, moment)
			if chosen < 0 {
				chosen = rule
			}
		}
	}

	if chosen >= 0 {
		m.breach(moment, chosen)
	}
}

// breach decides about a breach of a rule: it triggers, or it is suppressed for a
// named reason.
func (m *Machine) breach(moment *watch.Moment, rule int) {
	m.state.Counters.Breaches++
	by := m.suppression(moment)
	if by == journal.ByBlackout {
		moment.Defer(rule)
	}
	if by != "" {
		m.Journal.CountSuppressed(by)
		m.Journal.Repeat(moment.Now, moment.Version, policy.Suppressed, by, rule, moment)
		return
	}

	moment.Seen.Rules[rule].Deferred = false
	moment.NoteActed()
	// A dry run, and an approval that the policy wants, are seen to there.
	m.Course.Ask(moment.Now, moment.Request(rule), "")
}

// suppression returns why a breach must not trigger, or "". What was folded before the
// cooldown's end is in cooldown even when it arrives later, and so it is with a budget.
func (m *Machine) suppression(moment *watch.Moment) Suppression {
	s := &m.state
	switch {
	case s.Stop != nil:
		return journal.ByStopping
	case s.Pause != nil:
		return journal.ByPause
	case moment.EndsBefore(m.Course.CooldownUntil()):
		return journal.ByCooldown
	case s.Flight != nil:
		return journal.ByFlight
	case s.Pending != nil:
		return journal.ByApproval
	case moment.Seen.SupersededBy != "" && s.Policy.Superseded != policy.SupersededTriggers:
		return journal.BySuperseded
	}

	if _, in := s.Calendar.At(moment.Now); in {
		return journal.ByBlackout
	}
	if moment.EndsBefore(m.Course.BudgetUntil()) {
		return journal.ByBudget
	}
	return ""
}
