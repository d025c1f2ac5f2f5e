package retraining

import (
	"errors"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// CanCancel says why there is no retraining to cancel, or nil.
func (c *Course) CanCancel() error {
	if c.all.Flight == nil {
		return errors.New("no retraining is in flight")
	}
	return nil
}

// Cancel ends the retraining in flight at an operator's word, which CanCancel must
// have allowed, and returns its request id. The backend is told to end it.
func (c *Course) Cancel(now time.Time, control Control) string {
	flight := c.all.Flight
	c.cancelJob(flight)
	c.endFlight(clock.Plain(now), control.Reason, control.By)
	return flight.RequestID
}

// endFlight ends the retraining in flight before its outcome. One that a freeze holds
// has not gone out: it takes the cooldown that it started with it, and costs none of the
// budget.
func (c *Course) endFlight(now time.Time, reason, by string) {
	flight := c.all.Flight
	c.all.Flight = nil
	if !flight.FrozenUntil.IsZero() {
		c.all.LastTrigger = flight.LastTrigger
		c.all.WentOut = c.all.WentOut.withoutLast()
	}

	done := finished{RequestID: flight.RequestID, Kind: policy.Cancelled, Rule: flight.Rule, ModelVersion: flight.ModelVersion}
	c.all.Recent = journal.KeepLast(append(c.all.Recent, done), maxRecent)
	done.By = by
	c.record(now, policy.Cancelled, done, reason, "")
}

// Cancelling is a retraining that its backend is to be told to end.
type Cancelling struct {
	modelops.Request               // without its params
	Backend          string        `json:"backend,omitempty"`
	Job              *modelops.Job `json:"job,omitempty"` // nil where the backend has not answered
}

// maxCancelling bounds the retrainings whose backends are not told yet.
const maxCancelling = 5

func (c *Course) cancelJob(flight *Flight) {
	told := Cancelling{Request: flight.Request, Backend: flight.Backend, Job: flight.Job}
	told.Params = nil
	c.all.Cancelling = journal.KeepLast(append(c.all.Cancelling, told), maxCancelling)
}

// CancelTold says that a backend was told to end a retraining, or why it could
// not be.
func (c *Course) CancelTold(now time.Time, requestID string, err error) {
	i := slices.IndexFunc(c.all.Cancelling, func(told Cancelling) bool { return told.RequestID == requestID })
	if i < 0 {
		return
	}

	request := c.all.Cancelling[i].Request
	c.all.Cancelling = slices.Delete(c.all.Cancelling, i, i+1)
	if err != nil {
		d := decisionOf(clock.Plain(now), policy.CancelFailed, request)
		d.Reason = err.Error()
		c.journal.Decide(d)
	}
}
