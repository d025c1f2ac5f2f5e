package watch

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/window"
)

// Profiled is what drift rules have learnt of the readings of one model version.
type Profiled struct {
	ModelVersion string         `json:"model_version"`
	Profile      *drift.Profile `json:"profile"`
	// Awaited are the metrics and categories of which the profile has nothing, since too
	// few of their readings have come.
	Awaited []contrast.Awaited `json:"awaited,omitempty"`
}

// Profile is what is known of the distributions of a version, of the one heard of last
// where none is named. Of a metric in several rules it is what the first of them has
// learnt. The error says what is missing, and what to do.
func (w *Watch) Profile(version *string) (Profiled, error) {
	learnsNothing := true
	for i := range w.policy.Rules {
		r := &w.policy.Rules[i]
		learnsNothing = learnsNothing && (!r.IsDrift() || w.policy.ProfileOf(r) != nil)
	}
	if learnsNothing {
		return Profiled{}, errors.New("no rule of its policy learns a distribution: drift rules do whose reference is from first, previous or trailing; " +
			"apply a policy that has one, or make the profile of training data")
	}

	seen, err := w.compared(version)
	if err != nil {
		return Profiled{}, err
	}
	p := Profiled{ModelVersion: seen.name, Profile: &drift.Profile{}}
	for i, t := range seen.Rules {
		if r := &w.policy.Rules[i]; r.IsDrift() && t.Window != nil && t.Window.Compare != nil {
			p.Awaited = append(p.Awaited, t.Window.Compare.AddTo(p.Profile, r)...)
		}
	}
	p.Awaited = slices.DeleteFunc(p.Awaited, func(a contrast.Awaited) bool { return p.Profile.Has(a.Name, a.Category) })
	if len(p.Profile.Metrics)+len(p.Profile.Categories) > 0 {
		return p, nil
	}

	if len(p.Awaited) == 0 {
		return p, fmt.Errorf("of version %s no metric or category has come that a drift rule watches", strconv.Quote(seen.name))
	}
	first := p.Awaited[0]
	return p, fmt.Errorf("nothing is learnt of version %s yet: rule %s has %s of %s; ask again when it has them",
		strconv.Quote(seen.name), first.Rule, first.Has, first.Name)
}

// compared is the version that is asked for, or else the one heard of last, if its
// distributions are kept.
func (w *Watch) compared(version *string) (found *Version, err error) {
	var names []string
	for _, seen := range w.tracked {
		isKept := slices.ContainsFunc(seen.Rules, func(t *window.Track) bool {
			return t.Window != nil && t.Window.Compare != nil && !t.Window.Compare.Dropped
		})
		if !isKept {
			continue
		}
		names = append(names, strconv.Quote(seen.name))
		isWanted := version == nil && (found == nil || seen.Heard.After(found.Heard)) || version != nil && *version == seen.name
		if isWanted {
			found = seen
		}
	}

	switch {
	case found != nil:
		return found, nil
	case len(names) == 0:
		return nil, errors.New("no event has come yet that a drift rule learns from")
	default:
		return nil, fmt.Errorf("distributions are kept of the versions heard of last, %s, and not of %s", strings.Join(names, " and "), strconv.Quote(*version))
	}
}
