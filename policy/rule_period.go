package policy

import "time"

// PeriodLength is the rule's period; 0 without one.
func (r *Rule) PeriodLength() time.Duration { return time.Duration(r.Period.Or(0)) }

// GraceLength is how long after its period a datapoint is judged.
func (r *Rule) GraceLength() time.Duration {
	return time.Duration(r.Grace.Or(Duration(min(maxDefaultGrace, r.PeriodLength()/10))))
}

// PeriodOf is the start of the period, in Unix seconds, that an instant is in.
func (r *Rule) PeriodOf(at time.Time) int64 {
	period := int64(r.PeriodLength() / time.Second)
	start := at.Unix() / period * period
	if start > at.Unix() { // before 1970
		start -= period
	}
	return start
}

// DueAt is when the period that begins at start is judged.
func (r *Rule) DueAt(start int64) time.Time {
	return time.Unix(start, 0).Add(r.PeriodLength() + r.GraceLength()).UTC()
}

// FirstOpen is the first period that is not due yet.
func (r *Rule) FirstOpen(now time.Time) int64 {
	start := r.PeriodOf(now.Add(-r.PeriodLength() - r.GraceLength()))
	for !r.DueAt(start).After(now) {
		start += r.PeriodSeconds()
	}
	return start
}

// PeriodSeconds is the period's length.
func (r *Rule) PeriodSeconds() int64 { return int64(r.PeriodLength() / time.Second) }

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

// KnowsSilence says that a period without a reading is a datapoint too.
func (r *Rule) KnowsSilence() bool {
	return r.Stat == StatCount || r.Stat == StatSum || !r.IgnoresMissing()
}

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
