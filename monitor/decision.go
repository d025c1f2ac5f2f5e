package monitor

import "time"

// Kind is what the machine decided.
type Kind string

// The kinds of decision.
const (
	Triggered     Kind = "triggered"  // a retraining was asked for
	Suppressed    Kind = "suppressed" // a breach led to none, for the reason in SuppressedBy
	Accepted      Kind = "accepted"   // scheduled in a backend that can't be followed
	Succeeded     Kind = "succeeded"
	Failed        Kind = "failed"    // the backend said no, or the training failed
	TimedOut      Kind = "timed_out" // no outcome within the policy's timeout
	Paused        Kind = "paused"
	Resumed       Kind = "resumed"
	PolicyChanged Kind = "policy_changed"
	Stopped       Kind = "stopped"
)

// Suppression is why a breaching observation did not trigger. Where several
// hold, the first in this order is named.
type Suppression string

// The reasons for suppression.
const (
	ByStopping Suppression = "stopping"  // the monitor is ending
	ByPause    Suppression = "paused"    // an operator paused it
	ByCooldown Suppression = "cooldown"  // less than the cooldown since the last trigger
	ByFlight   Suppression = "in_flight" // a retraining that outlasts the cooldown is under way
)

// RuleManual stands for the rule in a retraining that an operator asked for.
const RuleManual = "manual"

// Decision is what the machine did, and why.
type Decision struct {
	At           time.Time   `json:"at"`
	Kind         Kind        `json:"kind"`
	Rule         string      `json:"rule,omitempty"`
	Reason       string      `json:"reason,omitempty"`
	ModelVersion string      `json:"model_version,omitempty"`
	Value        Reading     `json:"value,omitzero"`
	Threshold    Reading     `json:"threshold,omitzero"`
	RequestID    string      `json:"request_id,omitempty"`
	By           string      `json:"by,omitempty"`            // the operator, where one decided
	SuppressedBy Suppression `json:"suppressed_by,omitempty"` // for Suppressed
	// Count is for Suppressed: how many breaching observations in a row this
	// entry stands for. At, Reason and Value are the first one's.
	Count int64 `json:"count,omitempty"`
}

// maxDecisions is how many decisions a monitor remembers.
const maxDecisions = 50

// decide records a decision. Breaches suppressed in a row for one reason share
// an entry, so that a storm of them does not push out what matters.
func (m *Machine) decide(decision Decision) {
	decision.Reason, decision.By = cut(decision.Reason, maxTextBytes), cut(decision.By, maxTextBytes)
	if m.OnDecision != nil {
		m.OnDecision(decision)
	}
	log := m.state.Decisions
	if n := len(log); decision.Kind == Suppressed && n > 0 &&
		log[n-1].Kind == Suppressed && log[n-1].SuppressedBy == decision.SuppressedBy {
		log[n-1].Count++
		return
	}
	m.state.Decisions = keepLast(append(log, decision), maxDecisions)
}

// keepLast drops the oldest elements beyond max.
func keepLast[T any](all []T, max int) []T {
	if extra := len(all) - max; extra > 0 {
		return append(all[:0], all[extra:]...)
	}
	return all
}
