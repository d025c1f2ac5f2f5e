package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
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
		m.Reject(now, contract.SignalMetric, stray(m.state.ModelName, row.ModelName), nil)
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
	j := m.watch.Hear(now, passed, o)
	m.BeginVerification(now, o.Version)

	for rule := range j.Findings {
		j.Findings[rule] = j.Judge(rule, o, passed)
	}

	m.choose(j)
	m.NoteSamples(now, o.Version, o.Events)
}

// choose acts on what rules find at a moment: warnings speak, and the first rule in
// order of precedence that may trigger does, or is suppressed.
func (m *Machine) choose(j *watch.Moment) {
	j.Compose()

	chosen := -1
	for rule := range j.Findings {
		if !j.Findings[rule].Speaks() {
			continue
		}

		switch r := &m.state.Policy.Rules[rule]; {
		case r.Condition: // it speaks through composites only
		case r.Severity == policy.Warning:
			m.Repeat(j.Now, j.Version, policy.Warned, "", rule, j)
		default:
			m.NoteRegression(rule, j)
			if chosen < 0 {
				chosen = rule
			}
		}
	}

	if chosen >= 0 {
		m.breach(j, chosen)
	}
}

// breach decides about a breach of a rule: it triggers, or it is suppressed for a
// named reason.
func (m *Machine) breach(j *watch.Moment, rule int) {
	m.state.Counters.Breaches++
	by := m.suppression(j)
	if by == ByBlackout {
		j.Defer(rule)
	}
	if by != "" {
		m.CountSuppressed(by)
		m.Repeat(j.Now, j.Version, policy.Suppressed, by, rule, j)
		return
	}

	j.Seen.Rules[rule].Deferred = false
	j.NoteActed()
	// A dry run or a policy that wants approval holds it there.
	m.Ask(j.Now, j.Request(rule), "")
}

// suppression returns why a breach must not trigger, or "". What was folded before the
// cooldown's end is in cooldown even when it arrives later, and so it is with a budget.
func (m *Machine) suppression(j *watch.Moment) Suppression {
	s := &m.state
	switch {
	case s.Stop != nil:
		return ByStopping
	case s.Pause != nil:
		return ByPause
	case j.EndsBefore(m.CooldownUntil()):
		return ByCooldown
	case s.Flight != nil:
		return ByFlight
	case s.Pending != nil:
		return ByApproval
	case j.Seen.SupersededBy != "" && s.Policy.Superseded != policy.SupersededTriggers:
		return BySuperseded
	}

	if _, in := s.Calendar.At(j.Now); in {
		return ByBlackout
	}
	if j.EndsBefore(m.BudgetUntil()) {
		return ByBudget
	}
	return ""
}
