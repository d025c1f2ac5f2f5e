package policy

import (
	"time"

	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Periods are those of a rule that has some. zones are what was computed of the zones
// that policies name; of one that is not among them, clocks are taken to show UTC.
func (r *Rule) Periods(zones map[string][]calendar.Shift) calendar.Periods {
	return calendar.NewPeriods(r.PeriodLength(), time.Duration(r.Offset.Or(0)), r.GraceLength(), zones[r.Zone])
}

// PeriodLength is the rule's period; 0 without one.
func (r *Rule) PeriodLength() time.Duration { return time.Duration(r.Period.Or(0)) }

// GraceLength is how long after its period a datapoint is judged.
func (r *Rule) GraceLength() time.Duration {
	return time.Duration(r.Grace.Or(Duration(min(maxDefaultGrace, r.PeriodLength()/10))))
}

// MOfN is how many of how many datapoints must breach.
func (r *Rule) MOfN() (m, n int) {
	if r.Datapoints == nil {
		return 1, 1
	}

	m = r.Datapoints.Breaching
	n = r.Datapoints.Of
	switch {
	case m == 0 && n == 0:
		return 1, 1
	case m == 0:
		return n, n
	case n == 0:
		return m, m
	}

	return m, n
}

// IsTotal says that the rule's statistic grows with the readings: of part of a period it
// says nothing, and silence is 0.
func (r *Rule) IsTotal() bool { return r.Stat == StatCount || r.Stat == StatSum }

// KnowsSilence says that a period without a reading is a datapoint too.
func (r *Rule) KnowsSilence() bool { return r.IsTotal() || !r.IgnoresMissing() }

// Reach is how many periods back a rule looks.
func (r *Rule) Reach() int {
	_, n := r.MOfN()
	if r.IgnoresMissing() {
		return missingReach * n
	}
	return n
}

// IgnoresMissing says that earlier datapoints are looked at instead of missing ones.
func (r *Rule) IgnoresMissing() bool { return r.Missing == "" || r.Missing == MissingIgnored }

// missingReach is how many times N periods a rule that ignores missing
// datapoints looks back.
const missingReach = 3
