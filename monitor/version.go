package monitor

import (
	"maps"
	"time"

	"github.com/modelvigil/modelvigil/policy"
)

const (
	maxVersions       = 20  // versions that statistics are kept of
	maxVersionMetrics = 200 // metrics over all versions; further names are judged, but not kept
	// versionOverlap is how long versions may live side by side without one
	// pushing the other's metrics out.
	versionOverlap = time.Hour
)

// version is what was seen of one model version.
type version struct {
	First    time.Time              `json:"first"`     // when its first event was handled
	Number   int64                  `json:"number"`    // the later it began, the higher
	Heard    time.Time              `json:"heard"`     // when its last event was handled
	LastSeen time.Time              `json:"last_seen"` // the latest event's timestamp
	Metrics  map[string]*statistics `json:"metrics,omitempty"`
	// SupersededBy is the version that a retraining which this one triggered has made.
	SupersededBy string `json:"superseded_by,omitempty"`
	// Rules is what is known of the policy's rules, in their order; nil where the
	// version is none of the maxTracked last heard of.
	Rules []*track `json:"rules,omitempty"`
}

// beganBefore orders versions by their first events, those handled at the same
// instant too, as it is with all that has piled up.
func (v *version) beganBefore(other *version) bool {
	return v.First.Before(other.First) || v.First.Equal(other.First) && v.Number < other.Number
}

type statistics struct {
	Count int64   `json:"count"`
	Sum   float64 `json:"sum"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

// makeRoom forgets the metrics of versions that were not seen for versionOverlap,
// those seen longest ago first, until an observation's fit, and returns how many
// are kept.
func (m *Machine) makeRoom(seen *version, o *observation) (kept int) {
	for _, v := range m.state.Versions {
		kept += len(v.Metrics)
	}
	wanted := 0
	for i := range o.metrics {
		if seen.Metrics[o.metrics[i].name] == nil {
			wanted++
		}
	}

	for kept+wanted > maxVersionMetrics {
		oldest := m.oldest(func(v *version) (time.Time, bool) {
			return v.LastSeen, len(v.Metrics) > 0 && v.LastSeen.Before(seen.LastSeen.Add(-versionOverlap))
		})
		if oldest == nil {
			break
		}
		kept -= len(oldest.Metrics)
		oldest.Metrics = nil
	}

	return kept
}

// oldest returns the version with the earliest of the instants that of returns, of
// those that it counts; of several with the same, the first by name. It is nil where
// none counts. It sorts nothing: events may name another version each.
func (m *Machine) oldest(of func(*version) (at time.Time, counts bool)) (oldest *version) {
	var earliest time.Time
	var earliestName string
	for name, v := range m.state.Versions { // in any order: names are unique
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
func (m *Machine) version(now time.Time, o *observation) *version {
	if m.seen != nil && m.seenName == o.version {
		return m.seen
	}

	seen := m.state.Versions[o.version]
	if seen == nil {
		if m.state.Versions == nil {
			m.state.Versions = map[string]*version{}
		}
		seen = &version{First: now, LastSeen: o.last}
		for _, v := range m.state.Versions {
			seen.Number = max(seen.Number, v.Number+1)
		}
		m.state.Versions[o.version] = seen
		m.dirty = true
		m.work += versionWork
	}

	m.seen = seen
	m.seenName = o.version
	return seen
}

// dropOldestVersions forgets the versions seen longest ago until some are left.
func (m *Machine) dropOldestVersions(left int) {
	for len(m.state.Versions) > left {
		oldest := m.oldest(func(v *version) (time.Time, bool) { return v.LastSeen, true })
		maps.DeleteFunc(m.state.Versions, func(_ string, v *version) bool { return v == oldest })
	}
}

// count adds an observation to the statistics of its version.
func (m *Machine) count(now time.Time, o *observation) *version {
	m.state.Counters.Events += o.events
	if m.state.FirstEvent.IsZero() {
		m.state.FirstEvent = now
		m.dirty = true
	}

	seen := m.version(now, o)
	if m.state.Latest != o.version {
		m.state.Latest = o.version
		m.dirty = true // whose silence counts has changed
		m.standing.seen = nil
	}
	if m.hasAges && (m.isSilent || m.state.SilenceCheck.IsZero()) {
		m.dirty = true // a silence may have ended
	}
	seen.Heard = now
	if o.last.After(seen.LastSeen) {
		seen.LastSeen = o.last
	}
	if len(m.state.Versions) > maxVersions {
		m.state.Counters.Overflow += int64(len(m.state.Versions) - maxVersions)
		m.dropOldestVersions(maxVersions)
		if m.state.Versions[o.version] != seen {
			m.seen = nil
		}
	}

	kept := -1
	for i := range o.metrics {
		metric := &o.metrics[i]
		s := seen.Metrics[metric.name]
		if s == nil {
			if kept < 0 {
				kept = m.makeRoom(seen, o)
			}
			if kept >= maxVersionMetrics {
				m.state.Counters.Overflow++
				continue
			}

			kept++
			if seen.Metrics == nil {
				seen.Metrics = map[string]*statistics{}
			}
			s = &statistics{Min: metric.Min, Max: metric.Max}
			seen.Metrics[metric.name] = s
		}

		s.Count += metric.Count
		s.Sum += metric.Sum
		s.Min, s.Max = min(s.Min, metric.Min), max(s.Max, metric.Max)
	}

	return seen
}

// track makes sure that a version has a track of each rule.
func (m *Machine) track(seen *version) {
	rules := m.state.Policy.Rules
	if len(seen.Rules) == len(rules) {
		return
	}

	seen.Rules = newTracks(rules)
	m.dirty = true
	m.work += int64(len(rules))
	for {
		tracked := 0
		for _, v := range m.state.Versions { // in any order
			if v.Rules != nil {
				tracked++
			}
		}

		if tracked <= policy.MaxTracked {
			return
		}

		oldest := m.oldest(func(v *version) (time.Time, bool) { return v.Heard, v.Rules != nil && v != seen })
		oldest.Rules = nil
	}
}
