package retraining

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/policy"
)

// Flight is the retraining in flight.
type Flight struct {
	modelops.Request
	By       string    `json:"by,omitempty"`      // the operator who asked for it
	Backend  string    `json:"backend,omitempty"` // the policy's; empty means the worker's default
	Deadline time.Time `json:"deadline"`          // when it times out
	// Timeout is the policy's, which its deadline is later by than the trigger, unless a
	// freeze has put it off.
	Timeout  policy.Duration `json:"timeout,omitempty"`
	Job      *modelops.Job   `json:"job,omitempty"` // once it is scheduled
	Priority int             `json:"priority,omitempty"`
	// CancelOnTimeout says that the backend is told to end it when it times out.
	CancelOnTimeout bool `json:"cancel_on_timeout,omitempty"`
	// IsFrozen says that a freeze of the fleet has kept it from going out, and FrozenUntil when it is
	// judged again.
	IsFrozen    bool      `json:"is_held,omitempty"`
	FrozenUntil time.Time `json:"held_until,omitzero"`
	// LastTrigger is the trigger before this one, from which the cooldown counts again
	// should this one never go out.
	LastTrigger time.Time `json:"last_trigger,omitzero"`
}

// maxStatusURLBytes bounds where a job is asked after.
const maxStatusURLBytes = 2048

// trigger puts a retraining in flight and starts the cooldown.
func (c *Course) trigger(now time.Time, request modelops.Request, by string) string {
	counters := c.journal.RetrainingCounters()
	counters.Requested++
	request.RequestID = c.requestBase + "/" + strconv.FormatInt(counters.Requested, 10)
	request.ModelName = c.modelName
	request.TriggeredAt = now
	request.Params = c.policy.Retraining.Params
	timeout := c.policy.Retraining.Timeout.Or(policy.Duration(policy.DefaultTimeout))

	c.all.Flight = &Flight{
		Request: request, By: by, Backend: c.policy.Retraining.Backend,
		Deadline: now.Add(time.Duration(timeout)), Timeout: timeout,
		Priority: c.policy.Retraining.Priority, CancelOnTimeout: c.policy.Retraining.CancelOnTimeout,
		LastTrigger: c.all.LastTrigger,
	}
	c.all.LastTrigger = now
	c.all.WentOut = c.all.WentOut.with(now)

	d := decisionOf(now, policy.Triggered, request)
	d.By = by
	c.journal.Decide(d)
	return request.RequestID
}

// TakeJob takes what a backend says that took a request. Where it can't be followed, the
// flight ends here. A request that is no longer in flight is passed over: its
// outcome was faster than the backend's answer.
func (c *Course) TakeJob(now time.Time, requestID string, job modelops.Job) {
	flight := c.all.Flight
	if flight == nil || flight.RequestID != requestID {
		return
	}

	job.Backend = plain.Cut(job.Backend, metric.MaxNameBytes)
	job.ID = plain.Cut(job.ID, policy.MaxTextBytes)
	if len(job.StatusURL) > maxStatusURLBytes {
		job.StatusURL = ""
		job.Followed = false // a part of it would ask about something else
	}

	flight.Job = &job
	flight.Backend = job.Backend
	c.all.Backend = job.Backend
	if !job.Followed {
		c.land(clock.Plain(now), policy.Accepted, "scheduled by "+job.Backend, flight.ModelVersion)
	}
}

// TakeRefusal takes why a request was refused for good, or can't be followed any
// more. A request that is no longer in flight is passed over.
func (c *Course) TakeRefusal(now time.Time, requestID, message string) {
	if flight := c.all.Flight; flight != nil && flight.RequestID == requestID {
		c.land(clock.Plain(now), policy.Failed, message, flight.ModelVersion)
	}
}

// ExpireFlight ends a retraining whose outcome is not known by its deadline.
func (c *Course) ExpireFlight(now time.Time) {
	flight := c.all.Flight
	if flight == nil || now.Before(flight.Deadline) {
		return
	}
	if flight.CancelOnTimeout {
		c.cancelJob(flight)
	}
	// A flight that an older version put in state has no timeout.
	timeout := cmp.Or(flight.Timeout, policy.Duration(flight.Deadline.Sub(flight.TriggeredAt)))
	c.land(now, policy.TimedOut, fmt.Sprintf("no outcome within %s", timeout), flight.ModelVersion)
}
