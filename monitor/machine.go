package monitor

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Machine decides. It is pure and deterministic: the same inputs, with the same
// clock, give the same state, in one run or cut anywhere by a round trip of
// State through JSON. What it wants done follows from its state; see Wants.
type Machine struct {
	// OnDecision, where set, hears of each decision that gets an entry in the log, as
	// it falls.
	OnDecision func(Decision)
	// OnRepeat, where set, hears of each decision that goes on a streak in the log.
	// They come as often as breaches do: Repeated has such a decision in words.
	OnRepeat func(kind policy.Kind, by Suppression)
	// Trace, where set, names the span of a decision; cause is that of the decision
	// which it follows from, or "".
	Trace func(cause string, d Decision) string
	// OnJudged, where set, hears of each rule's word on a version as it falls. What it
	// is shown is valid until it returns.
	OnJudged func(*Judgement)
	// OnRejection, where set, hears of each input that is refused, or of several of one
	// signal that are not explained.
	OnRejection func(why Rejection, count int64)
	// OnDigest, where set, hears of each digest that is counted.
	OnDigest func(now time.Time, d *metric.Digest)
	// OnBreath, where set, is called between two observations of one signal when the
	// machine has worked for some ten milliseconds since the last call.
	OnBreath func()

	state State
	compiled

	// What follows from the state, kept for speed.
	observation observation
	readings    []metric.Summary
	seen        *version // of seenName, the version last looked up
	seenName    string
	roll        *roll     // of the publishers; nil until one is heard
	forgetAt    time.Time // no publisher has been silent for too long until then
	wake        time.Time // when time alone changes something next; zero: never
	dirty       bool      // wake is to be found again
	work        int64     // see Work
	breath      int64     // work at the last call of OnBreath
	repeated    repeated  // the decision that OnRepeat hears of
	judgement   Judgement // that OnJudged hears of
	isSilent    bool      // a rule on silence breaches, as far as was looked
}

// NewMachine returns the machine of a model that was never watched before. The
// policy must be valid. requestBase is what its request ids begin with; it must
// differ from that of every earlier monitor of the model.
func NewMachine(modelName, requestBase string, policy policy.Policy) *Machine {
	return Restore(State{
		Version: StateVersion, ModelName: modelName, RequestBase: requestBase, Policy: policy.WithDefaults(),
	})
}

// Restore returns the machine that goes on from a state.
func Restore(state State) *Machine {
	m := &Machine{state: state}
	m.compile()
	return m
}

// State returns what the next run goes on from, within its bound. The machine
// must not be used after it.
func (m *Machine) State() State {
	m.settleStreaks()
	m.state.fit()
	m.seen = nil
	return m.state
}

// Counters returns what was counted so far.
func (m *Machine) Counters() Counters { return m.state.Counters }

// ModelName is whom the machine watches.
func (m *Machine) ModelName() string { return m.state.ModelName }

// Team is who owns the model, as its policy says.
func (m *Machine) Team() string { return m.state.Policy.Team }

// Observe judges one valid event. now is when it is handled.
func (m *Machine) Observe(now time.Time, event *metric.Event) {
	now = m.clock(now)
	if m.isMine(now, contract.SignalMetric, event.ModelName) {
		m.standing.seen = nil
		m.observe(now, m.ofEvent(event, now))
	}
}

// Phase returns the first phase that holds at now.
func (m *Machine) Phase(now time.Time) contract.Phase {
	switch {
	case m.state.Stop != nil:
		return contract.PhaseStopping
	case m.state.Pause != nil:
		return contract.PhasePaused
	case m.state.Pending != nil:
		return contract.PhaseAwaitingApproval
	case m.state.Flight != nil:
		return contract.PhaseRetraining
	case now.Before(m.CooldownUntil()):
		return contract.PhaseCoolingDown
	}

	return contract.PhaseWatching
}

// CountSignal counts a signal, whatever it holds.
func (m *Machine) CountSignal() { m.state.Counters.Signals++ }

// Reject counts an input that could not be taken, and keeps why.
func (m *Machine) Reject(now time.Time, source string, why error, payload []byte) {
	m.state.Counters.Rejected++
	payload = payload[:min(len(payload), maxPayloadBytes+1)] // it may be megabytes, of thousands of faults
	rejection := Rejection{
		At: m.clock(now), Source: plain.Cut(source, metric.MaxNameBytes),
		Reason: plain.Cut(why.Error(), maxRejectionBytes), Payload: plain.Cut(string(payload), maxPayloadBytes),
	}
	if m.OnRejection != nil {
		m.OnRejection(rejection, 1)
	}
	m.state.Rejections = keepLast(append(m.state.Rejections, rejection), maxRejections)
}

// isMine rejects what is meant for another model.
func (m *Machine) isMine(now time.Time, source, modelName string) bool {
	if modelName == m.state.ModelName {
		return true
	}
	m.Reject(now, source, m.stray(modelName), nil)
	return false
}

// stray says what is wrong with what is meant for another model.
func (m *Machine) stray(modelName string) error {
	return fmt.Errorf("model_name: this is the monitor of %q, got %q; send it to %s", m.state.ModelName, modelName, contract.WorkflowID(modelName))
}

// Tick lets time pass: what is due by now is judged and decided. It is called when
// NextWake says, and after inputs, once for all at an instant; more often changes
// nothing. It costs next to nothing while nothing is due.
func (m *Machine) Tick(now time.Time) {
	now = m.clock(now)
	if next, ok := m.nextWake(); !m.dirty && (!ok || now.Before(next)) {
		m.state.Ticked = now
		return
	}

	if !m.state.Wake.IsZero() && now.Sub(m.state.Wake) > outageAfter { // a timer was armed for it
		m.noteOutage(now)
	}
	m.settleStreaks()
	m.standing.seen = nil
	m.dirty = true
	for pass := 0; m.dirty && pass < maxPasses; pass++ {
		m.dirty = false
		m.judgeDue(now)
	}

	m.state.Ticked = now
	m.wake = m.findWake()
	m.state.Wake = m.wake
}

// maxPasses is how often a Tick looks for what is due: what one thing decides may
// make another due, which is looked at before it. Twice is nearly always enough, and
// no chain is longer than what there is to look at.
const maxPasses = 10

// judgeDue judges and decides what is due by now, if it has not been. To a monitor
// that stops time brings nothing but the end of its retraining.
func (m *Machine) judgeDue(now time.Time) {
	m.expireFlight(now)
	if m.state.Stop != nil {
		m.judgeHeld(now)
		return
	}

	m.expire(now)
	m.judgeDatapoints(now)
	m.judgeHeld(now)
	m.tickVerification(now)
	m.tickAges(now)
	m.endBlackout(now)
	m.checkSilence(now)
}

func (m *Machine) expireFlight(now time.Time) {
	flight := m.state.Flight
	if flight == nil || now.Before(flight.Deadline) {
		return
	}
	if flight.CancelOnTimeout {
		m.cancelJob(flight)
	}
	m.land(now, policy.TimedOut, fmt.Sprintf("no outcome within %s", policy.Duration(flight.Deadline.Sub(flight.TriggeredAt))), flight.ModelVersion)
}

// NextWake is the earliest instant at which time alone, given to Tick, changes
// something; ok is false while there is none. It is cheap to ask after each input.
func (m *Machine) NextWake() (at time.Time, ok bool) { return m.nextWake() }

func (m *Machine) nextWake() (at time.Time, ok bool) {
	if m.dirty {
		m.wake = m.findWake()
	}
	return m.wake, !m.wake.IsZero()
}

// findWake is the earliest of all that time brings; zero when there is nothing.
func (m *Machine) findWake() (at time.Time) {
	m.wakes(m.state.Ticked, func(_ string, wake time.Time) {
		if at.IsZero() || wake.Before(at) {
			at = wake
		}
	})
	return at
}

// PauseBy stops automatic triggers until ResumeBy; pausing again is no change.
func (m *Machine) PauseBy(now time.Time, control Control) {
	if m.state.Pause == nil {
		m.state.Pause = m.told(now, control, policy.Paused)
	}
}

// ResumeBy ends a pause, and closes the circuit if that is who paused; without one it is no change.
func (m *Machine) ResumeBy(now time.Time, control Control) {
	if m.state.Pause != nil {
		if m.state.Pause.By == ByCircuit {
			m.endRow()
		}
		m.state.Pause = nil
		m.told(now, control, policy.Resumed)
	}
}

// StopBy ends the monitor once its retraining in flight is recorded.
func (m *Machine) StopBy(now time.Time, control Control) {
	if m.state.Stop == nil {
		m.state.Stop = m.told(now, control, policy.Stopped)
		m.state.Pending = nil
	}
}

func (m *Machine) told(now time.Time, control Control, kind policy.Kind) *Control {
	control.At = m.clock(now)
	control.Force = false
	m.decide(Decision{At: control.At, Kind: kind, Reason: control.Reason, By: control.By})
	return &control
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
func (m *Machine) Remember(now time.Time, updateID string, result UpdateResult) {
	m.state.Updates = keepLast(append(m.state.Updates, UpdateRecord{updateID, result, m.clock(now)}), maxUpdates)
}

// RememberedSince is from when on every update is remembered; zero where none was
// forgotten yet.
func (m *Machine) RememberedSince() time.Time {
	if len(m.state.Updates) < maxUpdates {
		return time.Time{}
	}
	return m.state.Updates[0].At
}

// clock strips what does not survive JSON, so that a cut changes nothing.
func (m *Machine) clock(now time.Time) time.Time { return now.Round(0).UTC() }

func sortedKeys[V any](all map[string]V) []string { return slices.Sorted(maps.Keys(all)) }
