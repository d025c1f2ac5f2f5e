package watch

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	maxVersions       = 20  // versions that statistics are kept of
	maxVersionMetrics = 200 // metrics over all versions; further names are judged, but not kept
	// versionOverlap is how long versions may live side by side without one
	// pushing the other's metrics out.
	versionOverlap = time.Hour
)

// Version is what was seen of one model version.
type Version struct {
	First    time.Time              `json:"first"`     // when its first event was handled
	Number   int64                  `json:"number"`    // the later it began, the higher
	Heard    time.Time              `json:"heard"`     // when its last event was handled
	LastSeen time.Time              `json:"last_seen"` // the latest event's timestamp
	Metrics  map[string]*Statistics `json:"metrics,omitempty"`
	// SupersededBy is the version that a retraining which this one triggered has made.
	SupersededBy string `json:"superseded_by,omitempty"`
	// Rules is what is known of the policy's rules, in their order; nil where the
	// version is none of the maxTracked last heard of.
	Rules []*window.Track `json:"rules,omitempty"`

	name   string    // while it has tracks
	lately []counted // of Metrics, what observations had, each in its place
}

// counted is one of a version's metrics.
type counted struct {
	metric string
	*Statistics
}

// statistics are those of the metric that an observation has in a place; nil where there
// are none yet. Observations mostly have the same metrics in the same places, and to look
// there first spares a search by name.
func (v *Version) statistics(place int, metric string) *Statistics {
	if place < len(v.lately) && v.lately[place].metric == metric {
		return v.lately[place].Statistics
	}

	s := v.Metrics[metric]
	switch {
	case s == nil || place > len(v.lately):
	case place == len(v.lately):
		v.lately = append(v.lately, counted{metric, s})
	default:
		v.lately[place] = counted{metric, s}
	}
	return s
}

// beganBefore orders versions by their first events, those handled at the same
// instant too, as it is with all that has piled up.
func (v *Version) beganBefore(other *Version) bool {
	return v.First.Before(other.First) || v.First.Equal(other.First) && v.Number < other.Number
}

// Statistics sum up one metric of a version.
type Statistics struct {
	Count int64   `json:"count"`
	Sum   float64 `json:"sum"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

// makeRoom forgets the metrics of versions that were not seen for versionOverlap,
// those seen longest ago first, until an observation's fit, and returns how many
// are kept.
func (w *Watch) makeRoom(seen *Version, o *Observation) (kept int) {
	for _, v := range w.seen.Versions {
		kept += len(v.Metrics)
	}
	wanted := 0
	for i := range o.metrics {
		if seen.Metrics[o.metrics[i].name] == nil {
			wanted++
		}
	}

	for kept+wanted > maxVersionMetrics {
		oldest := w.oldest(func(v *Version) (time.Time, bool) {
			return v.LastSeen, len(v.Metrics) > 0 && v.LastSeen.Before(seen.LastSeen.Add(-versionOverlap))
		})
		if oldest == nil {
			break
		}
		kept -= len(oldest.Metrics)
		oldest.Metrics = nil
		oldest.lately = nil
	}

	return kept
}

// oldest returns the version with the earliest of the instants that of returns, of
// those that it counts; of several with the same, the first by name. It is nil where
// none counts. It sorts nothing: events may name another version each.
func (w *Watch) oldest(of func(*Version) (at time.Time, counts bool)) (oldest *Version) {
	var earliest time.Time
	var earliestName string
	for name, v := range w.seen.Versions { // in any order: names are unique
		at, counts := of(v)
		if !counts {
			continue
		}

		order := at.Compare(earliest)
		if oldest == nil || order < 0 || order == 0 && name < earliestName {
			oldest = v
			earliest = at
			earliestName = name
		}
	}

	return oldest
}

// version finds what was seen of an observation's version, or begins it.
func (w *Watch) version(now time.Time, o *Observation) *Version {
	if w.current != nil && w.name == o.Version {
		return w.current
	}

	seen := w.seen.Versions[o.Version]
	if seen == nil {
		if w.seen.Versions == nil {
			w.seen.Versions = map[string]*Version{}
		}
		seen = &Version{First: now, LastSeen: o.Last}
		for _, v := range w.seen.Versions {
			seen.Number = max(seen.Number, v.Number+1)
		}
		w.seen.Versions[o.Version] = seen
		w.work += versionWork
	}

	w.current = seen
	w.name = o.Version
	return seen
}

// dropOldestVersions forgets the versions seen longest ago until some are left.
func (w *Watch) dropOldestVersions(left int) {
	for len(w.seen.Versions) > left {
		oldest := w.oldest(func(v *Version) (time.Time, bool) { return v.LastSeen, true })
		maps.DeleteFunc(w.seen.Versions, func(_ string, v *Version) bool { return v == oldest })
	}
	w.listTracked()
}

// track makes sure that a version has a track of each rule.
func (w *Watch) track(seen *Version) {
	rules := w.policy.Rules
	if len(seen.Rules) == len(rules) {
		return
	}

	seen.Rules = window.NewTracks(rules)
	w.work += int64(len(rules))
	w.listTracked()
	for len(w.tracked) > policy.MaxTracked {
		oldest := w.oldest(func(v *Version) (time.Time, bool) { return v.Heard, v.Rules != nil && v != seen })
		oldest.Rules = nil
		w.listTracked()
	}
}

// listTracked lists the versions that have tracks, by name.
func (w *Watch) listTracked() {
	w.tracked = w.tracked[:0]
	for name, v := range w.seen.Versions { // in any order: they are sorted
		if v.Rules != nil {
			v.name = name
			w.tracked = append(w.tracked, v)
		}
	}
	slices.SortFunc(w.tracked, func(a, b *Version) int { return strings.Compare(a.name, b.name) })
}

// Supersede says that a retraining which one version triggered has made another.
func (w *Watch) Supersede(old, made string) {
	if made == "" || made == old {
		return
	}
	if v := w.seen.Versions[made]; v != nil {
		v.SupersededBy = ""
	}
	if v := w.seen.Versions[old]; v != nil {
		v.SupersededBy = made
	}
}

// Stood is the moment of a version at which nothing was measured, with what every rule
// says of it then; nil where nothing is known of it.
func (w *Watch) Stood(now time.Time, version string) *Moment {
	seen := w.seen.Versions[version]
	if seen == nil || len(seen.Rules) == 0 {
		return nil
	}
	j := w.Of(now, version, seen)
	j.Stand()
	return j
}

// Now is the moment of the version heard of last at which nothing was measured; nil
// while none was.
func (w *Watch) Now(now time.Time) *Moment {
	seen := w.seen.Versions[w.seen.Latest]
	if seen == nil {
		return nil
	}
	return w.Of(now, w.seen.Latest, seen)
}

// Latest is the version heard of last; "" before the first.
func (w *Watch) Latest() string { return w.seen.Latest }

// Retrained says that a retraining has succeeded, or was accepted: the model's age
// begins anew.
func (w *Watch) Retrained(now time.Time) {
	w.seen.LastSuccess = now
	w.seen.Readings = nil
}
