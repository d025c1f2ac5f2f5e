package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Status is the answer to the `status` query.
type Status struct {
	ModelName     string         `json:"model_name"`
	Phase         contract.Phase `json:"phase"`
	Policy        policy.Policy  `json:"policy"`                  // in force, nothing left out
	CooldownUntil time.Time      `json:"cooldown_until,omitzero"` // of the last trigger; may have passed
	Counters
	Publishers    int                      `json:"publishers"`     // remembered ones
	BatchVersions []int                    `json:"batch_versions"` // that it takes, oldest first
	Current       *Flight                  `json:"current,omitempty"`
	Pending       *Pending                 `json:"pending,omitempty"` // the trigger that waits for an operator's word
	Paused        *Control                 `json:"paused,omitempty"`
	Verification  *Verification            `json:"verification,omitempty"`
	Failures      int                      `json:"failures,omitempty"`      // retrainings in a row that failed
	BlackoutUntil time.Time                `json:"blackout_until,omitzero"` // while one is on
	NextWake      time.Time                `json:"next_wake,omitzero"`      // when time alone changes something next
	Next          []Next                   `json:"next"`                    // what time alone brings, the earliest first
	Versions      map[string]VersionStatus `json:"versions"`
	Decisions     []Decision               `json:"decisions"`  // oldest first
	Rejections    []Rejection              `json:"rejections"` // oldest first
}

// VersionStatus is what was seen of one model version.
type VersionStatus struct {
	LastSeen time.Time               `json:"last_seen"`
	Metrics  map[string]MetricStatus `json:"metrics"`
	// SupersededBy is the version that a retraining which this one triggered has made.
	SupersededBy string       `json:"superseded_by,omitempty"`
	Rules        []RuleStatus `json:"rules,omitempty"` // of the versions last heard of, in the policy's order
}

// LatestRules returns what the rules say of the version heard of last, nil while
// they have judged none.
func (s *Status) LatestRules() (version string, rules []RuleStatus) {
	for name, v := range s.Versions {
		if older := s.Versions[version]; v.Rules != nil && (rules == nil || v.LastSeen.After(older.LastSeen) || v.LastSeen.Equal(older.LastSeen) && name > version) {
			version = name
			rules = v.Rules
		}
	}
	return version, rules
}

// RuleStatus is what one rule says of a model version.
type RuleStatus struct {
	Name      string         `json:"name"`
	Verdict   Verdict        `json:"verdict,omitempty"` // left out: unknown
	At        time.Time      `json:"at,omitzero"`       // when it was last judged
	Value     metric.Reading `json:"value,omitzero"`    // then
	Threshold metric.Reading `json:"threshold,omitzero"`
	// Datapoints are the last judged, oldest first.
	Datapoints []DatapointStatus `json:"datapoints,omitempty"`
	NextAt     time.Time         `json:"next_at,omitzero"` // when the next datapoint is judged
	Baseline   metric.Reading    `json:"baseline,omitzero"`
	// BaselineSamples is how many readings the baseline has while it fills up.
	BaselineSamples int64 `json:"baseline_samples,omitempty"`
	// Late counts the events that came when their period was judged already.
	Late   int64     `json:"late,omitempty"`
	LateAt time.Time `json:"late_at,omitzero"` // the timestamp of the last of them
}

// DatapointStatus is one judged datapoint.
type DatapointStatus struct {
	Start       time.Time      `json:"start"`          // of its period
	Value       metric.Reading `json:"value,omitzero"` // left out: missing
	Breach      bool           `json:"breach,omitempty"`
	Unknown     bool           `json:"unknown,omitempty"`     // it could not be judged: no baseline yet, or an outage of the monitor
	Approximate bool           `json:"approximate,omitempty"` // a digest crossed its period's boundary
}

// shownDatapoints is how many of a rule's datapoints a status has.
const shownDatapoints = 30

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
	status := m.Overview(now)
	shrink(&status, func() {
		for _, v := range status.Versions {
			for i := range v.Rules {
				r := &v.Rules[i]
				r.Datapoints = keepLast(r.Datapoints, len(r.Datapoints)/2)
			}
		}
	})
	shrink(&status, func() {
		status.Decisions = keepLast(status.Decisions, len(status.Decisions)/2)
		status.Rejections = keepLast(status.Rejections, len(status.Rejections)/2)
		dropOldest(status.Versions, len(status.Versions)/2, func(v VersionStatus) time.Time { return v.LastSeen })
	})
	return status
}

// Overview is Status for whoever reads it in this process, where nothing bounds it:
// to find out how long it is encoded is most of what a status costs.
func (m *Machine) Overview(now time.Time) Status {
	m.settleStreaks()
	s := &m.state
	status := Status{
		ModelName: s.ModelName, Phase: m.Phase(now), Policy: s.Policy, CooldownUntil: m.CooldownUntil(),
		Counters: s.Counters, Publishers: len(s.Publishers), BatchVersions: metric.BatchVersions(), Current: s.Flight, Paused: s.Pause,
		Verification: s.Verification, Failures: s.Failures,
		Versions:  make(map[string]VersionStatus, len(s.Versions)),
		Decisions: append([]Decision{}, s.Decisions...), Rejections: append([]Rejection{}, s.Rejections...),
	}
	if s.Pending != nil {
		pending := *s.Pending
		pending.Until = clock.Later(pending.Until, m.answeredAt(now)) // a blackout may hold no answer up
		status.Pending = &pending
	}
	if status.Suppressed == nil {
		status.Suppressed = map[Suppression]int64{}
	}
	for name, v := range s.Versions {
		metrics := make(map[string]MetricStatus, len(v.Metrics))
		for metric, sum := range v.Metrics {
			metrics[metric] = MetricStatus{sum.Count, sum.Min, sum.Max, sum.Sum / float64(sum.Count)}
		}
		status.Versions[name] = VersionStatus{v.LastSeen, metrics, v.SupersededBy, m.ruleStatuses(name, v, now)}
	}

	status.BlackoutUntil, _ = s.Calendar.At(now)
	if next, ok := m.nextWake(); ok {
		status.NextWake = next
	}
	status.Next = m.next(now)
	if status.Next == nil {
		status.Next = []Next{}
	}
	return status
}

// ruleStatuses is what the rules say of a version.
func (m *Machine) ruleStatuses(name string, seen *version, now time.Time) []RuleStatus {
	statuses := make([]RuleStatus, 0, len(seen.Rules))
	for i, t := range seen.Rules {
		r := &m.state.Policy.Rules[i]
		s := RuleStatus{Name: r.Name, Verdict: t.Verdict, At: t.At, Value: t.Value, Threshold: t.Threshold}
		if kind := m.forms[i]; kind == policy.FormWindow || kind == policy.FormAge || kind == policy.FormSilence {
			s.Verdict = m.stands(i, seen, now)
		}
		if m.isAge(i) {
			s.At = m.looked(i).At
		}
		if w := t.Window; w != nil {
			s.Baseline = w.baseOf(r)
			s.Late = w.Late
			s.LateAt = w.LateAt
			if w.First != nil {
				s.BaselineSamples = w.First.Count
			}
			if due, ok := w.nextDue(r, m.hearsSilence(name, i, w)); ok {
				s.NextAt = due
			}
			for _, p := range w.Points[max(0, len(w.Points)-shownDatapoints):] {
				s.Datapoints = append(s.Datapoints, DatapointStatus{time.Unix(p.Start, 0).UTC(), p.Value, p.Breach, p.Unknown, p.Approximate})
			}
		}

		statuses = append(statuses, s)
	}

	return statuses
}
