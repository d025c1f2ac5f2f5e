package retraining

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

const (
	// calendarLength is how far ahead a policy's calendar is computed, and how far back
	// at most.
	calendarLength = 14 * 24 * time.Hour
	// calendarMargin is how long before its end a calendar is computed anew.
	calendarMargin = 24 * time.Hour
)

// CalendarWanted says that the calendar of the policy is to be computed and handed to
// SetCalendar, before anything else is decided at now, and for which time. It is
// computed outside and recorded, since time zone data differs between workers. It
// begins before now where schedules were not judged since.
func (c *Course) CalendarWanted(now time.Time) (wanted calendar.Span, ok bool) {
	if !c.policy.NeedsCalendar() {
		return wanted, false
	}

	now = clock.Plain(now)
	if known := c.all.Calendar; known != nil && now.Before(calendarEnds(known)) {
		return wanted, false
	}

	wanted = calendar.Span{From: now, Until: now.Add(calendarLength)}
	if judged, isKnown := c.watch.SchedulesJudged(); isKnown {
		wanted.From = clock.Later(clock.Earlier(judged, now), now.Add(-calendarLength))
	}
	return wanted, true
}

// SetCalendar takes the calendar of the policy for the time that was wanted. With an
// error it has what was known of zones alone, which is counted and explained.
func (c *Course) SetCalendar(now time.Time, wanted calendar.Span, computed *calendar.Calendar, err error) {
	if err != nil {
		c.journal.Reject(now, "calendar", err, nil)
	}
	if err != nil || computed == nil {
		computed = &calendar.Calendar{From: wanted.From, Until: wanted.Until, Zones: c.zones()}
	}
	c.all.Calendar = computed
	c.watch.SetZones(computed.Zones)
	c.watch.BeginSchedules(clock.Plain(now))
}

// zones are what is known of those whose clocks periods go by.
func (c *Course) zones() map[string][]calendar.Shift {
	if c.all.Calendar == nil {
		return nil
	}
	return c.all.Calendar.Zones
}

// calendarEnds is when a calendar is to be computed anew.
func calendarEnds(known *calendar.Calendar) time.Time { return known.Until.Add(-calendarMargin) }

// NextCalendar is when the calendar is to be computed anew so that no instant of a
// schedule is missed; ok is false where there is none. For blackouts alone nobody is
// woken: they matter when something comes.
func (c *Course) NextCalendar() (at time.Time, ok bool) {
	if c.all.Calendar == nil || !c.watch.HasSchedules() {
		return at, false
	}
	return calendarEnds(c.all.Calendar), true
}

// Clocks is what the calendar of the policy in force follows from.
func (c *Course) Clocks() *policy.Policy { return c.policy.Clocks() }
