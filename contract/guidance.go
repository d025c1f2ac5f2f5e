package contract

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Guidance is the answer to the `guidance` query: what a publisher wants to know
// to pace itself. It is only about urgency; the decision stays the machine's.
type Guidance struct {
	Phase         Phase         `json:"phase"`
	CooldownUntil time.Time     `json:"cooldown_until,omitzero"`
	Rules         []policy.Rule `json:"rules"`
	Publishers    int           `json:"publishers"` // heard of in the last two intervals
	// BatchVersions are those that the monitor takes; none means 1.
	BatchVersions []int `json:"batch_versions,omitempty"`
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
	// MaxSignalRate is the sustained signals per second that one workflow takes
	// well; about 5, from Temporal's guidance (temporalio/documentation#3665).
	MaxSignalRate = 5
	// HealthyInterval is how often one publisher alone reports while healthy.
	HealthyInterval = 10 * time.Second
	// healthySignalRate bounds the signals per second of all while healthy.
	healthySignalRate = 0.2
)

// HealthyPace is how often each of so many publishers reports while healthy.
func HealthyPace(publishers int) time.Duration {
	return max(HealthyInterval, time.Duration(float64(publishers)/healthySignalRate*float64(time.Second)))
}

// UrgentPace is how often each of so many publishers repeats a breach.
func UrgentPace(publishers int) time.Duration {
	return max(time.Second, time.Duration(publishers)*time.Second/MaxSignalRate)
}
