// Package calendar is what clocks on walls come to as instants: when blackouts are on,
// when schedules are due, and where the periods of rules begin. Whatever it reads of
// the time zone database, which differs between machines, it gives as a value that can
// be recorded.
package calendar

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// Calendar is what a policy says in terms of clocks on walls, as instants between From
// and Until.
type Calendar struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Spans []Span    `json:"spans,omitempty"` // when blackouts are on, as SpansOf has them
	// Zones are how far clocks are ahead of UTC in those that rules name for their
	// periods, for two years around that time.
	Zones map[string][]Shift `json:"zones,omitempty"`
	// Due are the instants, in Unix seconds and in order, that the schedules name, by
	// their rules.
	Due map[string][]int64 `json:"due,omitempty"`
}

// Span is a stretch of time. From is in it, Until is not.
type Span struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// New is a calendar of blackouts alone. The error names every fault of them.
func New(blackouts []Blackout, from, until time.Time) (*Calendar, error) {
	spans, err := SpansOf(blackouts, from, until)
	if err != nil {
		return nil, err
	}
	return &Calendar{From: from, Until: until, Spans: spans}, nil
}

// AddSchedule computes when the schedule of a rule is due.
func (c *Calendar) AddSchedule(rule string, s Schedule) {
	if c.Due == nil {
		c.Due = map[string][]int64{}
	}
	c.Due[rule] = s.between(c.From, c.Until)
}

// AddZone computes how far clocks in a zone are ahead of UTC. The error says that it is
// unknown here.
func (c *Calendar) AddZone(name string) error {
	if c.Zones[name] != nil {
		return nil
	}
	zone, err := ParseZone(name)
	if err != nil {
		return err
	}

	if c.Zones == nil {
		c.Zones = map[string][]Shift{}
	}
	c.Zones[name] = shiftsOf(zone, c.From, c.Until)
	return nil
}

// ParseZone loads a zone. Local is refused: it is another on every machine.
func ParseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("must be a zone of the IANA time zone database such as Europe/Berlin, got %q", plain.Cut(name, 60))
	}
	return zone, nil
}

// At says whether now is in a blackout, and until when that one lasts. A nil calendar
// has none.
func (c *Calendar) At(now time.Time) (until time.Time, in bool) {
	if c == nil {
		return time.Time{}, false
	}
	next, _ := slices.BinarySearchFunc(c.Spans, now, func(s Span, now time.Time) int {
		if s.Until.After(now) {
			return 1
		}
		return -1
	})
	if next == len(c.Spans) || now.Before(c.Spans[next].From) {
		return time.Time{}, false
	}

	return c.Spans[next].Until, true
}
