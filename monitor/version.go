package monitor

import "time"

const (
	maxVersions       = 20  // versions that statistics are kept of
	maxVersionMetrics = 200 // metrics over all versions; further names are judged, but not kept
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
	kept := 0
	for _, v := range m.state.Versions {
		kept += len(v.Metrics)
	}
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
