// Package fleet is what is known of all monitors together: who holds which retrainings
// back, and when so many ask for one that somebody should look first.
package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// Fleet is what is known of all monitors together: who holds which retrainings
// back, and which models asked for one lately. Like the machine it is pure.
type Fleet struct {
	Freezes []Freeze         `json:"freezes,omitempty"`
	Asked   []asked          `json:"asked,omitempty"`   // by minute, oldest first
	Notices []journal.Notice `json:"notices,omitempty"` // to be told, oldest first; without a channel: to all of the fleet's, see Address
	Noticed int64            `json:"noticed,omitempty"` // how many there ever were
}

// asked are the models that asked for a retraining in one minute, by hash.
type asked struct {
	Minute int64    `json:"minute"` // since 1970
	Models []uint32 `json:"models"`
}

// Freeze holds back the retrainings of some models, or of all.
type Freeze struct {
	Teams  []string  `json:"teams,omitempty"`  // those of these teams
	Models []string  `json:"models,omitempty"` // those whose names fit one of these patterns (path.Match)
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"` // set by the fleet
}

// BrakeName is who freezes a fleet when too many models ask at once.
const BrakeName = "the fleet brake"

const (
	maxFreezes = 100
	// maxScope bounds the teams, and the patterns, of one freeze, and maxFreezesBytes
	// what all in force take as JSON: they are in a memo, of which the server takes 2
	// MiB and which every worker reads every two seconds.
	maxScope        = 100
	maxPatternBytes = metric.MaxModelNameBytes
	maxFreezesBytes = 256 << 10
	// maxFleetNotices bounds what waits for channels that are away, some 1 KiB each.
	maxFleetNotices = 200
	// minAsked is how many models must have asked before a brake looks at their
	// share: in a small fleet two models are many per cent.
	minAsked = 10
	// maxAsked bounds what is remembered of the last minutes, at some 11 bytes each.
	maxAsked = 20_000
)

// Covers says that a freeze holds a model's retrainings back.
func (f *Freeze) Covers(model, team string) bool {
	if f.Teams == nil && f.Models == nil {
		return true
	}
	return team != "" && slices.Contains(f.Teams, team) || slices.ContainsFunc(f.Models, func(pattern string) bool {
		fits, err := path.Match(pattern, model)
		return err == nil && fits
	})
}

// Scope is what a freeze covers, in words.
func (f *Freeze) Scope() string {
	var parts []string
	if len(f.Teams) > 0 {
		parts = append(parts, "team "+strings.Join(f.Teams, ", "))
	}
	if len(f.Models) > 0 {
		parts = append(parts, "models "+strings.Join(f.Models, ", "))
	}
	if parts == nil {
		return "all models"
	}

	return strings.Join(parts, " and ")
}

// String is a freeze as the models that it holds tell of it.
func (f *Freeze) String() string {
	text := fmt.Sprintf("%s frozen since %s", f.Scope(), f.At.UTC().Format(time.RFC3339))
	if f.By != "" {
		text += " by " + f.By
	}
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	return plain.Cut(text, policy.MaxTextBytes)
}

// Validate says what is wrong with a freeze, field by field.
func (f *Freeze) Validate() error {
	var faults []error
	if len(f.Teams) > maxScope {
		return fmt.Errorf("teams: must be at most %d, got %d", maxScope, len(f.Teams))
	}
	if len(f.Models) > maxScope {
		return fmt.Errorf("models: must be at most %d patterns, got %d", maxScope, len(f.Models))
	}

	for i, team := range f.Teams {
		faults = append(faults, strict.At(fmt.Sprintf("teams[%d]", i), metric.CheckName(team, 1, metric.MaxNameBytes)))
	}
	for i, pattern := range f.Models {
		if len(pattern) > maxPatternBytes {
			faults = append(faults, fmt.Errorf("models[%d]: must be at most %d bytes, got %d", i, maxPatternBytes, len(pattern)))
		} else if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			faults = append(faults, fmt.Errorf("models[%d]: must be a pattern such as fraud-*, got %q", i, plain.Cut(pattern, policy.MaxTextBytes)))
		}
	}

	return errors.Join(faults...)
}

// Add puts a valid freeze into force; one of the same scope replaces the older.
func (f *Fleet) Add(now time.Time, freeze Freeze) error {
	freeze.By, freeze.Reason, freeze.At = plain.Cut(freeze.By, policy.MaxTextBytes), plain.Cut(freeze.Reason, policy.MaxTextBytes), now
	others := slices.DeleteFunc(slices.Clone(f.Freezes), func(old Freeze) bool { return old.Scope() == freeze.Scope() })
	if len(others) >= maxFreezes {
		return fmt.Errorf("%d freezes are in force, which is as many as can be; lift some", maxFreezes)
	}
	if encoded, err := json.Marshal(append(others, freeze)); err != nil || len(encoded) > maxFreezesBytes {
		return fmt.Errorf("the freezes in force would take %d bytes of %d; lift some, or use patterns that fit more", len(encoded), maxFreezesBytes)
	}

	f.Freezes = others
	f.add(freeze)
	return nil
}

func (f *Fleet) add(freeze Freeze) {
	f.Freezes = append(f.Freezes, freeze)
	f.notice(journal.Decision{At: freeze.At, Kind: policy.FleetFrozen, Reason: freeze.String(), By: freeze.By})
}

func (f *Fleet) notice(decision journal.Decision) {
	f.Noticed++
	id := fmt.Sprintf("%d-%d", decision.At.Unix(), f.Noticed) // below the fleet's own
	f.Notices = journal.KeepLast(append(f.Notices, journal.Notice{ID: id, Decision: decision, Ends: decision.Kind.Settles()}), maxFleetNotices)
}

// Unaddressed is the oldest notice that has no channel yet, or nil.
func (f *Fleet) Unaddressed() *journal.Notice {
	if i := slices.IndexFunc(f.Notices, func(n journal.Notice) bool { return n.Channel == "" }); i >= 0 {
		return &f.Notices[i]
	}
	return nil
}

// Address makes of each notice without a channel one for each of the fleet's. Their
// ids begin with base, and are the same whoever addresses them.
func (f *Fleet) Address(base string, channels []string) {
	var addressed []journal.Notice
	for _, notice := range f.Notices {
		if notice.Channel != "" {
			addressed = append(addressed, notice)
			continue
		}

		for _, channel := range channels {
			to := notice
			to.ID = base + "/notice/" + notice.ID + "/" + channel
			to.Channel = channel
			addressed = append(addressed, to)
		}
	}

	f.Notices = journal.KeepLast(addressed, maxFleetNotices)
}

// Told ends a notice: its channel was told, or can't be.
func (f *Fleet) Told(id string) {
	f.Notices = slices.DeleteFunc(f.Notices, func(n journal.Notice) bool { return n.ID == id })
}

// Lift ends the freezes of a scope, and returns how many. The scope of all models
// ends every freeze. What was asked before is forgotten: a brake begins anew.
func (f *Fleet) Lift(now time.Time, scope Freeze) (lifted int) {
	before := len(f.Freezes)
	f.Freezes = slices.DeleteFunc(f.Freezes, func(freeze Freeze) bool {
		return scope.Teams == nil && scope.Models == nil || freeze.Scope() == scope.Scope()
	})
	f.Asked = nil
	lifted = before - len(f.Freezes)
	if lifted > 0 {
		f.notice(journal.Decision{At: now, Kind: policy.FleetUnfrozen, Reason: scope.Scope() + ", " + strconv.Itoa(lifted) + " lifted", By: scope.By})
	}
	return lifted
}

// Frozen is the freeze that holds a model's retrainings back, or nil.
func Frozen(freezes []Freeze, model, team string) *Freeze {
	if i := slices.IndexFunc(freezes, func(f Freeze) bool { return f.Covers(model, team) }); i >= 0 {
		return &freezes[i]
	}
	return nil
}

// Brake says how many models may ask for a retraining within a time.
type Brake struct {
	Share    float64         `json:"share"` // of the monitors, above 0 to 1
	Within   policy.Duration `json:"within"`
	Monitors int64           `json:"monitors"` // that there are
}

// Permit says whether a model may be retrained now: it returns the freeze that
// holds it, or nil. If with this model more than the brake allows have asked, all
// are frozen from here on.
func (f *Fleet) Permit(now time.Time, model, team string, brake Brake) *Freeze {
	if frozen := Frozen(f.Freezes, model, team); frozen != nil {
		return frozen
	}
	models := f.ask(now, model, time.Duration(brake.Within))
	if models < minAsked || float64(models) <= brake.Share*float64(brake.Monitors) {
		return nil
	}

	f.add(Freeze{
		By: BrakeName, At: now,
		Reason: fmt.Sprintf("%d of %d models asked for a retraining within %s, more than %g %%", models, brake.Monitors, brake.Within, 100*brake.Share),
	})
	return &f.Freezes[len(f.Freezes)-1]
}

// ask notes that a model asks, and returns how many have within a time.
func (f *Fleet) ask(now time.Time, model string, within time.Duration) int {
	minute := now.Unix() / 60
	f.Asked = slices.DeleteFunc(f.Asked, func(a asked) bool { return a.Minute < now.Add(-within).Unix()/60 })
	if n := len(f.Asked); n == 0 || f.Asked[n-1].Minute != minute {
		f.Asked = append(f.Asked, asked{Minute: minute})
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(model)) // it can't fail
	known := func(a asked) bool { return slices.Contains(a.Models, h.Sum32()) }
	total := 0
	for _, a := range f.Asked {
		total += len(a.Models)
	}
	if !slices.ContainsFunc(f.Asked, known) && total < maxAsked {
		last := &f.Asked[len(f.Asked)-1]
		last.Models = append(last.Models, h.Sum32())
		total++
	}

	return total
}
