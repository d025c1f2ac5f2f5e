package retraining

import "time"

// What a wake is for, as the summaries of timers name it.
const (
	WakeCooldown   = "cooldown"
	WakeBudget     = "budget"
	WakeRetraining = "retraining"
	WakeFreeze     = "freeze"
	WakeApproval   = "approval"
)

// Wakes tells of the instants after now at which time alone changes something of the
// course: each part of it is asked.
func (c *Course) Wakes(now time.Time, wake func(what string, at time.Time)) {
	isStopping := c.all.Stop != nil
	if until := c.CooldownUntil(); !isStopping && now.Before(until) {
		wake(WakeCooldown, until)
	}
	if until := c.BudgetUntil(); !isStopping && now.Before(until) {
		wake(WakeBudget, until)
	}
	if flight := c.all.Flight; flight != nil {
		wake(WakeRetraining, flight.Deadline)
		if now.Before(flight.FrozenUntil) {
			wake(WakeFreeze, flight.FrozenUntil)
		}
	}
	if c.all.Pending != nil && !isStopping {
		wake(WakeApproval, c.AnsweredAt(now))
	}
}
