package monitor

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/policy"
)

// Next is what time alone brings.
type Next struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // in words: the cooldown ends, …
}

// next tells what time brings after now, the earliest first.
func (m *Machine) next(now time.Time) (coming []Next) {
	m.wakes(now, func(what string, at time.Time) {
		coming = append(coming, Next{at, m.brings(what)})
	})
	slices.SortStableFunc(coming, func(a, b Next) int { return a.At.Compare(b.At) })
	return coming
}

// brings says in words what a wake is for.
func (m *Machine) brings(what string) string {
	s := &m.state
	switch what {
	case wakeCooldown:
		return "the cooldown ends; a breach from then on triggers"
	case wakeRetraining:
		return "the retraining in flight times out, unless its outcome is known by then"
	case wakeFreeze:
		return "the held retraining is judged again"
	case wakeApproval:
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
	case wakeBlackout:
		return "the blackout ends; what it has held back triggers, if it still breaches"
	default: // wakeNotices
		return "the monitor ends, whether its last notices are delivered or not"
	}
}

// What a wake is for, as the summaries of timers name it.
const (
	wakeCooldown     = "cooldown"
	wakeRetraining   = "retraining"
	wakeFreeze       = "freeze"
	wakeApproval     = "approval"
	wakeDatapoints   = "datapoints"
	wakeVerification = "verification"
	wakeAge          = "age or silence"
	wakeBlackout     = "blackout"
	wakeNotices      = "notices"
)
