package monitor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/publisher"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/monitor/watch"
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
	Version     int           `json:"version"` // StateVersion; 0, and none, means 1
	ModelName   string        `json:"model_name"`
	RequestBase string        `json:"request_base"`    // request ids are RequestBase/n
	Policy      policy.Policy `json:"policy"`          // nothing left out
	Ticked      time.Time     `json:"ticked,omitzero"` // when time was last let pass
	Wake        time.Time     `json:"wake,omitzero"`   // when time was to be let pass next, as of then
	Updates     updates       `json:"updates,omitempty"`

	journal.Entries
	retraining.Retrainings
	watch.Seen
	publisher.Known
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
		s.Decisions = journal.KeepLast(s.Decisions, len(s.Decisions)/2)
		s.Rejections = journal.KeepLast(s.Rejections, len(s.Rejections)/2)
		dropOldest(s.Versions, max(policy.MaxTracked, len(s.Versions)/2), func(v *watch.Version) time.Time { return v.LastSeen })
	})
	shrink(s, func() {
		s.Updates = journal.KeepLast(s.Updates, len(s.Updates)/2)
		s.Forget(len(s.Publishers) * 3 / 4)
		dropOldest(s.Versions, max(1, len(s.Versions)-1), func(v *watch.Version) time.Time { return v.Heard })
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
