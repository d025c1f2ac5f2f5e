package monitor

import "time"

// Status is the answer to the `status` query.
type Status struct {
	ModelName     string    `json:"model_name"`
	Phase         Phase     `json:"phase"`
	Policy        Policy    `json:"policy"`                  // in force, nothing left out
	CooldownUntil time.Time `json:"cooldown_until,omitzero"` // of the last trigger; may have passed
	Counters
	Publishers int                      `json:"publishers"` // remembered ones
	Current    *Flight                  `json:"current,omitempty"`
	Paused     *Control                 `json:"paused,omitempty"`
	Versions   map[string]VersionStatus `json:"versions"`
	Decisions  []Decision               `json:"decisions"`  // oldest first
	Rejections []Rejection              `json:"rejections"` // oldest first
}

// VersionStatus is what was seen of one model version.
type VersionStatus struct {
	LastSeen time.Time               `json:"last_seen"`
	Metrics  map[string]MetricStatus `json:"metrics"`
}

// MetricStatus sums up one metric of a version.
type MetricStatus struct {
	Count int64   `json:"count"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Mean  float64 `json:"mean"`
}

// Status returns the monitor's status at now, within MaxStateBytes. It shares
// memory with the machine: encode it before the next input.
func (m *Machine) Status(now time.Time) Status {
	s := &m.state
	status := Status{
		ModelName: s.ModelName, Phase: m.Phase(now), Policy: s.Policy, CooldownUntil: m.CooldownUntil(),
		Counters: s.Counters, Publishers: len(s.Publishers), Current: s.Flight, Paused: s.Pause,
		Versions:  make(map[string]VersionStatus, len(s.Versions)),
		Decisions: append([]Decision{}, s.Decisions...), Rejections: append([]Rejection{}, s.Rejections...),
	}
	if status.Suppressed == nil {
		status.Suppressed = map[Suppression]int64{}
	}
	for name, v := range s.Versions {
		metrics := make(map[string]MetricStatus, len(v.Metrics))
		for metric, sum := range v.Metrics {
			metrics[metric] = MetricStatus{sum.Count, sum.Min, sum.Max, sum.Sum / float64(sum.Count)}
		}
		status.Versions[name] = VersionStatus{v.LastSeen, metrics}
	}
	shrink(&status, func() {
		status.Decisions = keepLast(status.Decisions, len(status.Decisions)/2)
		status.Rejections = keepLast(status.Rejections, len(status.Rejections)/2)
		dropOldest(status.Versions, len(status.Versions)/2, func(v VersionStatus) time.Time { return v.LastSeen })
	})
	return status
}
