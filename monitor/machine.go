package monitor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Phase is what a monitor is doing, derived from its state.
type Phase string

// The phases; the first that holds.
const (
	PhaseStopping    Phase = "stopping"     // ends when its retraining in flight is recorded
	PhasePaused      Phase = "paused"       // counts, but triggers nothing by itself
	PhaseRetraining  Phase = "retraining"   // a retraining is in flight
	PhaseCoolingDown Phase = "cooling_down" // less than the cooldown since the last trigger
	PhaseWatching    Phase = "watching"
)

// Machine decides. It is pure and deterministic: the same inputs, with the same
// clock, give the same state, in one run or cut anywhere by a round trip of
// State through JSON. What it wants done follows from its state; see Wants.
type Machine struct {
	// OnDecision, where set, hears of each decision as it falls.
	OnDecision func(Decision)
	// OnRejection, where set, hears of each input that is refused.
	OnRejection func(Rejection)

	state State
}

// NewMachine returns the machine of a model that was never watched before. The
// policy must be valid. requestBase is what its request ids begin with; it must
// differ from that of every earlier monitor of the model.
func NewMachine(modelName, requestBase string, policy Policy) *Machine {
	return &Machine{state: State{
		Version: StateVersion, ModelName: modelName, RequestBase: requestBase, Policy: policy.WithDefaults(),
	}}
}

// Restore returns the machine that goes on from a state.
func Restore(state State) *Machine { return &Machine{state: state} }

// State returns what the next run goes on from, within its bound. The machine
// must not be used after it.
func (m *Machine) State() State {
	m.state.fit()
	return m.state
}

// Observe judges one event. now is when it is handled.
func (m *Machine) Observe(now time.Time, event *MetricEvent) {
	now = m.clock(now)
	if m.isMine(now, SignalMetric, event.ModelName) {
		m.observe(now, DigestOf(event, now))
	}
}

// observe counts an observation and decides about it: the heart of modelvigil.
func (m *Machine) observe(now time.Time, observation *Digest) {
	m.count(observation)
	breach, breaches := m.state.Policy.Judge(observation)
	if !breaches {
		return
	}
	m.state.Counters.Breaches++
	reason := breach.Reason()
	if by := m.suppression(now, observation); by != "" {
		if m.state.Counters.Suppressed == nil {
			m.state.Counters.Suppressed = map[Suppression]int64{}
		}
		m.state.Counters.Suppressed[by]++
		m.decide(Decision{
			At: now, Kind: Suppressed, Rule: breach.Rule.Name, Reason: reason, ModelVersion: observation.ModelVersion,
			Value: Some(breach.Value), Threshold: Some(breach.Threshold), SuppressedBy: by, Count: 1,
		})
		return
	}
	m.trigger(now, RetrainingRequest{
		ModelVersion: observation.ModelVersion, Reason: reason, Rule: breach.Rule.Name, Metric: breach.Rule.Metric,
		Value: Some(breach.Value), Threshold: Some(breach.Threshold),
	}, "")
}

// suppression returns why a breach must not trigger, or "". What was folded
// before the cooldown's end is in cooldown even when it arrives later.
func (m *Machine) suppression(now time.Time, observation *Digest) Suppression {
	switch {
	case m.state.Stop != nil:
		return ByStopping
	case m.state.Pause != nil:
		return ByPause
	case observation.endsBefore(m.CooldownUntil(), now):
		return ByCooldown
	case m.state.Flight != nil:
		return ByFlight
	}
	return ""
}

// CooldownUntil is the first instant at which a breach triggers again; zero
// before the first trigger. It counts from the last trigger under the policy
// of today.
func (m *Machine) CooldownUntil() time.Time {
	if m.state.LastTrigger.IsZero() {
		return time.Time{}
	}
	return m.state.LastTrigger.Add(time.Duration(m.state.Policy.Cooldown.Or(Duration(DefaultCooldown))))
}

// Phase returns the first phase that holds at now.
func (m *Machine) Phase(now time.Time) Phase {
	switch {
	case m.state.Stop != nil:
		return PhaseStopping
	case m.state.Pause != nil:
		return PhasePaused
	case m.state.Flight != nil:
		return PhaseRetraining
	case now.Before(m.CooldownUntil()):
		return PhaseCoolingDown
	}
	return PhaseWatching
}

// CountSignal counts a signal, whatever it holds.
func (m *Machine) CountSignal() { m.state.Counters.Signals++ }

// Reject counts an input that could not be taken, and keeps why.
func (m *Machine) Reject(now time.Time, source string, why error, payload []byte) {
	m.state.Counters.Rejected++
	payload = payload[:min(len(payload), maxPayloadBytes+1)] // it may be megabytes, of thousands of faults
	rejection := Rejection{
		At: m.clock(now), Source: cut(source, MaxMetricNameBytes),
		Reason: cut(why.Error(), maxRejectionBytes), Payload: cut(string(payload), maxPayloadBytes),
	}
	if m.OnRejection != nil {
		m.OnRejection(rejection)
	}
	m.state.Rejections = keepLast(append(m.state.Rejections, rejection), maxRejections)
}

// isMine rejects what is meant for another model.
func (m *Machine) isMine(now time.Time, source, modelName string) bool {
	if modelName == m.state.ModelName {
		return true
	}
	m.Reject(now, source, fmt.Errorf("model_name: this is the monitor of %q, got %q; send it to %s",
		m.state.ModelName, modelName, WorkflowID(modelName)), nil)
	return false
}

// Tick lets time pass: a retraining whose deadline has come has timed out.
func (m *Machine) Tick(now time.Time) {
	now = m.clock(now)
	if flight := m.state.Flight; flight != nil && !now.Before(flight.Deadline) {
		took := flight.Deadline.Sub(flight.TriggeredAt)
		m.land(now, TimedOut, fmt.Sprintf("no outcome within %s", Duration(took)), flight.ModelVersion)
	}
}

// NextWake is the earliest instant at which time alone, given to Tick, would
// change something; ok is false while there is none.
func (m *Machine) NextWake() (at time.Time, ok bool) {
	for _, wake := range m.Wants(time.Time{}).Wakes {
		if !ok || wake.At.Before(at) {
			at, ok = wake.At, true
		}
	}
	return at, ok
}

// SetPolicy puts a valid policy in force. Its cooldown counts from the last
// trigger; a retraining in flight keeps the settings it was started with. The
// policy that is in force already is no change.
func (m *Machine) SetPolicy(now time.Time, policy Policy) {
	policy = policy.WithDefaults()
	if policy.equal(m.state.Policy) {
		return
	}
	m.state.Policy = policy
	m.decide(Decision{At: m.clock(now), Kind: PolicyChanged})
}

// PauseBy stops automatic triggers until ResumeBy; pausing again is no change.
func (m *Machine) PauseBy(now time.Time, control Control) {
	if m.state.Pause == nil {
		m.state.Pause = m.told(now, control, Paused)
	}
}

// ResumeBy ends a pause; without one it is no change.
func (m *Machine) ResumeBy(now time.Time, control Control) {
	if m.state.Pause != nil {
		m.state.Pause = nil
		m.told(now, control, Resumed)
	}
}

// StopBy ends the monitor once its retraining in flight is recorded.
func (m *Machine) StopBy(now time.Time, control Control) {
	if m.state.Stop == nil {
		m.state.Stop = m.told(now, control, Stopped)
	}
}

func (m *Machine) told(now time.Time, control Control, kind Kind) *Control {
	control.At, control.Force = m.clock(now), false
	m.decide(Decision{At: control.At, Kind: kind, Reason: control.Reason, By: control.By})
	return &control
}

// CanRetrain says why an operator's retraining can't start now, or nil. A pause
// does not stand in its way: it holds back the monitor, not the operator.
func (m *Machine) CanRetrain(now time.Time, control Control) error {
	switch until := m.CooldownUntil(); {
	case m.state.Stop != nil:
		return errors.New("the monitor is stopping")
	case m.state.Flight != nil:
		return fmt.Errorf("retraining %s is in flight since %s; wait for its outcome",
			m.state.Flight.RequestID, m.state.Flight.TriggeredAt.Format(time.RFC3339))
	case !control.Force && now.Before(until):
		return fmt.Errorf("in cooldown until %s; use force to retrain now", until.Format(time.RFC3339))
	}
	return nil
}

// Retrain starts a retraining at an operator's word, which CanRetrain must have
// allowed, and returns its request id. It restarts the cooldown.
func (m *Machine) Retrain(now time.Time, control Control) string {
	latest, seen := "", time.Time{}
	for _, name := range sortedKeys(m.state.Versions) {
		if v := m.state.Versions[name]; !v.LastSeen.Before(seen) {
			latest, seen = name, v.LastSeen
		}
	}
	reason := control.Reason
	if reason == "" {
		reason = "asked for by hand"
	}
	return m.trigger(m.clock(now), RetrainingRequest{ModelVersion: latest, Reason: reason, Rule: RuleManual}, control.By)
}

// Recall returns the answer that an update of this id got, if it was handled.
func (m *Machine) Recall(updateID string) (UpdateResult, bool) {
	for _, update := range m.state.Updates {
		if update.ID == updateID {
			return update.Result, true
		}
	}
	return UpdateResult{}, false
}

// Remember keeps an update's answer for when the same id comes again.
func (m *Machine) Remember(updateID string, result UpdateResult) {
	m.state.Updates = keepLast(append(m.state.Updates, UpdateRecord{updateID, result}), maxUpdates)
}

// clock strips what does not survive JSON, so that a cut changes nothing.
func (m *Machine) clock(now time.Time) time.Time { return now.Round(0).UTC() }

func sortedKeys[V any](all map[string]V) []string { return slices.Sorted(maps.Keys(all)) }
