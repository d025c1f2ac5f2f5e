package watch

import (
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
)

// comparison lets the window of a drift rule have what it compares by, and know the
// reference of the version before once there is one.
func (w *Watch) comparison(rule int, name string, recent *window.Window) {
	r := &w.policy.Rules[rule]
	if recent.Compare == nil {
		recent.Compare = contrast.New(r, w.policy.Profiles)
		w.dropComparisons()
	}
	if r.Drift.Reference.From != policy.ReferencePrevious || !recent.Compare.LacksReference() {
		return
	}

	var before *Version
	for _, v := range w.tracked { // no two began together
		earlier := v.Rules[rule].Window.Compare
		isFull := earlier != nil && earlier.IsFull()
		if isFull && v.beganBefore(w.seen.Versions[name]) && (before == nil || before.beganBefore(v)) {
			before = v
		}
	}
	if before != nil {
		recent.Compare.Adopt(before.Rules[rule].Window.Compare)
	}
}

// holdProfiles lets what is compared with training data have it: a state has it in its
// policy alone.
func (w *Watch) holdProfiles() {
	for _, seen := range w.tracked {
		for i, t := range seen.Rules[:min(len(seen.Rules), len(w.policy.Rules))] {
			r := &w.policy.Rules[i]
			if w.policy.ProfileOf(r) != nil && t.Window != nil && t.Window.Compare != nil {
				t.Window.Compare.HoldProfile(r, w.policy.Profiles)
			}
		}
	}
}

// dropComparisons keeps the distributions of those versions alone that were heard of
// last: what is packed of more of them would not fit a state.
func (w *Watch) dropComparisons() {
	var compared []*Version
	for _, v := range w.tracked {
		if slices.ContainsFunc(v.Rules, func(t *window.Track) bool {
			return t.Window != nil && t.Window.Compare != nil && !t.Window.Compare.Dropped
		}) {
			compared = append(compared, v)
		}
	}
	if len(compared) <= policy.MaxCompared {
		return
	}

	slices.SortStableFunc(compared, func(a, b *Version) int { return b.Heard.Compare(a.Heard) })
	for _, v := range compared[policy.MaxCompared:] {
		for _, t := range v.Rules {
			if t.Window != nil && t.Window.Compare != nil {
				t.Window.Compare.Drop()
			}
		}
	}
}

// FindBounds finds the bounds that the datapoints which are due by an instant are
// judged by.
func (w *Watch) FindBounds(due time.Time, find func(null *drift.Null, size int64) drift.Bounds) {
	for _, seen := range w.tracked {
		for _, i := range w.windowed {
			if r := &w.rules[i]; r.IsDrift() {
				seen.Rules[i].Window.FindBounds(r, due, find)
			}
		}
	}
}

// LackingBounds are the features of one rule on one version whose bounds are to be
// found.
type LackingBounds struct {
	ModelVersion string             `json:"model_version"`
	Rule         string             `json:"rule"`
	Features     []contrast.Lacking `json:"features"`
}

// Lacking are the features whose bounds are to be found, by version and rule.
func (w *Watch) Lacking() (all []LackingBounds) {
	for _, seen := range w.tracked {
		for _, i := range w.windowed {
			r, recent := &w.policy.Rules[i], seen.Rules[i].Window
			if !r.IsDrift() || recent.Compare == nil {
				continue
			}
			if features := recent.Compare.Lacks(r); len(features) > 0 {
				all = append(all, LackingBounds{seen.name, r.Name, features})
			}
		}
	}

	return all
}

// SetBounds takes bounds that were found; one for each feature, in their order.
func (w *Watch) SetBounds(lacking *LackingBounds, bounds []drift.Bounds) {
	rule, isKnown := w.Number(lacking.Rule)
	seen := w.seen.Versions[lacking.ModelVersion]
	if !isKnown || seen == nil || rule >= len(seen.Rules) || seen.Rules[rule].Window == nil || seen.Rules[rule].Window.Compare == nil {
		return
	}
	for i, feature := range lacking.Features[:min(len(bounds), len(lacking.Features))] {
		seen.Rules[rule].Window.Compare.SetBounds(feature.Name, feature.Category, bounds[i])
	}
}
