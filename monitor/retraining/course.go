// Package retraining is the course of a model's retrainings: which is in flight, which
// waits for an operator's word, what became of the last ones, how the version that one
// has made is verified, and what holds further ones back.
package retraining

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/watch"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Retrainings are what a monitor's state has of them.
type Retrainings struct {
	LastTrigger  time.Time          `json:"last_trigger,omitzero"` // or the last answer that there shall be none
	LastDryRun   time.Time          `json:"last_held,omitzero"`    // the last that there would have been but for a dry run
	WentOut      instants           `json:"went_out,omitempty"`    // when retrainings went out, for a budget
	DryRunAt     instants           `json:"held_at,omitempty"`     // when one would have, but for a dry run
	Failures     int                `json:"failures,omitempty"`    // in a row
	Pending      *Pending           `json:"pending,omitempty"`
	Verification *Verification      `json:"verification,omitempty"`
	Calendar     *calendar.Calendar `json:"calendar,omitempty"` // of the policy's blackouts and schedules
	Cancelling   []Cancelling       `json:"cancelling,omitempty"`
	Pause        *Control           `json:"pause,omitempty"`
	Stop         *Control           `json:"stop,omitempty"`
	Flight       *Flight            `json:"flight,omitempty"`
	Backend      string             `json:"backend,omitempty"` // that took the last retraining
	Recent       []finished         `json:"recent,omitempty"`
}

// Course takes the word of operators and of backends, and lets triggers go out.
type Course struct {
	all         *Retrainings
	policy      *policy.Policy
	journal     *journal.Journal
	watch       *watch.Watch
	modelName   string
	requestBase string
	cooldown    time.Duration
	verifies    []bool // which rules have a say in a verification; nil where the policy asks for none
}

// Open begins to go on with the retrainings of a model, by the policy that is in force.
// Request ids begin with requestBase.
func (c *Course) Open(all *Retrainings, modelName, requestBase string, policy *policy.Policy, j *journal.Journal, w *watch.Watch) {
	*c = Course{all: all, policy: policy, journal: j, watch: w, modelName: modelName, requestBase: requestBase}
	c.AdoptPolicy()
}

// AdoptPolicy goes on with other rules: the policy has changed.
func (c *Course) AdoptPolicy() {
	c.cooldown = time.Duration(c.policy.Cooldown.Or(policy.Duration(policy.DefaultCooldown)))
	c.verifies = nil
	if v := c.policy.Verify; v != nil {
		c.verifies = c.policy.Verifiable(v.Length())
	}
}

// Ask lets a trigger go out, but for two reasons: the policy is a dry run, or wants an
// operator's word.
func (c *Course) Ask(now time.Time, request modelops.Request, by string) (requestID string) {
	switch p := c.policy; {
	case p.DryRun:
		c.all.LastDryRun = now
		c.all.DryRunAt = c.all.DryRunAt.with(now)
		c.journal.CountSuppressed(journal.ByDryRun)
		c.journal.Decide(decisionOf(now, policy.Held, request))
		return ""
	case p.AsksApproval():
		until := now.Add(time.Duration(p.Approval.Timeout.Or(policy.Duration(policy.DefaultApprovalTimeout))))
		c.all.Pending = &Pending{Request: request, By: by, Since: now, Until: until}
		d := decisionOf(now, policy.AwaitingApproval, request)
		d.By = by
		c.journal.DecideUntil(d, until)
		return ""
	}

	return c.trigger(now, request, by)
}

// CooldownUntil is the first instant at which a breach triggers again; zero
// before the first trigger. It counts from the last trigger under the policy
// of today; in a dry run, from what would have been the last trigger too.
func (c *Course) CooldownUntil() time.Time {
	from := c.cooldownFrom()
	if from.IsZero() {
		return time.Time{}
	}
	return from.Add(c.cooldown)
}

// cooldownFrom is the trigger from which the cooldown counts; zero before any.
func (c *Course) cooldownFrom() time.Time {
	if c.policy.DryRun {
		return clock.Later(c.all.LastTrigger, c.all.LastDryRun)
	}
	return c.all.LastTrigger
}

// Cooldown is the policy's, as ages and silences go by it.
func (c *Course) Cooldown() watch.Cooldown {
	return watch.Cooldown{From: c.cooldownFrom(), Length: c.cooldown}
}
