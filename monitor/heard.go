package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Guidance returns what publishers should know at now.
func (m *Machine) Guidance(now time.Time) contract.Guidance {
	return contract.Guidance{
		Phase: m.Phase(now), CooldownUntil: m.CooldownUntil(), Rules: m.state.Policy.Rules,
		Publishers: m.activePublishers(now), BatchVersions: metric.BatchVersions(),
		ReportEvery: policy.Duration(m.state.Policy.ReportInterval()), KeepDistributions: m.state.Policy.KeepDistributions,
	}
}

// activePublishers counts those heard of within two of their own intervals.
// Which that is depends on their number, so it is found by shrinking: counted
// from below, a hundred that report at the same time would be taken for one in
// between, and hurry.
func (m *Machine) activePublishers(now time.Time) int {
	every := m.state.Policy.ReportInterval()
	active := len(m.state.Publishers)
	for {
		heard := 0
		for _, known := range m.state.Publishers {
			if !known.Closed && now.Sub(known.LastWord) <= 2*contract.HealthyPace(every, active) {
				heard++
			}
		}

		if heard >= active {
			return heard
		}

		active = heard
	}
}
