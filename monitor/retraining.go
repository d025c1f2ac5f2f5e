package monitor

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/policy"
)

// Flight is the retraining in flight.
type Flight struct {
	modelops.Request
	By       string        `json:"by,omitempty"`      // the operator who asked for it
	Backend  string        `json:"backend,omitempty"` // the policy's; empty means the worker's default
	Deadline time.Time     `json:"deadline"`          // when it times out
	Job      *modelops.Job `json:"job,omitempty"`     // once it is scheduled
	Priority int           `json:"priority,omitempty"`
	// CancelOnTimeout says that the backend is told to end it when it times out.
	CancelOnTimeout bool `json:"cancel_on_timeout,omitempty"`
	// IsHeld says that a freeze of the fleet has held it, and HeldUntil when it is
	// judged again.
	IsHeld    bool      `json:"is_held,omitempty"`
	HeldUntil time.Time `json:"held_until,omitzero"`
	// LastTrigger is the trigger before this one, from which the cooldown counts again
	// should this one never go out.
	LastTrigger time.Time `json:"last_trigger,omitzero"`
}

// DecodeOutcome reads the payload of a `retraining-outcome` signal.
func DecodeOutcome(payload []byte) (modelops.Outcome, error) {
	var o modelops.Outcome
	err := strict.Decode(payload, "", strict.Fields{
		"request_id": &o.RequestID, "state": &o.State, "message": &o.Message, "model_version": &o.ModelVersion,
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

const (
	maxRecent         = 20
	maxStatusURLBytes = 2048
)

// trigger puts a retraining in flight and starts the cooldown.
func (m *Machine) trigger(now time.Time, request modelops.Request, by string) string {
	s := &m.state
	s.Counters.Retrainings.Requested++
	request.RequestID = s.RequestBase + "/" + strconv.FormatInt(s.Counters.Retrainings.Requested, 10)
	request.ModelName = s.ModelName
	request.TriggeredAt = now
	request.Params = s.Policy.Retraining.Params
	s.Flight = &Flight{
		Request: request, By: by, Backend: s.Policy.Retraining.Backend,
		Deadline: now.Add(time.Duration(s.Policy.Retraining.Timeout.Or(policy.Duration(policy.DefaultTimeout)))),
		Priority: s.Policy.Retraining.Priority, CancelOnTimeout: s.Policy.Retraining.CancelOnTimeout,
		LastTrigger: s.LastTrigger,
	}
	s.LastTrigger = now
	m.decide(Decision{
		At: now, Kind: policy.Triggered, Rule: request.Rule, Reason: request.Reason, ModelVersion: request.ModelVersion,
		Value: metric.FromPointer(request.Value), Threshold: metric.FromPointer(request.Threshold), RequestID: request.RequestID, By: by,
	})
	return request.RequestID
}

// Scheduled says that a backend took a request. Where it can't be followed, the
// flight ends here. A request that is no longer in flight is passed over: its
// outcome was faster than the backend's answer.
func (m *Machine) Scheduled(now time.Time, requestID string, job modelops.Job) {
	flight := m.state.Flight
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
	m.dirty = true
	m.state.Backend = job.Backend
	if !job.Followed {
		m.land(m.clock(now), policy.Accepted, "scheduled by "+job.Backend, flight.ModelVersion)
	}
}

// Failed says that a request was refused for good, or can't be followed any
// more. A request that is no longer in flight is passed over.
func (m *Machine) Failed(now time.Time, requestID, message string) {
	if flight := m.state.Flight; flight != nil && flight.RequestID == requestID {
		m.land(m.clock(now), policy.Failed, message, flight.ModelVersion)
	}
}

// Outcome records how a retraining ended: the one in flight, or one of the last
// that was accepted by a backend that can't be followed. One that fits none is
// counted and explained.
func (m *Machine) Outcome(now time.Time, outcome modelops.Outcome) {
	now = m.clock(now)
	kind := policy.Failed
	if outcome.State == modelops.Succeeded {
		kind = policy.Succeeded
	}
	if flight := m.state.Flight; flight != nil && flight.RequestID == outcome.RequestID {
		m.land(now, kind, outcome.Message, outcome.ModelVersion)
		return
	}

	for i := range m.state.Recent {
		recent := &m.state.Recent[i]
		switch {
		case recent.RequestID != outcome.RequestID:
			continue
		case recent.Kind == policy.Accepted:
			recent.Kind = kind
			if kind == policy.Failed {
				m.state.Failures += recent.Failures
			}
			m.record(now, kind, *recent, outcome.Message, outcome.ModelVersion)
		case recent.Kind != kind:
			m.Reject(now, contract.SignalRetrainingOutcome, fmt.Errorf("request_id: %s is recorded as %s already, this says %s",
				plain.Cut(outcome.RequestID, policy.MaxTextBytes), recent.Kind, kind), nil)
		}

		return
	}

	m.Reject(now, contract.SignalRetrainingOutcome, fmt.Errorf("request_id: %q is none of the last %d retrainings of this monitor",
		plain.Cut(outcome.RequestID, policy.MaxTextBytes), maxRecent), nil)
}

// land ends the flight.
func (m *Machine) land(now time.Time, kind policy.Kind, message, modelVersion string) {
	flight := m.state.Flight
	m.state.Flight = nil
	done := finished{RequestID: flight.RequestID, Kind: kind, Rule: flight.Rule, ModelVersion: flight.ModelVersion}
	if kind == policy.Accepted {
		done.Failures = m.state.Failures
		m.state.Failures = 0
	}
	m.state.Recent = keepLast(append(m.state.Recent, done), maxRecent)
	if kind == policy.Accepted || kind == policy.Succeeded {
		m.forgetChanges(flight.TriggeredAt)
	}
	m.record(now, kind, done, message, modelVersion)
}

func (m *Machine) record(now time.Time, kind policy.Kind, done finished, message, modelVersion string) {
	counters := &m.state.Counters.Retrainings
	named := modelVersion
	if modelVersion == "" {
		modelVersion = done.ModelVersion
	}
	d := Decision{At: now, Kind: kind, Rule: done.Rule, Reason: message, ModelVersion: modelVersion, RequestID: done.RequestID, By: done.By}
	m.decide(d)
	switch kind {
	case policy.Accepted:
		counters.Accepted++
		m.state.LastSuccess = now
	case policy.Succeeded:
		counters.Succeeded++
		m.state.LastSuccess = now
		m.supersede(done.ModelVersion, named)
		m.verify(now, done.RequestID, named)
	case policy.Cancelled:
		counters.Cancelled++
	default:
		counters.Failed++
		m.countFailure(now)
	}
}

// supersede says that a retraining which one version triggered has made another.
func (m *Machine) supersede(old, made string) {
	if made == "" || made == old {
		return
	}
	if v := m.state.Versions[made]; v != nil {
		v.SupersededBy = ""
	}
	if v := m.state.Versions[old]; v != nil {
		v.SupersededBy = made
	}
}

// CanCancel says why there is no retraining to cancel, or nil.
func (m *Machine) CanCancel() error {
	if m.state.Flight == nil {
		return errors.New("no retraining is in flight")
	}
	return nil
}

// Cancel ends the retraining in flight at an operator's word, which CanCancel must
// have allowed, and returns its request id. The backend is told to end it.
func (m *Machine) Cancel(now time.Time, control Control) string {
	flight := m.state.Flight
	m.cancelJob(flight)
	m.endFlight(m.clock(now), control.Reason, control.By)
	return flight.RequestID
}

// endFlight ends the retraining in flight before its outcome. One that a freeze holds
// has not gone out, and takes the cooldown that it started with it.
func (m *Machine) endFlight(now time.Time, reason, by string) {
	flight := m.state.Flight
	m.state.Flight = nil
	if !flight.HeldUntil.IsZero() {
		m.state.LastTrigger = flight.LastTrigger
	}

	done := finished{RequestID: flight.RequestID, Kind: policy.Cancelled, Rule: flight.Rule, ModelVersion: flight.ModelVersion}
	m.state.Recent = keepLast(append(m.state.Recent, done), maxRecent)
	done.By = by
	m.record(now, policy.Cancelled, done, reason, "")
}

// Cancelling is a retraining that its backend is to be told to end.
type Cancelling struct {
	modelops.Request               // without its params
	Backend          string        `json:"backend,omitempty"`
	Job              *modelops.Job `json:"job,omitempty"` // nil where the backend has not answered
}

// maxCancelling bounds the retrainings whose backends are not told yet.
const maxCancelling = 5

func (m *Machine) cancelJob(flight *Flight) {
	c := Cancelling{Request: flight.Request, Backend: flight.Backend, Job: flight.Job}
	c.Params = nil
	m.state.Cancelling = keepLast(append(m.state.Cancelling, c), maxCancelling)
}

// CancelTold says that a backend was told to end a retraining, or why it could
// not be.
func (m *Machine) CancelTold(now time.Time, requestID string, err error) {
	for i, c := range m.state.Cancelling {
		if c.RequestID != requestID {
			continue
		}
		m.state.Cancelling = slices.Delete(m.state.Cancelling, i, i+1)
		if err != nil {
			d := decisionOf(m.clock(now), policy.CancelFailed, c.Request)
			d.Reason = err.Error()
			m.decide(d)
		}
		return
	}
}
