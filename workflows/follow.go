package workflows

import (
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Follower goes along with a monitor while a history is replayed: it hears of each
// thing that the monitor's machine is given, in the order in which it is given and just
// after it, and may give the same to a machine of its own. What is given, when and in
// which order is decided by MonitorWorkflow's loop and nowhere else. It must not block,
// and must not change the machine.
type Follower func(now time.Time, machine *monitor.Machine, given Given)

// Given is a Begun, Computed, Bounded, Received, Updated, Reinstated, Stopped, Returned,
// Told or Passed.
type Given any

type (
	// Begun says that a run begins, with a machine of its own.
	Begun struct{}

	// Computed is the calendar that the machine wanted to know, as it was recorded.
	Computed struct {
		Wanted   calendar.Span
		Calendar *calendar.Calendar
		Err      error
	}

	// Bounded are the bounds of a drift rule that were found, as they were recorded.
	Bounded struct {
		Lacking monitor.LackingBounds
		Bounds  []drift.Bounds
	}

	// Received is a signal, which Receive hands to a machine.
	Received struct {
		Name string
		Raw  converter.RawValue
	}

	// Updated is an update, which the Update of its name carries out. Err says why the
	// machine refused it.
	Updated struct {
		Name string
		Raw  converter.RawValue
		Err  error
	}

	// Reinstated is what the look for the last monitor's policy has found, or why it
	// has found nothing.
	Reinstated struct {
		Last LastPolicy
		Err  error
	}

	// Stopped says that the workflow was cancelled, which Stop tells a machine.
	Stopped struct{}

	// Returned is what a call that asks for a retraining, or follows it, has come back
	// with: a job, an outcome, or the reason why there is neither.
	Returned struct {
		RequestID string
		Job       *modelops.Job
		Outcome   *modelops.Outcome
		IsFrozen  bool // it is not asked for yet
		Reason    string
	}

	// Told says that a backend was told to end a retraining, or why it was not.
	Told struct {
		RequestID string
		Err       error
	}

	// Passed says that the machine was told the time, after all that has arrived.
	Passed struct{}
)

// To gives it to a machine.
func (r *Returned) To(machine *monitor.Machine, now time.Time) {
	switch {
	case r.Job != nil:
		machine.TakeJob(now, r.RequestID, *r.Job)
	case r.Outcome != nil:
		machine.Outcome(now, *r.Outcome)
	case r.IsFrozen:
		machine.Freeze(now, r.RequestID, r.Reason)
	default:
		machine.TakeRefusal(now, r.RequestID, r.Reason)
	}
}

type followerKey struct{}

// WithFollower lets a follower hear what the monitor of ctx is given.
func WithFollower(ctx workflow.Context, f Follower) workflow.Context {
	return workflow.WithValue(ctx, followerKey{}, f)
}

// gave lets the follower, if there is one, hear what the machine has just been given.
func (m *monitorRun) gave(ctx workflow.Context, given Given) {
	if m.follower != nil {
		m.follower(workflow.Now(ctx), m.machine, given)
	}
}
