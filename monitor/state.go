package monitor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/policy"
)

// StateVersion is the version of State that this code writes. It reads no newer
// one: a worker that was rolled back says so instead of forgetting.
const StateVersion = 1

// MaxStateBytes bounds a state, and a status, encoded as JSON.
const MaxStateBytes = 256 << 10

// State is all that a monitor knows. It is one value, handed through
// continue-as-new; whatever the machine wants done follows from it.
type State struct {
	Version      int                   `json:"version"` // StateVersion; 0, and none, means 1
	ModelName    string                `json:"model_name"`
	RequestBase  string                `json:"request_base"`          // request ids are RequestBase/n
	Policy       policy.Policy         `json:"policy"`                // nothing left out
	LastTrigger  time.Time             `json:"last_trigger,omitzero"` // or the last answer that there shall be none
	LastHeld     time.Time             `json:"last_held,omitzero"`    // what a dry run has instead
	LastSuccess  time.Time             `json:"last_success,omitzero"` // or the last retraining accepted
	FirstEvent   time.Time             `json:"first_event,omitzero"`
	Ticked       time.Time             `json:"ticked,omitzero"`  // when time was last let pass
	Wake         time.Time             `json:"wake,omitzero"`    // when time was to be let pass next, as of then
	Resumed      time.Time             `json:"resumed,omitzero"` // when this side was back after an outage
	Latest       string                `json:"latest,omitempty"` // the model version heard of last
	SilenceCheck time.Time             `json:"silence_check,omitzero"`
	Ages         map[string]look       `json:"ages,omitempty"`     // of the rules on age and silence, by name
	Failures     int                   `json:"failures,omitempty"` // in a row
	Pending      *Pending              `json:"pending,omitempty"`
	Verification *Verification         `json:"verification,omitempty"`
	Calendar     *policy.Calendar      `json:"calendar,omitempty"` // of the policy's blackouts
	Cancelling   []Cancelling          `json:"cancelling,omitempty"`
	Notices      []Notice              `json:"notices,omitempty"` // to be delivered
	Pause        *Control              `json:"pause,omitempty"`
	Stop         *Control              `json:"stop,omitempty"`
	Flight       *Flight               `json:"flight,omitempty"`
	Backend      string                `json:"backend,omitempty"` // that took the last retraining
	Counters     Counters              `json:"counters"`
	Publishers   map[string]*publisher `json:"publishers,omitempty"`
	Hearing      hearing               `json:"hearing,omitzero"`
	Versions     map[string]*version   `json:"versions,omitempty"`
	Decisions    []Decision            `json:"decisions,omitempty"`
	Notable      *Decision             `json:"notable,omitempty"` // the last notable one
	Rejections   []Rejection           `json:"rejections,omitempty"`
	Recent       []finished            `json:"recent,omitempty"`
	Updates      []UpdateRecord        `json:"updates,omitempty"`
}

// Counters count since the monitor was started.
type Counters struct {
	Events      int64                 `json:"events"`     // folded into digests or sent one by one
	Digests     int64                 `json:"digests"`    // received in batches
	Signals     int64                 `json:"signals"`    // of every kind
	Duplicates  int64                 `json:"duplicates"` // digests redelivered, and dropped
	Gaps        int64                 `json:"gaps"`       // batches that a publisher numbered but that never came
	Rejected    int64                 `json:"rejected"`   // observations that could not be read, or made no sense
	Overflow    int64                 `json:"overflow"`   // readings that were judged but not kept, and versions forgotten, for want of room
	Breaches    int64                 `json:"breaches"`   // observations that violated a rule
	Suppressed  map[Suppression]int64 `json:"suppressed"` // of Breaches, those that did not trigger
	Retrainings RetrainingCounters    `json:"retrainings"`
	Notices     NoticeCounters        `json:"notices"`
}

// RetrainingCounters count retrainings by what became of them.
type RetrainingCounters struct {
	Requested int64 `json:"requested"`
	Accepted  int64 `json:"accepted"` // by a backend that can't be followed
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"` // timed-out ones too
	Cancelled int64 `json:"cancelled"`
}

// Rejection is an observation, or another input, that was refused.
type Rejection struct {
	At      time.Time `json:"at"`
	Source  string    `json:"source"` // the signal it came by
	Reason  string    `json:"reason"`
	Payload string    `json:"payload,omitempty"` // its beginning
}

const (
	maxRejections     = 5
	maxRejectionBytes = 1000
	maxPayloadBytes   = 200
)

// UpdateRecord is an update that was handled, kept so that the same id sent
// again, in whatever run, gets the same answer and changes nothing.
type UpdateRecord struct {
	ID     string       `json:"id"`
	Result UpdateResult `json:"result"`
	At     time.Time    `json:"at,omitzero"` // when it was handled
}

// UpdateResult is the answer to every update.
type UpdateResult struct {
	Phase     contract.Phase `json:"phase"`                // after the update
	RequestID string         `json:"request_id,omitempty"` // of the retraining it started
}

const maxUpdates = 100

// Control is an operator's word: who, and why.
type Control struct {
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Force  bool      `json:"force,omitempty"` // for retrain: ignore the cooldown
	At     time.Time `json:"at,omitzero"`     // set by the machine
}

// DecodeControl reads the payload of an operator's update; nothing at all is an
// empty Control. Unknown fields are refused by name.
func DecodeControl(payload []byte) (Control, error) {
	var control Control
	if len(payload) == 0 {
		return control, nil
	}
	err := strict.Decode(payload, "", strict.Fields{"by": &control.By, "reason": &control.Reason, "force": &control.Force})
	control.By, control.Reason = plain.Cut(control.By, policy.MaxTextBytes), plain.Cut(control.Reason, policy.MaxTextBytes)
	return control, err
}

// DecodeState reads a state that an earlier run handed on.
func DecodeState(data []byte) (State, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return State{}, fmt.Errorf("state: %w", err)
	}
	if version.Version < 0 || version.Version > StateVersion {
		return State{}, fmt.Errorf("state: version %d, but this worker reads up to %d; run the newer worker", version.Version, StateVersion)
	}

	var state State
	if err := json.Unmarshal(data, &state); err != nil {
		return State{}, fmt.Errorf("state: %w", err)
	}

	state.Version = StateVersion // older ones are lifted here
	return state, nil
}

// fit drops what can be missed most easily until the state is within its bound:
// first what is only shown, then what tells redeliveries from news. The bounds of
// its parts keep it there for all but adversarial names.
func (s *State) fit() {
	shrink(s, func() {
		s.Decisions = keepLast(s.Decisions, len(s.Decisions)/2)
		s.Rejections = keepLast(s.Rejections, len(s.Rejections)/2)
		dropOldest(s.Versions, max(policy.MaxTracked, len(s.Versions)/2), func(v *version) time.Time { return v.LastSeen })
	})
	shrink(s, func() {
		s.Updates = keepLast(s.Updates, len(s.Updates)/2)
		s.forgetPublishers(len(s.Publishers) * 3 / 4)
		dropOldest(s.Versions, max(1, len(s.Versions)-1), func(v *version) time.Time { return v.Heard })
	})
}

// shrink drops parts of value until it is within MaxStateBytes as JSON.
func shrink(value any, drop func()) {
	for range 16 { // by then every part that can go has gone
		if encoded, err := json.Marshal(value); err != nil || len(encoded) <= MaxStateBytes {
			return
		}
		drop()
	}
}

// dropOldest removes the entries with the earliest times until max are left.
func dropOldest[V any](all map[string]V, max int, when func(V) time.Time) {
	if len(all) <= max {
		return
	}
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if order := when(all[a]).Compare(when(all[b])); order != 0 {
			return order
		}
		return cmp.Compare(a, b)
	})
	for _, name := range names[:len(all)-max] {
		delete(all, name)
	}
}
