package retraining

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/watch"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Carry goes on by another policy, before that is put in force.
func (c *Course) Carry(wanted *policy.Policy) {
	c.carryVerification(wanted)
	if !strict.Equal(wanted.Clocks(), c.policy.Clocks()) {
		c.dropCalendar()
	}
	if wanted.DryRun != c.policy.DryRun {
		c.all.LastDryRun = time.Time{} // of another dry run
		c.all.DryRunAt = nil
	}
}

// dropCalendar lets the calendar be computed anew. What is known of zones stays until
// then: open periods go by it.
func (c *Course) dropCalendar() {
	zones := c.zones()
	c.all.Calendar = nil
	if zones != nil {
		c.all.Calendar = &calendar.Calendar{Zones: zones}
	}
}

// Reconsider takes back what waits for an operator's word where the policy that asked
// for it is no longer in force and this one would not ask.
func (c *Course) Reconsider(now time.Time, change *watch.Change) {
	pending := c.all.Pending
	if pending == nil {
		return
	}

	why := ""
	i, known := c.watch.Number(pending.Rule)
	switch isOther := pending.Rule != modelops.RuleManual && (!known || change.IsOther(i)); {
	case c.policy.DryRun:
		why = "the policy is a dry run now, which asks for nothing"
	case now.Before(c.CooldownUntil()):
		why = fmt.Sprintf("in cooldown until %s, by the policy applied", c.CooldownUntil().Format(time.RFC3339))
	case now.Before(c.BudgetUntil()):
		why = c.usedUp() + ", by the policy applied"
	case !isOther:
	case !c.stillBreaches(now, pending.Request):
		why = "it does not breach by the policy applied"
	default:
		pending.Request = c.watch.Stood(now, pending.ModelVersion).Request(i)
	}

	if why == "" {
		return
	}

	c.all.Pending = nil
	c.watch.ForgetActed()
	d := decisionOf(now, policy.ApprovalRejected, pending.Request)
	d.Reason = why
	c.journal.Decide(d)
}
