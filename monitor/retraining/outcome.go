package retraining

import (
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// finished is what is remembered of a retraining whose flight has ended, so
// that a pipeline's late word can be matched.
type finished struct {
	RequestID    string      `json:"request_id"`
	Kind         policy.Kind `json:"kind"` // Accepted until its outcome is known
	Rule         string      `json:"rule,omitempty"`
	ModelVersion string      `json:"model_version,omitempty"`
	// Failures is how many had failed in a row before this one was accepted. Should its
	// pipeline say later that it failed, too, they are a row again.
	Failures int    `json:"failures,omitempty"`
	By       string `json:"-"` // who ended it
}

// maxRecent is how many retrainings are remembered beside the one in flight.
const maxRecent = 20

// DecodeOutcome reads the payload of a `retraining-outcome` signal.
func DecodeOutcome(payload []byte) (modelops.Outcome, error) {
	var o modelops.Outcome
	err := strict.Decode(payload, "", strict.Fields{
		"request_id": &o.RequestID, "state": &o.State, "message": &o.Message, "model_version": (*strict.TextOrNumber)(&o.ModelVersion),
	})
	if err != nil {
		return o, err
	}

	if o.State != modelops.Succeeded && o.State != modelops.Failed {
		err = strict.At("state", fmt.Errorf("must be %q or %q, got %q", modelops.Succeeded, modelops.Failed, plain.Cut(string(o.State), 40)))
	}
	if o.RequestID == "" {
		err = errors.Join(err, strict.At("request_id", errors.New("is missing")))
	}
	return o, errors.Join(err, strict.At("model_version", metric.CheckName(o.ModelVersion, 0, metric.MaxModelVersionBytes)))
}

// Outcome records how a retraining ended: the one in flight, or one of the last
// that was accepted by a backend that can't be followed. One that fits none is
// counted and explained.
func (c *Course) Outcome(now time.Time, outcome modelops.Outcome) {
	now = clock.Plain(now)
	kind := policy.Failed
	if outcome.State == modelops.Succeeded {
		kind = policy.Succeeded
	}
	if flight := c.all.Flight; flight != nil && flight.RequestID == outcome.RequestID {
		c.land(now, kind, outcome.Message, outcome.ModelVersion)
		return
	}

	for i := range c.all.Recent {
		recent := &c.all.Recent[i]
		switch {
		case recent.RequestID != outcome.RequestID:
			continue
		case recent.Kind == policy.Accepted:
			recent.Kind = kind
			if kind == policy.Failed {
				c.all.Failures += recent.Failures
			}
			c.record(now, kind, *recent, outcome.Message, outcome.ModelVersion)
		case recent.Kind != kind:
			c.journal.Reject(now, contract.SignalRetrainingOutcome, fmt.Errorf("request_id: %s is recorded as %s already, this says %s",
				plain.Cut(outcome.RequestID, policy.MaxTextBytes), recent.Kind, kind), nil)
		}

		return
	}

	c.journal.Reject(now, contract.SignalRetrainingOutcome, fmt.Errorf("request_id: %q is none of the last %d retrainings of this monitor",
		plain.Cut(outcome.RequestID, policy.MaxTextBytes), maxRecent), nil)
}

// land ends the flight.
func (c *Course) land(now time.Time, kind policy.Kind, message, modelVersion string) {
	flight := c.all.Flight
	c.all.Flight = nil
	done := finished{RequestID: flight.RequestID, Kind: kind, Rule: flight.Rule, ModelVersion: flight.ModelVersion}
	if kind == policy.Accepted {
		done.Failures = c.all.Failures
		c.all.Failures = 0
	}
	c.all.Recent = journal.KeepLast(append(c.all.Recent, done), maxRecent)
	if kind == policy.Accepted || kind == policy.Succeeded {
		c.watch.ForgetChanges(flight.TriggeredAt)
	}
	c.record(now, kind, done, message, modelVersion)
}

func (c *Course) record(now time.Time, kind policy.Kind, done finished, message, modelVersion string) {
	counters := c.journal.RetrainingCounters()
	named := modelVersion
	if modelVersion == "" {
		modelVersion = done.ModelVersion
	}
	d := journal.Decision{At: now, Kind: kind, Rule: done.Rule, Reason: message, ModelVersion: modelVersion, RequestID: done.RequestID, By: done.By}
	c.journal.Decide(d)
	switch kind {
	case policy.Accepted:
		counters.Accepted++
		c.watch.Retrained(now)
	case policy.Succeeded:
		counters.Succeeded++
		c.watch.Retrained(now)
		c.watch.Supersede(done.ModelVersion, named)
		c.verify(now, done.RequestID, named)
	case policy.Cancelled:
		counters.Cancelled++
	default:
		counters.Failed++
		c.countFailure(now)
	}
}
