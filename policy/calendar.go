package policy

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/modelvigil/modelvigil/internal/plain"
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
	// Due are the instants, in Unix seconds and in order, that the schedules name, by
	// their rules.
	Due map[string][]int64 `json:"due,omitempty"`
}

// Clocks is of the policy what its calendar follows from: blackouts, and what schedules
// say. Rules have the numbers that they have in the policy; others than schedules are
// empty, and those behind the last schedule are left out.
func (p *Policy) Clocks() *Policy {
	clocks := &Policy{Blackout: p.Blackout}
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Schedule == "" {
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
func (p *Policy) Calendar(from, until time.Time) (*Calendar, error) {
	spans, err := BlackoutSpans(p.Blackout, from, until)
	if err != nil {
		return nil, err
	}

	c := &Calendar{From: from, Until: until, Spans: spans}
	var faults []error
	for i := range p.Rules {
		faults = append(faults, c.add(&p.Rules[i], fmt.Sprintf("rules[%d]", i))...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

// add computes what the clocks of a rule come to.
func (c *Calendar) add(r *Rule, path string) (faults []error) {
	if r.Schedule != "" {
		due, faults := r.parseSchedule(path)
		if faults != nil {
			return faults
		}

		if c.Due == nil {
			c.Due = map[string][]int64{}
		}
		c.Due[r.Name] = due.between(c.From, c.Until)
		return nil
	}

	if r.Zone == "" || c.Zones[r.Zone] != nil {
		return nil
	}
	zone, err := parseZone(r.Zone)
	if err != nil {
		return []error{strict.At(strict.Join(path, "zone"), err)}
	}

	if c.Zones == nil {
		c.Zones = map[string][]Shift{}
	}
	c.Zones[r.Zone] = shiftsOf(zone, c.From, c.Until)
	return nil
}

// schedule is a cron expression as it is computed with.
type schedule struct{ spec *cron.SpecSchedule }

// maxScheduleBytes bounds a cron expression.
const maxScheduleBytes = 100

// fieldsOfCron are those of cron's own, without names for whole expressions: @every
// counts from whenever it is asked, and the others say less than five fields do.
var fieldsOfCron = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// parseSchedule reads the rule's schedule, with the library that Temporal's own
// schedules use, and names its faults below path.
func (r *Rule) parseSchedule(path string) (due schedule, faults []error) {
	fault := func(field string, err error) {
		if err != nil {
			faults = append(faults, strict.At(strict.Join(path, field), err))
		}
	}

	zone, err := parseZone(r.Zone)
	fault("zone", err)
	parsed, err := cron.Schedule(nil), errors.New("it is too long")
	if len(r.Schedule) <= maxScheduleBytes && !strings.Contains(r.Schedule, "=") { // cron takes TZ=, too, in which zone is ours
		parsed, err = fieldsOfCron.Parse(r.Schedule)
	}
	spec, isSpec := parsed.(*cron.SpecSchedule)
	switch {
	case err != nil || !isSpec:
		fault("schedule", fmt.Errorf("must be minute, hour, day of month, month and weekday, such as \"0 3 * * MON\", got %q", plain.Cut(r.Schedule, 40)))
	case bits.OnesCount64(spec.Minute&allMinutes) != 1:
		fault("schedule", fmt.Errorf("must name one minute, so that it is due once an hour at most, got %q", plain.Cut(r.Schedule, 40)))
	case faults == nil:
		spec.Location = zone
		due.spec = spec
		if due.spec.Next(aLeapYear).IsZero() {
			fault("schedule", fmt.Errorf("names a day that never comes, got %q", plain.Cut(r.Schedule, 40)))
		}
	}

	return due, faults
}

// allMinutes are the bits of a schedule's minutes, and of its hours within them.
const allMinutes = 1<<60 - 1

// aLeapYear is when looking for a schedule's first instant begins.
var aLeapYear = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// between are the instants from from on and before until, in Unix seconds.
func (s schedule) between(from, until time.Time) (due []int64) {
	at := from.Add(-1)
	for {
		at = s.spec.Next(at)
		if at.IsZero() || !at.Before(until) {
			return due
		}
		due = append(due, at.Unix())
	}
}

// hours is how often a day it may be due.
func (s schedule) hours() int { return bits.OnesCount64(s.spec.Hour & allMinutes) }

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
