package contract

import (
	"reflect"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Guidance is the answer to the `guidance` query: what a publisher wants to know
// to pace itself. It is only about urgency; the decision stays the machine's.
type Guidance struct {
	Phase         Phase         `json:"phase"`
	CooldownUntil time.Time     `json:"cooldown_until,omitzero"`
	Rules         []policy.Rule `json:"rules"`
	Publishers    int           `json:"publishers"` // heard of in the last two intervals
	// ReportEvery is how often one publisher alone reports a healthy model; monitors
	// that are older than this field leave it out.
	ReportEvery policy.Duration `json:"report_every,omitempty"`
	// KeepDistributions are the policy's.
	KeepDistributions []string `json:"keep_distributions,omitempty"`
	// Zones are how far clocks are ahead of UTC in those that rules with a period name:
	// publishers and the monitor go by the same ones.
	Zones map[string][]calendar.Shift `json:"zones,omitempty"`
	// Bins are the edges between which rules on drift want readings counted, by model version.
	Bins []Bins `json:"bins,omitempty"`
	// BatchVersions are those that the monitor takes; none means 1.
	BatchVersions []int `json:"batch_versions,omitempty"`
}

// Bins are the edges between which the readings of one model version are to be counted.
type Bins struct {
	ModelVersion string `json:"model_version,omitempty"`
	// Others says that they are for all versions that have none of their own.
	Others  bool                  `json:"others,omitempty"`
	Metrics map[string]MetricBins `json:"metrics"`
}

// MetricBins are those of one metric. One that a rule on drift watches, but that is not
// in the list, is wanted as a sketch alone: its edges are not known.
type MetricBins struct {
	Grids []drift.Grid `json:"grids,omitempty"` // at most metric.MaxBinned
	// Sketch says that a rule on drift wants a sketch, too: it learns the edges of
	// another reference.
	Sketch bool `json:"sketch,omitempty"`
}

// BinsOf are the metrics of a model version whose edges are known.
func (g *Guidance) BinsOf(modelVersion string) (metrics map[string]MetricBins) {
	for i := range g.Bins {
		switch b := &g.Bins[i]; {
		case b.Others:
			metrics = b.Metrics
		case b.ModelVersion == modelVersion:
			return b.Metrics
		}
	}
	return metrics
}

// BatchVersion is the newest version of a batch that this code writes and the
// monitor takes: 1, which every monitor takes, while nothing was learnt of it.
func (g Guidance) BatchVersion() int {
	newest := 1
	for _, version := range g.BatchVersions {
		if version <= metric.BatchVersion {
			newest = max(newest, version)
		}
	}
	return newest
}

// Pace of all publishers of one model together.
const (
	// maxSignalRate is the sustained signals per second that one workflow takes
	// well; about 5, from Temporal's guidance (temporalio/documentation#3665).
	maxSignalRate = 5
	// healthyPublishers report as often as one alone while healthy; more of them
	// share what these send.
	healthyPublishers = 5
	// longestPace is how often each publisher reports at least, however many there
	// are: half of the time for which a monitor remembers one.
	longestPace = 24 * time.Hour
	// earlyReportEvery is the interval of monitors that don't tell theirs, and count
	// their publishers by it.
	earlyReportEvery = 10 * time.Second
	// shortestGuidanceAge bounds the queries of those that report every few seconds.
	shortestGuidanceAge = 5 * time.Minute
)

// HealthyPace is how often each of so many publishers reports while healthy, where one
// alone does so at an interval.
func HealthyPace(every time.Duration, publishers int) time.Duration {
	stretched := every / healthyPublishers * time.Duration(publishers)
	return max(every, min(stretched, longestPace))
}

// UrgentPace is how often each of so many publishers repeats a breach.
func UrgentPace(publishers int) time.Duration {
	return max(time.Second, time.Duration(publishers)*time.Second/maxSignalRate)
}

// ReportInterval is how often one publisher alone reports.
func (g *Guidance) ReportInterval() time.Duration {
	if g.ReportEvery == 0 {
		return earlyReportEvery
	}
	return time.Duration(g.ReportEvery)
}

// HealthyPace is how often each publisher reports while healthy.
func (g *Guidance) HealthyPace() time.Duration { return HealthyPace(g.ReportInterval(), g.Publishers) }

// UrgentPace is how often each publisher repeats a breach.
func (g *Guidance) UrgentPace() time.Duration { return UrgentPace(g.Publishers) }

// Age is after how long a publisher asks anew although it has not heard of a change:
// all of a model's together ask once in five intervals.
func (g *Guidance) Age() time.Duration {
	alone := max(healthyPublishers*g.ReportInterval(), shortestGuidanceAge)
	return min(alone*time.Duration(max(1, g.Publishers)), max(alone, longestPace))
}

// IsNewsAfter says that publishers who go by an earlier guidance should ask anew: it has
// other rules, edges or clocks, another interval or number of publishers, by far, or a pause is over. What
// else changes they see coming, or ask about when they have a breach.
func (g *Guidance) IsNewsAfter(earlier *Guidance) bool {
	pace, before := g.HealthyPace(), earlier.HealthyPace()
	return g.ReportEvery != earlier.ReportEvery || pace >= 2*before || before >= 2*pace ||
		earlier.Phase == PhasePaused && g.Phase != PhasePaused ||
		!slices.Equal(g.KeepDistributions, earlier.KeepDistributions) || !reflect.DeepEqual(g.Bins, earlier.Bins) ||
		!reflect.DeepEqual(g.Rules, earlier.Rules) || !reflect.DeepEqual(g.Zones, earlier.Zones)
}
