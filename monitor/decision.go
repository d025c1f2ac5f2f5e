package monitor

import (
	"slices"
	"time"
)

// Kind is what the machine decided.
type Kind string

// The kinds of decision.
const (
	Triggered        Kind = "triggered"  // a retraining was asked for
	Suppressed       Kind = "suppressed" // a breach led to none, for the reason in SuppressedBy
	Accepted         Kind = "accepted"   // scheduled in a backend that can't be followed
	Succeeded        Kind = "succeeded"
	Failed           Kind = "failed"        // the backend said no, or the training failed
	TimedOut         Kind = "timed_out"     // no outcome within the policy's timeout
	Cancelled        Kind = "cancelled"     // an operator ended the retraining in flight
	CancelFailed     Kind = "cancel_failed" // the backend could not be told to end a retraining
	Warned           Kind = "warned"        // a rule of severity warning breached
	Held             Kind = "held"          // would have triggered, but the policy is a dry run; or a freeze of the fleet holds it
	AwaitingApproval Kind = "awaiting_approval"
	Approved         Kind = "approved"
	ApprovalRejected Kind = "approval_rejected"
	Verified         Kind = "verified"       // the new version held the rules
	Unverified       Kind = "unverified"     // it had too few events to say so
	Regressed        Kind = "regressed"      // it broke them
	CircuitOpened    Kind = "circuit_opened" // too many failures in a row: paused
	Paused           Kind = "paused"
	Resumed          Kind = "resumed"
	PolicyChanged    Kind = "policy_changed"
	Stopped          Kind = "stopped"
	FleetFrozen      Kind = "fleet_frozen"   // a freeze holds retrainings back: a decision of the fleet, not of a model
	FleetUnfrozen    Kind = "fleet_unfrozen" // it is lifted
)

// Kinds are all kinds of decision that a monitor takes.
func Kinds() []Kind {
	return []Kind{
		Triggered, Suppressed, Accepted, Succeeded, Failed, TimedOut, Cancelled, CancelFailed, Warned, Held, AwaitingApproval, Approved,
		ApprovalRejected, Verified, Unverified, Regressed, CircuitOpened, Paused, Resumed, PolicyChanged, Stopped,
	}
}

// Suppression is why a breaching observation did not trigger. Where several
// hold, the first in this order is named.
type Suppression string

// The reasons for suppression.
const (
	ByStopping   Suppression = "stopping"          // the monitor is ending
	ByPause      Suppression = "paused"            // an operator paused it
	ByCooldown   Suppression = "cooldown"          // less than the cooldown since the last trigger
	ByFlight     Suppression = "in_flight"         // a retraining that outlasts the cooldown is under way
	ByApproval   Suppression = "awaiting_approval" // a trigger waits for an operator's word
	BySuperseded Suppression = "superseded"        // a retraining has replaced this version
	ByBlackout   Suppression = "blackout"          // in a span of the policy's blackout
	ByDryRun     Suppression = "dry_run"           // the policy is a dry run
)

var suppressions = []Suppression{ByStopping, ByPause, ByCooldown, ByFlight, ByApproval, BySuperseded, ByBlackout, ByDryRun}

// Suppressions are all reasons for suppression.
func Suppressions() []Suppression { return slices.Clone(suppressions) }

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
	// Count is for Suppressed and Warned: how many breaching observations of a streak
	// this entry stands for. At, Reason and Value are the last one's. A streak is what
	// was suppressed for one reason, or warned of by one rule, between two decisions of
	// other kinds; the first of it has an entry, and all others share one.
	Count int64 `json:"count,omitempty"`
	// Trace is the decision's own span, where it is traced: a traceparent of W3C's
	// Trace Context. Suppressed breaches and warnings have none.
	Trace string `json:"trace,omitempty"`
}

// maxDecisions is how many decisions a monitor remembers.
const maxDecisions = 50

// decide records a decision in an entry of its own.
func (m *Machine) decide(decision Decision) {
	decision.Reason, decision.By = cut(decision.Reason, maxTextBytes), cut(decision.By, maxTextBytes)
	if m.Trace != nil && decision.IsNotable() {
		decision.Trace = m.Trace(m.cause(&decision), decision)
	}
	if decision.IsNotable() {
		notable := decision // a copy, so that the others don't escape to the heap
		m.state.Notable, m.dirty = &notable, true
	}
	m.notify(decision)
	if m.OnDecision != nil {
		m.OnDecision(decision)
	}

	m.settleStreaks()
	m.forgetStreaks()
	m.state.Decisions = keepLast(append(m.state.Decisions, decision), maxDecisions)
}

// IsNotable says that a decision changed something, or answered something: all but
// those that breaches can bring by the thousand.
func (d *Decision) IsNotable() bool { return d.Kind != Suppressed && d.Kind != Warned }

// keepLast drops the oldest elements beyond max.
func keepLast[T any](all []T, max int) []T {
	if extra := len(all) - max; extra > 0 {
		return append(all[:0], all[extra:]...)
	}
	return all
}
