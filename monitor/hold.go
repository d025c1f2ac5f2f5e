package monitor

import "time"

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
		d := decisionOf(now, Held, flight.RetrainingRequest)
		d.Reason = reason
		m.decide(d)
	}
	flight.IsHeld, flight.HeldUntil, m.dirty = true, now.Add(heldFor), true
	flight.Deadline = flight.Deadline.Add(heldFor) // waiting is none of its own time
}

// judgeHeld lets a held retraining go on when its time has come, if what it was
// triggered by still breaches.
func (m *Machine) judgeHeld(now time.Time) {
	flight := m.state.Flight
	if flight == nil || flight.HeldUntil.IsZero() || now.Before(flight.HeldUntil) {
		return
	}
	flight.HeldUntil, m.dirty = time.Time{}, true
	if m.stillBreaches(now, flight) {
		return
	}
	m.state.Flight = nil
	done := finished{RequestID: flight.RequestID, Kind: Cancelled, Rule: flight.Rule, ModelVersion: flight.ModelVersion}
	m.state.Recent = keepLast(append(m.state.Recent, done), maxRecent)
	m.record(now, Cancelled, done, "it was held, and breaches no more", "")
}

func (m *Machine) stillBreaches(now time.Time, flight *Flight) bool {
	seen := m.state.Versions[flight.ModelVersion]
	i, known := m.ruleNumber[flight.Rule]
	switch {
	case flight.Rule == RuleManual:
		return true
	case seen == nil || len(seen.Rules) == 0 || !known: // its version is forgotten, or its rule is gone
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
		if m.kinds[i] != kindInstant {
			m.findings[i].verdict = m.stands(i, seen, now)
		}
	}
	m.combine()
}
