package monitor

import (
	"maps"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// Status is the answer to the `status` query.
type Status struct {
	ModelName     string         `json:"model_name"`
	Phase         contract.Phase `json:"phase"`
	ModelVersion  string         `json:"model_version,omitempty"` // the live one: heard of last
	Policy        policy.Policy  `json:"policy"`                  // in force, nothing left out
	CooldownUntil time.Time      `json:"cooldown_until,omitzero"` // of the last trigger; may have passed
	Counters
	Publishers    int                      `json:"publishers"`     // remembered ones
	BatchVersions []int                    `json:"batch_versions"` // that it takes, oldest first
	StateVersion  int                      `json:"state_version"`  // that it hands on to its next run
	Current       *Flight                  `json:"current,omitempty"`
	Pending       *retraining.Pending      `json:"pending,omitempty"` // the trigger that waits for an operator's word
	Paused        *Control                 `json:"paused,omitempty"`
	Verification  *retraining.Verification `json:"verification,omitempty"`
	Failures      int                      `json:"failures,omitempty"`      // retrainings in a row that failed
	LastFailure   *Decision                `json:"last_failure,omitempty"`  // while no retraining has gone well since
	BlackoutUntil time.Time                `json:"blackout_until,omitzero"` // while one is on
	Budget        *retraining.BudgetStatus `json:"budget,omitempty"`        // of the policy, and what is left of it
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

// Measured are the metrics that events of any version have measured, in order.
func (s *Status) Measured() []string {
	measured := map[string]struct{}{}
	for _, version := range s.Versions {
		for name := range version.Metrics {
			measured[name] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(measured))
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
	status := m.Overview(now)
	shrink(&status, func() {
		for _, v := range status.Versions {
			for i := range v.Rules {
				r := &v.Rules[i]
				r.Datapoints = journal.KeepLast(r.Datapoints, len(r.Datapoints)/2)
			}
		}
	})
	shrink(&status, func() {
		status.Decisions = journal.KeepLast(status.Decisions, len(status.Decisions)/2)
		status.Rejections = journal.KeepLast(status.Rejections, len(status.Rejections)/2)
		dropOldest(status.Versions, len(status.Versions)/2, func(v VersionStatus) time.Time { return v.LastSeen })
	})
	return status
}

// Overview is Status for whoever reads it in this process, where nothing bounds it:
// to find out how long it is encoded is most of what a status costs.
func (m *Machine) Overview(now time.Time) Status {
	m.Journal.Settle()
	s := &m.state
	status := Status{
		ModelName: s.ModelName, Phase: m.Course.Phase(now), Policy: s.Policy, CooldownUntil: m.Course.CooldownUntil(),
		Counters: s.Counters, Publishers: len(s.Publishers), BatchVersions: metric.BatchVersions(), StateVersion: StateVersion, Current: s.Flight, Paused: s.Pause,
		Verification: s.Verification, Failures: s.Failures, LastFailure: s.Failure, ModelVersion: s.Latest,
		Versions:  make(map[string]VersionStatus, len(s.Versions)),
		Decisions: append([]Decision{}, s.Decisions...), Rejections: append([]Rejection{}, s.Rejections...),
	}
	if s.Pending != nil {
		pending := *s.Pending
		pending.Until = clock.Later(pending.Until, m.Course.AnsweredAt(now)) // a blackout may hold no answer up
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
		status.Versions[name] = VersionStatus{v.LastSeen, metrics, v.SupersededBy, m.watch.Rules(name, now)}
	}

	status.BlackoutUntil, _ = s.Calendar.At(now)
	status.Budget = m.Course.Budget(now)
	status.NextWake, _ = m.NextWake()
	status.Next = []Next{}
	m.wakes(now, m.watch.NextDatapoint(), func(what string, at time.Time) {
		status.Next = append(status.Next, Next{at, s.brings(what)})
	})
	slices.SortStableFunc(status.Next, func(a, b Next) int { return a.At.Compare(b.At) })
	return status
}
