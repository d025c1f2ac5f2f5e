package retraining

import (
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// Pending is a trigger that waits for an operator's word.
type Pending struct {
	modelops.Request           // without a request id yet
	By               string    `json:"by,omitempty"` // the operator who asked for it
	Since            time.Time `json:"since"`
	Until            time.Time `json:"until"` // when no answer is one too
}

// decisionOf is a decision about a request.
func decisionOf(now time.Time, kind policy.Kind, request modelops.Request) journal.Decision {
	return journal.Decision{
		At: now, Kind: kind, Rule: request.Rule, Reason: request.Reason, ModelVersion: request.ModelVersion,
		Value: metric.FromPointer(request.Value), Threshold: metric.FromPointer(request.Threshold), RequestID: request.RequestID,
	}
}

// CanAnswer says why there is nothing to approve or reject, or nil.
func (c *Course) CanAnswer(approve bool) error {
	switch {
	case c.all.Pending == nil:
		return errors.New("no trigger waits for approval")
	case approve && c.all.Pause != nil:
		return fmt.Errorf("paused since %s by %s; resume it first", c.all.Pause.At.Format(time.RFC3339), orNobody(c.all.Pause.By))
	case approve && c.policy.DryRun:
		return errors.New("the policy is a dry run, which asks for nothing; apply one without dry_run first")
	case approve && c.all.Stop != nil:
		return errors.New("the monitor is stopping")
	}

	return nil
}

// Approve lets the pending trigger go out, which CanAnswer must have allowed, and
// returns its request id.
func (c *Course) Approve(now time.Time, control Control) string {
	now = clock.Plain(now)
	pending := c.all.Pending
	c.all.Pending = nil
	d := decisionOf(now, policy.Approved, pending.Request)
	d.Reason = control.Reason
	d.By = control.By
	c.journal.Decide(d)
	return c.trigger(now, pending.Request, pending.By)
}

// RejectPending drops the pending trigger, which CanAnswer must have allowed. The
// cooldown starts, so that the same question isn't asked at once.
func (c *Course) RejectPending(now time.Time, control Control) {
	c.turnDown(clock.Plain(now), control.Reason, control.By)
}

func (c *Course) turnDown(now time.Time, reason, by string) {
	pending := c.all.Pending
	c.all.Pending = nil
	c.all.LastTrigger = now
	d := decisionOf(now, policy.ApprovalRejected, pending.Request)
	d.Reason = reason
	d.By = by
	c.journal.Decide(d)
}

// AnsweredAt is when no answer to a pending trigger is one too: when its time is
// over, or at once where a policy since then asks nobody. To go out it waits for the
// end of a blackout: nobody's word is none for a retraining in one.
func (c *Course) AnsweredAt(now time.Time) time.Time {
	pending, p := c.all.Pending, c.policy
	at := pending.Until
	if !p.AsksApproval() && c.all.Pause == nil {
		at = clock.Earlier(at, now)
	}
	if end, in := c.all.Calendar.At(now); in && !now.Before(at) && p.ApprovesByItself() {
		return end
	}
	return at
}

// AnswerDue answers a pending trigger that nobody has answered in time.
func (c *Course) AnswerDue(now time.Time) {
	pending := c.all.Pending
	if pending == nil || now.Before(c.AnsweredAt(now)) {
		return
	}

	why := fmt.Sprintf("no answer within %s", policy.Duration(pending.Until.Sub(pending.Since)))
	err := c.CanAnswer(true)
	switch p := c.policy; {
	case !p.ApprovesByItself():
		c.turnDown(now, why, "")
	case err != nil:
		c.turnDown(now, fmt.Sprintf("%s, and %v", why, err), "")
	case !p.AsksApproval():
		c.Approve(now, Control{Reason: "the policy asks nobody any more"})
	default:
		c.Approve(now, Control{Reason: why + ", and the policy says to go on"})
	}
}
