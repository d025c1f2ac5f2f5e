package calendar

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

// NewPeriods are periods of whole seconds, of which each is judged a grace after its
// end. zone is what was computed of the zone whose clocks they go by; nil is UTC.
func NewPeriods(length, offset, grace time.Duration, zone []Shift) Periods {
	return Periods{int64(length / time.Second), int64(offset / time.Second), grace, zone}
}

// Length is that of a period whose clocks don't change.
func (p *Periods) Length() time.Duration { return time.Duration(p.length) * time.Second }

// Of is the period that an instant is in.
func (p *Periods) Of(at time.Time) int64 { return p.start(p.number(at.Unix())) }

// Has says that an instant is in the period that begins at start. It is quicker said than
// which period an instant is in.
func (p *Periods) Has(start int64, at time.Time) bool {
	if p.zone != nil {
		return p.Of(at) == start
	}
	since := at.Unix() - start
	return 0 <= since && since < p.length
}

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
	if last, _ := at.ZoneBounds(); !last.IsZero() {
		at = last // the same whenever it is computed
	}
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
