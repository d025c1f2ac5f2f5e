package policy

import "slices"

// settles says which kinds of decision another one ends.
var settles = map[Kind][]Kind{
	Accepted:         {Triggered, Failed, TimedOut, Held},
	Succeeded:        {Triggered, Failed, TimedOut, Held},
	Failed:           {Triggered},
	TimedOut:         {Triggered},
	Cancelled:        {Triggered, Held},
	Approved:         {AwaitingApproval},
	ApprovalRejected: {AwaitingApproval},
	Verified:         {Regressed},
	Resumed:          {Paused, CircuitOpened},
	Stopped:          {AwaitingApproval, Failed, TimedOut, Held, Regressed, Paused, CircuitOpened},
	FleetUnfrozen:    {FleetFrozen},
}

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

// IsOpen says that a decision of this kind stands until another one settles it. All
// others are of a moment.
func (k Kind) IsOpen() bool {
	for _, ended := range settles { // in any order
		if slices.Contains(ended, k) {
			return true
		}
	}
	return false
}

// Settles are the kinds of earlier decisions that one of this kind ends.
func (k Kind) Settles() []Kind { return settles[k] }

// Notifiable are the decisions that a channel can be told of: all of a model but
// suppressed breaches.
func Notifiable() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return k == Suppressed })
}
