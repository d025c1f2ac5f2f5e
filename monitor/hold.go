package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/policy"
)

// heldFor is after how long a held retraining is judged again.
const heldFor = time.Minute

// Hold says that a freeze of the fleet keeps a request from going out. The
// retraining stays in flight; after heldFor it is judged again, and asked for
// again if its rule still breaches.
func (m *Machine) Hold(now time.Time, requestID, reason string) {
	flight := m.state.Flight
	if flight == nil || flight.RequestID != requestID || flight.Job != nil {
		return
	}

	now = m.clock(now)
	if !flight.IsHeld {
		d := decisionOf(now, policy.Held, flight.Request)
		d.Reason = reason
		m.decide(d)
	}

	flight.IsHeld = true
	flight.HeldUntil = now.Add(heldFor)
	m.dirty = true
	flight.Deadline = flight.Deadline.Add(heldFor) // waiting is none of its own time
}

// judgeHeld lets a held retraining go on when its time has come, if what it was
// triggered by still breaches.
func (m *Machine) judgeHeld(now time.Time) {
	flight := m.state.Flight
	if flight == nil || flight.HeldUntil.IsZero() || now.Before(flight.HeldUntil) {
		return
	}

	why := ""
	switch {
	case m.state.Policy.DryRun:
		why = "it was held, and the policy is a dry run now"
	case !m.stillBreaches(now, flight.Request):
		why = "it was held, and breaches no more"
	}

	if why != "" {
		m.endFlight(now, why, "")
		return
	}

	flight.HeldUntil = time.Time{}
	m.dirty = true
}

// stillBreaches says that what a request was made for breaches by now, and would lead
// to one by the policy in force.
func (m *Machine) stillBreaches(now time.Time, request modelops.Request) bool {
	seen := m.state.Versions[request.ModelVersion]
	i, known := m.ruleNumber[request.Rule]
	switch {
	case request.Rule == modelops.RuleManual:
		return true
	case seen == nil || len(seen.Rules) == 0 || !known: // its version is forgotten, or its rule is gone
		return false
	case !m.state.Policy.Rules[i].CanTrigger():
		return false
	}
	m.judgeStanding(now, seen)
	return m.findings[i].verdict == Breaching
}

// judgeStanding fills in what every rule says of a version when nothing new was
// measured: those without a period what they said last.
func (m *Machine) judgeStanding(now time.Time, seen *version) {
	for i, t := range seen.Rules {
		m.findings[i] = finding{verdict: t.Verdict}
		if m.forms[i] != policy.FormInstant {
			m.findings[i].verdict = m.stands(i, seen, now)
		}
	}
	m.combine()
}
