package monitor

import "time"

const (
	maxVersions       = 20  // versions that statistics are kept of
	maxVersionMetrics = 200 // metrics over all versions; further names are judged, but not kept
	// versionOverlap is how long versions may live side by side without one
	// pushing the other's metrics out.
	versionOverlap = time.Hour
)

// version is what was seen of one model version.
type version struct {
	LastSeen time.Time              `json:"last_seen"` // the latest event's timestamp
	Metrics  map[string]*statistics `json:"metrics,omitempty"`
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
func (m *Machine) makeRoom(seen *version, observation *Digest) (kept int) {
	for _, v := range m.state.Versions {
		kept += len(v.Metrics)
	}
	wanted := 0
	for name := range observation.Metrics {
		if seen.Metrics[name] == nil {
			wanted++
		}
	}
	for kept+wanted > maxVersionMetrics {
		var oldest *version
		for _, name := range sortedKeys(m.state.Versions) {
			if v := m.state.Versions[name]; len(v.Metrics) > 0 && v.LastSeen.Before(seen.LastSeen.Add(-versionOverlap)) &&
				(oldest == nil || v.LastSeen.Before(oldest.LastSeen)) {
				oldest = v
			}
		}
		if oldest == nil {
			break
		}
		kept -= len(oldest.Metrics)
		oldest.Metrics = nil
	}
	return kept
}

// count adds an observation to the statistics of its version.
func (m *Machine) count(observation *Digest) {
	m.state.Counters.Events += observation.Events
	seen := m.state.Versions[observation.ModelVersion]
	if seen == nil {
		if m.state.Versions == nil {
			m.state.Versions = map[string]*version{}
		}
		seen = &version{LastSeen: observation.Last, Metrics: map[string]*statistics{}}
		m.state.Versions[observation.ModelVersion] = seen
	}
	seen.LastSeen = later(seen.LastSeen, observation.Last)
	dropOldest(m.state.Versions, maxVersions, func(v *version) time.Time { return v.LastSeen })
	kept := m.makeRoom(seen, observation)
	for _, name := range sortedKeys(observation.Metrics) {
		metric := observation.Metrics[name]
		if s := seen.Metrics[name]; s != nil {
			s.Count += metric.Count
			s.Sum += metric.Sum
			s.Min, s.Max = min(s.Min, metric.Min), max(s.Max, metric.Max)
		} else if kept < maxVersionMetrics {
			kept++
			if seen.Metrics == nil {
				seen.Metrics = map[string]*statistics{}
			}
			seen.Metrics[name] = &statistics{Count: metric.Count, Sum: metric.Sum, Min: metric.Min, Max: metric.Max}
		}
	}
}
