package recording

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

var errNoTimestamp = errors.New("timestamp: is missing; a backtest has no other clock")

// The times that a recording holds: what fits into nanoseconds since 1970.
var (
	firstTime = time.Unix(0, math.MinInt64).Add(24 * time.Hour)
	lastTime  = time.Unix(0, math.MaxInt64).Add(-24 * time.Hour)
)

// ParseTimestamp reads a timestamp of a recording in any of the forms of an event's
// own, or as BigQuery writes it, `2006-01-02 15:04:05 UTC`. One without a zone is
// one of zone, and zoneless says so; where zone is nil it is refused, as an event's.
func ParseTimestamp(text string, zone *time.Location) (stamp time.Time, zoneless bool, err error) {
	at, zoneless, err := parseTime([]byte(text), zone)
	if err != nil {
		return time.Time{}, false, err
	}
	return time.Unix(0, at).UTC(), zoneless, nil
}

// parseTime is ParseTimestamp in Unix nanoseconds. The form that nearly all files
// have is read without a copy, some 10 ns each.
func parseTime(text []byte, zone *time.Location) (at int64, zoneless bool, err error) {
	if len(text) == 0 {
		return 0, false, errNoTimestamp
	}
	if at, zoned, is := usualTime(text); is && (zoned || zone == time.UTC) {
		return at, !zoned, nil
	}

	stamp, zoneless, err := unusualTime(text, zone)
	switch {
	case err != nil && zone == nil:
		return 0, false, fmt.Errorf("timestamp: %w, or say --zone for all of them", err)
	case err != nil:
		return 0, false, fmt.Errorf("timestamp: must be RFC 3339, 2006-01-02 15:04:05, or Unix seconds or milliseconds, got %q", plain.Cut(string(text), 40))
	case stamp.Before(firstTime) || stamp.After(lastTime):
		return 0, false, fmt.Errorf("timestamp: must lie in the years 1678 to 2261, got %q", plain.Cut(string(text), 40))
	}
	return stamp.UnixNano(), zoneless, nil
}

// isTwofold says that the clocks at an instant's location show its time twice: they
// are put back within as long after it as they are put back by, or were so before.
func isTwofold(stamp time.Time) bool {
	start, end := stamp.ZoneBounds()
	_, offset := stamp.Zone()

	if !end.IsZero() {
		_, next := end.Zone()
		if back := time.Duration(offset-next) * time.Second; !stamp.Before(end.Add(-back)) {
			return true
		}
	}
	if !start.IsZero() {
		_, previous := start.Add(-time.Nanosecond).Zone()
		back := time.Duration(previous-offset) * time.Second
		return stamp.Before(start.Add(back))
	}
	return false
}

func unusualTime(text []byte, zone *time.Location) (stamp time.Time, zoneless bool, err error) {
	const utc = " UTC"
	if n := len(text) - len(utc); n > 0 && string(text[n:]) == utc {
		stamp, err = metric.ParseTimestamp(string(text[:n]), time.UTC)
		return stamp, false, err
	}

	stamp, err = metric.ParseTimestamp(strict.Borrowed(text), nil)
	if err == nil || zone == nil {
		return stamp, false, err
	}
	stamp, err = metric.ParseTimestamp(string(text), zone)
	return stamp, true, err
}

// usualTime reads `2006-01-02T15:04:05`, also with a space, with up to nine digits of
// a fraction, and with a Z or ` UTC` or without. Without either it is read as if it
// were UTC, and not zoned.
func usualTime(text []byte) (at int64, zoned, is bool) {
	const whole = len("2006-01-02T15:04:05")
	if len(text) < whole || text[4] != '-' || text[7] != '-' || text[10] != 'T' && text[10] != ' ' || text[13] != ':' || text[16] != ':' {
		return 0, false, false
	}

	year, ok1 := digits(text[0:4])
	month, ok2 := digits(text[5:7])
	day, ok3 := digits(text[8:10])
	hour, ok4 := digits(text[11:13])
	minute, ok5 := digits(text[14:16])
	second, ok6 := digits(text[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || year < 1678 || year > 2261 ||
		month < 1 || month > 12 || day < 1 || day > daysIn(month, year) || hour > 23 || minute > 59 || second > 59 {
		return 0, false, false
	}

	rest := text[whole:]
	nanoseconds := int64(0)
	if len(rest) > 1 && rest[0] == '.' {
		rest = rest[1:]
		scale := int64(time.Second)
		for len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
			scale /= 10
			nanoseconds += scale * int64(rest[0]-'0')
			rest = rest[1:]
		}
		if scale == int64(time.Second) {
			return 0, false, false
		}
	}

	switch string(rest) {
	case "":
	case "Z", " UTC":
		zoned = true
	default:
		return 0, false, false
	}

	seconds := days(year, month, day)*86400 + hour*3600 + minute*60 + second
	return seconds*int64(time.Second) + nanoseconds, zoned, true
}

func digits(text []byte) (n int64, ok bool) {
	for _, b := range text {
		if b < '0' || b > '9' {
			return 0, false
		}
		n = n*10 + int64(b-'0')
	}
	return n, true
}

func daysIn(month, year int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days is how many days a date is after 1970-01-01, in the Gregorian calendar. Years
// are taken to begin in March, so that the leap day is a year's last.
func days(year, month, day int64) int64 {
	if month < 3 {
		year--
		month += 12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468
}
