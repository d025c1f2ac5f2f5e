package watch

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/monitor/observation"
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
	// version is none of the policy.MaxTracked last heard of.
	Rules []*window.Track `json:"rules,omitempty"`

	name    string         // while it has tracks
	columns *table.Columns // of its last observation
	lately  []*Statistics  // those of Metrics that were looked for, by their places in columns
}

// statisticsIn are the statistics that are known, by the places of their metrics in the
// columns of an observation; nil for those that were not looked for.
func (v *Version) statisticsIn(columns *table.Columns) []*Statistics {
	if v.columns != columns {
		v.columns = columns
		v.lately = slices.Grow(v.lately[:0], len(columns.Names()))[:len(columns.Names())]
		clear(v.lately)
	}
	return v.lately
}

// notCounted says that it is not known yet how many metrics are kept.
const notCounted = -1

// statistics finds the statistics of the metric in a place of an observation, or begins
// them; nil where there is no room for more. kept is how many metrics are kept over all
// versions.
func (w *Watch) statistics(seen *Version, o *observation.Observation, place int, kept *int) *Statistics {
	name := o.Columns.Names()[place]
	s := seen.Metrics[name]
	if s != nil {
		return s
	}

	if *kept == notCounted {
		*kept = w.makeRoom(seen, o)
	}
	if *kept >= maxVersionMetrics {
		return nil
	}

	*kept++
	if seen.Metrics == nil {
		seen.Metrics = map[string]*Statistics{}
	}
	measured := o.At(place)
	s = &Statistics{Min: measured.Min, Max: measured.Max}
	seen.Metrics[name] = s
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

// add adds readings. It compares, for min and max take several times as long: they know of
// values that are no numbers.
func (s *Statistics) add(measured *metric.Summary) {
	s.Count += measured.Count
	s.Sum += measured.Sum
	if measured.Min < s.Min {
		s.Min = measured.Min
	}
	if measured.Max > s.Max {
		s.Max = measured.Max
	}
}

// makeRoom forgets the metrics of versions that were not seen for versionOverlap,
// those seen longest ago first, until an observation's fit, and returns how many
// are kept.
func (w *Watch) makeRoom(seen *Version, o *observation.Observation) (kept int) {
	for _, v := range w.seen.Versions {
		kept += len(v.Metrics)
	}
	wanted := 0
	for place, name := range o.Columns.Names() {
		if o.At(place) != nil && seen.Metrics[name] == nil {
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
		oldest.columns = nil
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
func (w *Watch) version(now time.Time, o *observation.Observation) *Version {
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
	moment := w.Of(now, version, seen)
	moment.stand()
	return moment
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
