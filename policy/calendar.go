package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
)

// Calendar is what a policy says in terms of clocks on walls, as instants between From
// and Until.
type Calendar struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Spans []Span    `json:"spans,omitempty"` // when blackouts are on, as BlackoutSpans has them
	// Zones are how far clocks are ahead of UTC in those that rules name for their
	// periods, for two years around that time.
	Zones map[string][]Shift `json:"zones,omitempty"`
}

// NeedsCalendar says that the policy names clocks on walls.
func (p *Policy) NeedsCalendar() bool {
	return len(p.Blackout) > 0 || slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Zone != "" })
}

// Calendar computes what the policy's clocks come to. It reads the time zone data of
// this process, which differs between machines, so a workflow records what it returns.
// The error names every fault, of which one is a zone that is unknown here.
func (p *Policy) Calendar(from, until time.Time) (*Calendar, error) {
	spans, err := BlackoutSpans(p.Blackout, from, until)
	if err != nil {
		return nil, err
	}

	c := &Calendar{From: from, Until: until, Spans: spans}
	for i := range p.Rules {
		name := p.Rules[i].Zone
		if name == "" || c.Zones[name] != nil {
			continue
		}

		zone, err := parseZone(name)
		if err != nil {
			return nil, strict.At(fmt.Sprintf("rules[%d].zone", i), err)
		}
		if c.Zones == nil {
			c.Zones = map[string][]Shift{}
		}
		c.Zones[name] = shiftsOf(zone, from, until)
	}

	return c, nil
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
