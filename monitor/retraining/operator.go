package retraining

import (
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// CanRetrain says why an operator's retraining can't start now, or nil. Pause,
// dry run and a retraining in flight always stand in its way; a cooldown, a
// blackout, a budget that is used up and a trigger that waits for approval do unless it
// is forced.
func (c *Course) CanRetrain(now time.Time, control Control) error {
	until := c.CooldownUntil()
	blackoutEnd, inBlackout := c.all.Calendar.At(clock.Plain(now))
	switch {
	case c.all.Stop != nil:
		return errors.New("the monitor is stopping")
	case c.all.Pause != nil:
		return fmt.Errorf("paused since %s by %s; resume it first", c.all.Pause.At.Format(time.RFC3339), orNobody(c.all.Pause.By))
	case c.policy.DryRun:
		return errors.New("the policy is a dry run, which asks for nothing; apply one without dry_run first")
	case c.all.Flight != nil:
		return fmt.Errorf("retraining %s is in flight since %s; wait for its outcome or cancel it",
			c.all.Flight.RequestID, c.all.Flight.TriggeredAt.Format(time.RFC3339))
	case control.Force:
		return nil
	case now.Before(until):
		return fmt.Errorf("in cooldown until %s; use force to retrain now", until.Format(time.RFC3339))
	case c.all.Pending != nil:
		return fmt.Errorf("a trigger waits for approval since %s; approve or reject it, or use force", c.all.Pending.Since.Format(time.RFC3339))
	case inBlackout:
		return fmt.Errorf("in a blackout until %s; use force to retrain now", blackoutEnd.Format(time.RFC3339))
	case now.Before(c.BudgetUntil()):
		return fmt.Errorf("%s; use force to retrain now", c.usedUp())
	}

	return nil
}

func orNobody(by string) string {
	if by == "" {
		return "somebody who gave no name"
	}
	return by
}

// Retrain starts a retraining at an operator's word, which CanRetrain must have
// allowed, and returns its request id; "" where it waits for approval, which an
// unforced one does if the policy asks for it. It restarts the cooldown.
func (c *Course) Retrain(now time.Time, control Control) string {
	now = clock.Plain(now)
	reason := control.Reason
	if reason == "" {
		reason = "asked for by hand"
	}
	request := modelops.Request{ModelVersion: c.watch.Latest(), Reason: reason, Rule: modelops.RuleManual}
	if !control.Force {
		return c.Ask(now, request, control.By)
	}

	if pending := c.all.Pending; pending != nil {
		c.all.Pending = nil
		d := decisionOf(now, policy.Approved, pending.Request)
		d.Reason = "overridden by a forced retraining"
		d.By = control.By
		c.journal.Decide(d)
	}

	return c.trigger(now, request, control.By)
}

// PauseBy stops automatic triggers until ResumeBy; pausing again is no change.
func (c *Course) PauseBy(now time.Time, control Control) {
	if c.all.Pause == nil {
		c.all.Pause = c.told(now, control, policy.Paused)
	}
}

// ResumeBy ends a pause, and closes the circuit if that is who paused; without one it is no change.
func (c *Course) ResumeBy(now time.Time, control Control) {
	if c.all.Pause != nil {
		if c.all.Pause.By == ByCircuit {
			c.endRow()
		}
		c.all.Pause = nil
		c.told(now, control, policy.Resumed)
	}
}

// StopBy ends the monitor once its retraining in flight is recorded.
func (c *Course) StopBy(now time.Time, control Control) {
	if c.all.Stop == nil {
		c.all.Stop = c.told(now, control, policy.Stopped)
		c.all.Pending = nil
	}
}

func (c *Course) told(now time.Time, control Control, kind policy.Kind) *Control {
	control.At = clock.Plain(now)
	control.Force = false
	c.journal.Decide(journal.Decision{At: control.At, Kind: kind, Reason: control.Reason, By: control.By})
	return &control
}
