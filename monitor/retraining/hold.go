package retraining

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// heldFor is after how long a held retraining is judged again.
const heldFor = time.Minute

// Hold says that a freeze of the fleet keeps a request from going out. The
// retraining stays in flight; after heldFor it is judged again, and asked for
// again if its rule still breaches.
func (c *Course) Hold(now time.Time, requestID, reason string) {
	flight := c.all.Flight
	if flight == nil || flight.RequestID != requestID || flight.Job != nil {
		return
	}

	now = clock.Plain(now)
	if !flight.IsHeld {
		d := decisionOf(now, policy.Held, flight.Request)
		d.Reason = reason
		c.journal.Decide(d)
	}

	flight.IsHeld = true
	flight.HeldUntil = now.Add(heldFor)
	flight.Deadline = flight.Deadline.Add(heldFor) // waiting is none of its own time
}

// JudgeHeld lets a held retraining go on when its time has come, if what it was
// triggered by still breaches.
func (c *Course) JudgeHeld(now time.Time) {
	flight := c.all.Flight
	if flight == nil || flight.HeldUntil.IsZero() || now.Before(flight.HeldUntil) {
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

	flight.HeldUntil = time.Time{}
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
	j := c.watch.Stood(now, request.ModelVersion)
	return j != nil && j.Findings[i].Verdict == verdict.Breaching // nil: its version is forgotten
}
