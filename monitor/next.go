package monitor

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// Next is what time alone brings.
type Next struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // in words: the cooldown ends, …
}

// brings says in words what a wake is for.
func (s *State) brings(what string) string {
	switch what {
	case retraining.WakeCooldown:
		return "the cooldown ends; a breach from then on triggers"
	case retraining.WakeBudget:
		return fmt.Sprintf("the budget of %s has room for another; a breach from then on triggers", s.Policy.Budget)
	case retraining.WakeRetraining:
		return "the retraining in flight times out, unless its outcome is known by then"
	case retraining.WakeFreeze:
		return "the held retraining is judged again"
	case retraining.WakeApproval:
		if s.Policy.Approval != nil && s.Policy.Approval.OnTimeout == policy.ApproveOnTimeout {
			return "no answer by then approves the trigger that waits"
		}
		return "no answer by then rejects the trigger that waits"
	case wakeDatapoints:
		return "a period ends, and its datapoint is judged"
	case wakeVerification:
		return fmt.Sprintf("the verification of version %s ends", s.Verification.Version)
	case wakeAge:
		return "a rule on age or silence is due"
	case wakeSchedule:
		return "a schedule is due"
	case wakeCalendar:
		return "when schedules are due next is computed"
	case wakeBlackout:
		return "the blackout ends; what it has held back triggers, if it still breaches"
	default: // wakeNotices
		return "the monitor ends, whether its last notices are delivered or not"
	}
}

// What a wake is for, beside those of retrainings, as the summaries of timers name it.
const (
	wakeDatapoints   = "datapoints"
	wakeVerification = "verification"
	wakeAge          = "age or silence"
	wakeSchedule     = "schedule"
	wakeCalendar     = "calendar"
	wakeBlackout     = "blackout"
	wakeNotices      = "notices"
)

// noticesAfterStop is how long a monitor that stops waits for its last notices.
const noticesAfterStop = 30 * time.Second

// noticesUntil is until when a monitor that stops waits for its last notices.
func (s *State) noticesUntil() time.Time { return s.Stop.At.Add(noticesAfterStop) }

// awaitsNotices says that a monitor that stops has notices to deliver yet.
func (s *State) awaitsNotices(now time.Time) bool {
	return len(s.Notices) > 0 && now.Before(s.noticesUntil())
}
