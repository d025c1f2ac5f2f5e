package calendar

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// maxBlackouts bounds a policy's blackouts, and with them the spans that a
// monitor's state holds.
const maxBlackouts = 20

// Blackout is a span of each chosen day in which nothing triggers: from 22:00 on
// a chosen day to 06:00 the next morning, say.
//
// From and To are what a clock on a wall in Zone reads. Where it is put forward
// past such a time, it counts as reached when the clock jumps; where it is put
// back, so that such a time comes twice, the first counts. A night in which the
// clocks change therefore has an hour more or less of the blackout than others.
type Blackout struct {
	// Days are those it begins on: names and ranges such as mon-fri, sat,sun or
	// fri-mon, in upper or lower case; default every day.
	Days string `json:"days,omitempty"`
	From string `json:"from"`           // 00:00 to 23:59
	To   string `json:"to"`             // exclusive, 00:00 to 24:00; before From it is on the next day
	Zone string `json:"zone,omitempty"` // of the IANA time zone database, such as Europe/Berlin; default UTC
}

// SpansOf returns when blackouts are on: every single blackout of every day
// that touches the time from from until until, in UTC, those that overlap or
// touch joined to one span, in order. They are whole: the first may begin before
// from, the last end after until.
//
// It reads the time zone data of this process, which differs between machines, so
// a workflow records what it returns. The error names every fault of the
// blackouts, of which one is a zone that is unknown here.
func SpansOf(blackouts []Blackout, from, until time.Time) ([]Span, error) {
	var spans []Span
	var faults []error
	for i := range blackouts {
		hours, errs := blackouts[i].parse(blackoutPath(i))
		faults = append(faults, errs...)
		if len(faults) == 0 {
			spans = append(spans, hours.between(from, until)...)
		}
	}

	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	slices.SortFunc(spans, func(a, b Span) int {
		return cmp.Or(a.From.Compare(b.From), a.Until.Compare(b.Until))
	})
	joined := spans[:0]
	for _, span := range spans {
		if last := len(joined) - 1; last < 0 || span.From.After(joined[last].Until) {
			joined = append(joined, span)
		} else if span.Until.After(joined[last].Until) {
			joined[last].Until = span.Until
		}
	}

	return joined, nil
}

// CheckBlackouts names every fault of a policy's blackouts. A zone is faulty
// if the time zone data of this process doesn't know it.
func CheckBlackouts(blackouts []Blackout) (faults []error) {
	if len(blackouts) > maxBlackouts {
		faults = append(faults, fmt.Errorf("blackout: must be at most %d, got %d", maxBlackouts, len(blackouts)))
	}
	for i := range blackouts {
		_, errs := blackouts[i].parse(blackoutPath(i))
		faults = append(faults, errs...)
	}
	return faults
}

func blackoutPath(i int) string { return fmt.Sprintf("blackout[%d]", i) }

// DecodeAt reads a blackout; faults are named below path.
func (b *Blackout) DecodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"days": &b.Days, "from": &b.From, "to": &b.To, "zone": &b.Zone})
}

// blackoutHours is a blackout as it is computed with.
type blackoutHours struct {
	days     [7]bool // by time.Weekday
	from, to int     // minutes after midnight of the day it begins on; to > from
	zone     *time.Location
}

// parse reads a blackout and names its faults below path.
func (b *Blackout) parse(path string) (hours blackoutHours, faults []error) {
	fault := func(field string, err error) {
		if err != nil {
			faults = append(faults, strict.At(strict.Join(path, field), err))
		}
	}

	var err, fromErr, toErr error
	hours.days, err = parseDays(b.Days)
	fault("days", err)
	hours.from, fromErr = parseTimeOfDay(b.From)
	if fromErr == nil && hours.from == minutesOfDay {
		fromErr = errors.New("must be a time of day such as 08:00, and 24:00 has its place only in to; write 00:00")
	}
	fault("from", fromErr)
	hours.to, toErr = parseTimeOfDay(b.To)
	if fromErr == nil && toErr == nil && hours.from == hours.to {
		toErr = fmt.Errorf("must not be the same as from, got %s; the whole day is from 00:00 to 24:00", b.To)
	}
	fault("to", toErr)
	if hours.to < hours.from {
		hours.to += minutesOfDay
	}
	hours.zone, err = ParseZone(b.Zone)
	fault("zone", err)
	return hours, faults
}

// weekdays are the names of days, from Sunday as time.Weekday counts.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// parseDays reads names and ranges of weekdays; a range wraps over the week's end.
func parseDays(text string) (days [7]bool, err error) {
	if text == "" {
		return [7]bool{true, true, true, true, true, true, true}, nil
	}
	if len(text) > metric.MaxNameBytes {
		return days, fmt.Errorf("must be at most %d bytes, got %d", metric.MaxNameBytes, len(text))
	}

	for item := range strings.SplitSeq(strings.ToLower(text), ",") {
		name, last, isRange := strings.Cut(item, "-")
		if !isRange {
			last = name
		}
		first, end := slices.Index(weekdays, strings.TrimSpace(name)), slices.Index(weekdays, strings.TrimSpace(last))
		if first < 0 || end < 0 {
			return days, fmt.Errorf("must be days such as mon-fri or sat,sun, got %q", plain.Cut(text, 40))
		}

		days[first] = true
		for day := first; day != end; {
			day = (day + 1) % len(days)
			days[day] = true
		}
	}

	return days, nil
}

const minutesOfDay = 24 * 60

// parseTimeOfDay reads 15:04, and 24:00, as minutes after midnight.
func parseTimeOfDay(text string) (minutes int, err error) {
	if text == "24:00" {
		return minutesOfDay, nil
	}

	clock, err := time.Parse("15:04", text)
	switch {
	case text == "":
		return 0, errors.New("must be a time of day such as 08:00, is missing or empty")
	case err != nil || len(text) != len("15:04"):
		return 0, fmt.Errorf("must be a time of day such as 08:00, got %q", plain.Cut(text, 40))
	}
	return clock.Hour()*60 + clock.Minute(), nil
}

// between returns the blackout of every day that touches a stretch of time.
func (h *blackoutHours) between(from, until time.Time) (spans []Span) {
	// Local dates are a day away from UTC's at most, and a blackout ends on the
	// day after the one it begins on at the latest.
	year, month, day := from.UTC().Date()
	for date := time.Date(year, month, day-2, 0, 0, 0, 0, time.UTC); !date.After(until.Add(24 * time.Hour)); date = date.AddDate(0, 0, 1) {
		if !h.days[date.Weekday()] {
			continue
		}
		span := Span{From: firstReading(date, h.from, h.zone), Until: firstReading(date, h.to, h.zone)}
		if span.From.Before(span.Until) && span.From.Before(until) && span.Until.After(from) {
			spans = append(spans, span)
		}
	}

	return spans
}

// firstReading is the first instant, in UTC, at which a clock in the zone reads so
// many minutes after midnight of a date, or has jumped past them. (time.Date
// leaves open which instant it returns where there are none or two.)
func firstReading(date time.Time, minutes int, zone *time.Location) time.Time {
	wall := date.Add(time.Duration(minutes) * time.Minute) // as if read in UTC
	instant := wall.Add(-26 * time.Hour).In(zone)          // no zone is as far ahead
	for {
		_, offset := instant.Zone()
		reading := wall.Add(-time.Duration(offset) * time.Second)
		_, change := instant.ZoneBounds()
		switch {
		case reading.Before(instant): // jumped past by the change that is at instant
			return instant.UTC()
		case change.IsZero() || reading.Before(change):
			return reading
		}

		instant = change
	}
}
