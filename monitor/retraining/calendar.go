package retraining

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	// calendarLength is how far ahead a policy's blackouts are computed.
	calendarLength = 14 * 24 * time.Hour
	// calendarMargin is how long before its end a calendar is computed anew.
	calendarMargin = 24 * time.Hour
)

// CalendarWanted says that the spans of the policy's blackouts are to be computed
// and handed to SetCalendar, before anything else is decided at now, and for which
// time. They are computed outside and recorded, since time zone data differs
// between workers.
func (c *Course) CalendarWanted(now time.Time) (wanted policy.Span, ok bool) {
	if len(c.policy.Blackout) == 0 {
		return wanted, false
	}
	now = clock.Plain(now)
	if known := c.all.Calendar; known != nil && now.Before(known.Until.Add(-calendarMargin)) {
		return wanted, false
	}
	return policy.Span{From: now, Until: now.Add(calendarLength)}, true
}

// SetCalendar takes the spans of the policy's blackouts in the time that was
// wanted. With an error there are none, which is counted and explained.
func (c *Course) SetCalendar(now time.Time, wanted policy.Span, spans []policy.Span, err error) {
	if err != nil {
		c.journal.Reject(now, "blackout", err, nil)
	}
	c.all.Calendar = &policy.Calendar{From: wanted.From, Until: wanted.Until, Spans: spans}
}

// Blackouts are those of the policy in force.
func (c *Course) Blackouts() []policy.Blackout { return c.policy.Blackout }
