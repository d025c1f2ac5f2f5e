package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Clocks is of the policy what its calendar follows from: blackouts, schedules and the
// zones of periods. Rules have the numbers that they have in the policy; those that name
// no clock are empty, and those behind the last that does are left out.
func (p *Policy) Clocks() *Policy {
	clocks := &Policy{Blackout: p.Blackout}
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Schedule == "" && r.Zone == "" {
			continue
		}
		clocks.Rules = append(clocks.Rules, make([]Rule, i+1-len(clocks.Rules))...)
		clocks.Rules[i] = Rule{Name: r.Name, Schedule: r.Schedule, Zone: r.Zone}
	}
	return clocks
}

// NeedsCalendar says that the policy names clocks on walls.
func (p *Policy) NeedsCalendar() bool {
	return len(p.Blackout) > 0 || slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Zone != "" || r.Schedule != "" })
}

// Calendar computes what the policy's clocks come to. It reads the time zone data of
// this process, which differs between machines, so a workflow records what it returns.
// The error names every fault, of which one is a zone that is unknown here.
func (p *Policy) Calendar(from, until time.Time) (*calendar.Calendar, error) {
	c, err := calendar.New(p.Blackout, from, until)
	if err != nil {
		return nil, err
	}

	var faults []error
	for i := range p.Rules {
		faults = append(faults, p.Rules[i].addTo(c, fmt.Sprintf("rules[%d]", i))...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

// addTo adds what the rule's clocks come to to a calendar.
func (r *Rule) addTo(c *calendar.Calendar, path string) []error {
	if r.Schedule == "" {
		if r.Zone == "" {
			return nil
		}
		err := c.AddZone(r.Zone)
		return []error{strict.At(strict.Join(path, "zone"), err)}
	}

	due, faults := calendar.ParseSchedule(r.Schedule, r.Zone, path)
	if faults == nil {
		c.AddSchedule(r.Name, due)
	}
	return faults
}
