package retraining

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// frozenFor is after how long a frozen retraining is judged again.
const frozenFor = time.Minute

// Freeze says that one of the fleet keeps a request from going out. The
// retraining stays in flight; after frozenFor it is judged again, and asked for
// again if its rule still breaches.
func (c *Course) Freeze(now time.Time, requestID, reason string) {
	flight := c.all.Flight
	if flight == nil || flight.RequestID != requestID || flight.Job != nil {
		return
	}

	now = clock.Plain(now)
	if !flight.IsFrozen {
		d := decisionOf(now, policy.Held, flight.Request)
		d.Reason = reason
		c.journal.Decide(d)
	}

	flight.IsFrozen = true
	flight.FrozenUntil = now.Add(frozenFor)
	flight.Deadline = flight.Deadline.Add(frozenFor) // waiting is none of its own time
}

// JudgeFrozen lets a frozen retraining go on when its time has come, if what it was
// triggered by still breaches.
func (c *Course) JudgeFrozen(now time.Time) {
	flight := c.all.Flight
	if flight == nil || flight.FrozenUntil.IsZero() || now.Before(flight.FrozenUntil) {
		return
	}

	why := ""
	switch {
	case c.policy.DryRun:
		why = "it was held, and the policy is a dry run now"
	case !c.stillBreaches(now, flight.Request):
		why = "it was held, and breaches no more"
	}

	if why != "" {
		c.endFlight(now, why, "")
		return
	}

	flight.FrozenUntil = time.Time{}
}

// stillBreaches says that what a request was made for breaches by now, and would lead
// to one by the policy in force.
func (c *Course) stillBreaches(now time.Time, request modelops.Request) bool {
	if request.Rule == modelops.RuleManual {
		return true
	}
	i, isKnown := c.watch.Number(request.Rule)
	if !isKnown || !c.policy.Rules[i].CanTrigger() {
		return false
	}
	moment := c.watch.Stood(now, request.ModelVersion)
	return moment != nil && moment.Findings[i].Verdict == verdict.Breaching // nil: its version is forgotten
}
