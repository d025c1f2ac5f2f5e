package journal

import (
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Suppression is why a breach did not trigger. Where several
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
	ByBudget     Suppression = "budget"            // as many retrainings as the policy allows went out lately
	ByDryRun     Suppression = "dry_run"           // the policy is a dry run
)

var suppressions = []Suppression{ByStopping, ByPause, ByCooldown, ByFlight, ByApproval, BySuperseded, ByBlackout, ByBudget, ByDryRun}

// Suppressions are all reasons for suppression.
func Suppressions() []Suppression { return slices.Clone(suppressions) }

// Decision is what the machine did, and why.
type Decision struct {
	At           time.Time      `json:"at"`
	Kind         policy.Kind    `json:"kind"`
	Rule         string         `json:"rule,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	ModelVersion string         `json:"model_version,omitempty"`
	Value        metric.Reading `json:"value,omitzero"`
	Threshold    metric.Reading `json:"threshold,omitzero"`
	RequestID    string         `json:"request_id,omitempty"`
	By           string         `json:"by,omitempty"`            // the operator, where one decided
	SuppressedBy Suppression    `json:"suppressed_by,omitempty"` // for Suppressed
	// Count is for Suppressed and Warned: how many breaching observations of a streak
	// this entry stands for. At, Reason and Value are the last one's. A streak is what
	// was suppressed for one reason, or warned of by one rule, between two decisions of
	// other kinds; the first of it has an entry, and all others share one.
	Count int64 `json:"count,omitempty"`
	// Trace is the decision's own span, where it is traced: a traceparent of W3C's
	// Trace Context. Suppressed breaches and warnings have none.
	Trace string `json:"trace,omitempty"`
}

// IsNotable says that a decision changed something, or answered something: all but
// those that breaches can bring by the thousand.
func (d *Decision) IsNotable() bool { return d.Kind != policy.Suppressed && d.Kind != policy.Warned }

// KeepLast drops the oldest elements beyond max.
func KeepLast[T any](all []T, max int) []T {
	if extra := len(all) - max; extra > 0 {
		return append(all[:0], all[extra:]...)
	}
	return all
}
