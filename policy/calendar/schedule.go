package calendar

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
)

// Schedule is a cron expression as it is computed with.
type Schedule struct{ spec *cron.SpecSchedule }

// maxScheduleBytes bounds a cron expression.
const maxScheduleBytes = 100

// fieldsOfCron are those of cron's own, without names for whole expressions: @every
// counts from whenever it is asked, and the others say less than five fields do.
var fieldsOfCron = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// ParseSchedule reads a cron expression for clocks in a zone, with the library that
// Temporal's own schedules use. It names its faults, and the zone's, below path.
func ParseSchedule(expression, zoneName, path string) (due Schedule, faults []error) {
	fault := func(field string, err error) {
		if err != nil {
			faults = append(faults, strict.At(strict.Join(path, field), err))
		}
	}

	zone, err := ParseZone(zoneName)
	fault("zone", err)
	parsed, err := cron.Schedule(nil), errors.New("it is too long")
	if len(expression) <= maxScheduleBytes && !strings.Contains(expression, "=") { // cron takes TZ=, too, in which zone is ours
		parsed, err = fieldsOfCron.Parse(expression)
	}
	spec, isSpec := parsed.(*cron.SpecSchedule)
	switch {
	case err != nil || !isSpec:
		fault("schedule", fmt.Errorf("must be minute, hour, day of month, month and weekday, such as \"0 3 * * MON\", got %q", plain.Cut(expression, 40)))
	case bits.OnesCount64(spec.Minute&allMinutes) != 1:
		fault("schedule", fmt.Errorf("must name one minute, so that it is due once an hour at most, got %q", plain.Cut(expression, 40)))
	case faults == nil:
		spec.Location = zone
		due.spec = spec
		if due.spec.Next(aLeapYear).IsZero() {
			fault("schedule", fmt.Errorf("names a day that never comes, got %q", plain.Cut(expression, 40)))
		}
	}

	return due, faults
}

// allMinutes are the bits of a schedule's minutes, and of its hours within them.
const allMinutes = 1<<60 - 1

// aLeapYear is when looking for a schedule's first instant begins.
var aLeapYear = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// between are the instants from from on and before until, in Unix seconds.
func (s Schedule) between(from, until time.Time) (due []int64) {
	at := from.Add(-1)
	for {
		at = s.spec.Next(at)
		if at.IsZero() || !at.Before(until) {
			return due
		}
		due = append(due, at.Unix())
	}
}

// Hours is how often a day it may be due.
func (s Schedule) Hours() int { return bits.OnesCount64(s.spec.Hour & allMinutes) }
