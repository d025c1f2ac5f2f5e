package policy

import "time"

// Periods are what a rule puts readings into: stretches of one length, one after the
// other, each called by the Unix second at which it begins. They are aligned to the
// Unix epoch, or to the Offset after it; in a zone, to midnights there, so that a day
// in which its clocks change has 23 or 25 hours.
//
// Machine, hub and reports all take a rule's from here, so that they agree on which
// period a reading is in.
type Periods struct {
	length, offset int64 // seconds
	grace          time.Duration
	zone           []Shift // none: UTC
}

// Shift is from when on clocks in a zone are so far ahead of UTC.
type Shift struct {
	From  int64 `json:"from"`  // Unix seconds; the first of a zone's also holds for all before it
	Ahead int64 `json:"ahead"` // seconds; negative west of Greenwich
}

// Periods are those of a rule that has some. zones are what was computed of the zones
// that policies name; of one that is not among them, clocks are taken to show UTC.
func (r *Rule) Periods(zones map[string][]Shift) Periods {
	return Periods{
		length: r.PeriodSeconds(), offset: int64(time.Duration(r.Offset.Or(0)) / time.Second), grace: r.GraceLength(), zone: zones[r.Zone],
	}
}

// Length is that of a period whose clocks don't change.
func (p *Periods) Length() time.Duration { return time.Duration(p.length) * time.Second }

// Of is the period that an instant is in.
func (p *Periods) Of(at time.Time) int64 { return p.start(p.number(at.Unix())) }

// Number tells how many periods lie between two: those that follow one another have
// numbers that do.
func (p *Periods) Number(start int64) int64 { return p.number(start) }

// Move is the period so many after the one that begins at start; before it where by is
// negative.
func (p *Periods) Move(start, by int64) int64 {
	if p.zone == nil {
		return start + by*p.length
	}
	return p.start(p.number(start) + by)
}

// End is when the period that begins at start is over, in Unix seconds.
func (p *Periods) End(start int64) int64 { return p.Move(start, 1) }

// Due is when the period that begins at start is judged.
func (p *Periods) Due(start int64) time.Time { return time.Unix(p.End(start), 0).Add(p.grace).UTC() }

// FirstOpen is the first period that is not due yet.
func (p *Periods) FirstOpen(now time.Time) int64 { return p.Of(now.Add(-p.grace)) }

// number counts periods from the one that begins at the epoch, or at the offset after.
func (p *Periods) number(at int64) int64 {
	if p.zone == nil {
		return floorDivide(at-p.offset, p.length)
	}

	number := floorDivide(at+p.ahead(at)-p.offset, p.length)
	if p.start(number+1) <= at { // the clock was put back after it had begun
		number++
	}
	return number
}

// start is when a clock in the zone first shows a period's beginning, or jumps past
// it, in Unix seconds.
func (p *Periods) start(number int64) int64 {
	reading := number*p.length + p.offset
	for i, shift := range p.zone {
		at := reading - shift.Ahead
		if i > 0 {
			at = max(at, shift.From)
		}
		if i+1 == len(p.zone) || at < p.zone[i+1].From {
			return at
		}
	}
	return reading
}

// ahead is how far clocks in the zone are ahead of UTC at an instant.
func (p *Periods) ahead(at int64) (seconds int64) {
	for i, shift := range p.zone {
		if i == 0 || shift.From <= at {
			seconds = shift.Ahead
		}
	}
	return seconds
}

func floorDivide(a, b int64) int64 {
	quotient := a / b
	if a%b < 0 {
		quotient--
	}
	return quotient
}

// shiftsReach is how long before and after the time that is asked about a zone's
// shifts are computed, so that datapoints of a year ago are still told apart.
const shiftsReach = 2 * 365 * 24 * time.Hour

// shiftsOf are the shifts of a zone around a stretch of time. They are read from the
// time zone data of this process.
func shiftsOf(zone *time.Location, from, until time.Time) []Shift {
	at := from.Add(-shiftsReach).In(zone)
	_, ahead := at.Zone()
	shifts := []Shift{{From: at.Unix(), Ahead: int64(ahead)}}
	for {
		_, change := at.ZoneBounds()
		if change.IsZero() || change.After(until.Add(shiftsReach)) {
			return shifts
		}
		_, ahead := change.Zone()
		shifts = append(shifts, Shift{From: change.Unix(), Ahead: int64(ahead)})
		at = change
	}
}

// PeriodLength is the rule's period; 0 without one.
func (r *Rule) PeriodLength() time.Duration { return time.Duration(r.Period.Or(0)) }

// PeriodSeconds is the period's length.
func (r *Rule) PeriodSeconds() int64 { return int64(r.PeriodLength() / time.Second) }

// GraceLength is how long after its period a datapoint is judged.
func (r *Rule) GraceLength() time.Duration {
	return time.Duration(r.Grace.Or(Duration(min(maxDefaultGrace, r.PeriodLength()/10))))
}

// PeriodOf is the period of the rule that an instant is in, where it names no zone.
func (r *Rule) PeriodOf(at time.Time) int64 {
	periods := r.Periods(nil)
	return periods.Of(at)
}

// DueAt is when the period that begins at start is judged, where the rule names no
// zone.
func (r *Rule) DueAt(start int64) time.Time {
	periods := r.Periods(nil)
	return periods.Due(start)
}

// FirstOpen is the first period that is not due yet, where the rule names no zone.
func (r *Rule) FirstOpen(now time.Time) int64 {
	periods := r.Periods(nil)
	return periods.FirstOpen(now)
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
