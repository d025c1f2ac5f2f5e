package metric

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// The largest magnitudes that are read as Unix seconds, milliseconds and
// microseconds; beyond, they are nanoseconds. 1e11 seconds end in the year 5138,
// and as milliseconds begin in 1973.
const (
	maxUnixSeconds      = 1e11
	maxUnixMilliseconds = 1e14
	maxUnixMicroseconds = 1e17
)

// maxTimestampBytes bounds the text of a timestamp: more is none.
const maxTimestampBytes = 64

var (
	errNoTimestamp = errors.New("no timestamp")
	errNoZone      = errors.New("no zone")
)

// ParseTimestamp reads a timestamp in any form that people have: RFC 3339, ISO 8601
// with an offset such as +0000, both also with a space in the middle, or Unix
// seconds, milli-, micro- or nanoseconds, which their magnitude tells apart. A time
// or a date without a zone is one of local; where local is nil it is refused. The
// result is in UTC.
func ParseTimestamp(text string, local *time.Location) (time.Time, error) {
	stamp, err := parseTimestamp(text, local)
	switch {
	case err == nil:
		return stamp, nil
	case text == "":
		return time.Time{}, errors.New("is missing or empty")
	case errors.Is(err, errNoZone):
		return time.Time{}, fmt.Errorf("must say its zone: write %sZ if %s is UTC, or add an offset such as +02:00",
			stamp.Format("2006-01-02T15:04:05"), text)
	}

	return time.Time{}, noTimestamp(text)
}

// parseTimestamp is ParseTimestamp without words: most of what is refused nobody
// asks about. With errNoZone it returns the time as if it were UTC.
func parseTimestamp(text string, local *time.Location) (time.Time, error) {
	switch {
	case text == "" || len(text) > maxTimestampBytes:
		return time.Time{}, errNoTimestamp
	case len(text) < len(time.DateOnly) || text[4] != '-':
		return parseUnix(text)
	}

	layout, hasZone := layoutOf(text)
	if hasZone {
		stamp, err := time.Parse(layout, text)
		return stamp.UTC(), err
	}

	zone := local
	if zone == nil {
		zone = time.UTC
	}
	stamp, err := time.ParseInLocation(layout, text, zone)
	if err == nil && local == nil {
		err = errNoZone
	}
	return stamp.UTC(), err
}

// layouts are the forms of a date and a time: the two parted by a T or by a blank,
// without and with seconds, with a zone as RFC 3339 has it, as +0000, and without.
var layouts = func() (all [2][2][3]string) {
	for i, date := range []string{"2006-01-02T15:04", "2006-01-02 15:04"} {
		for j, seconds := range []string{"", ":05"} {
			for k, zone := range []string{"Z07:00", "Z0700", ""} {
				all[i][j][k] = date + seconds + zone
			}
		}
	}
	return all
}()

// layoutOf is the one form that a text which begins with a year and a dash may have.
func layoutOf(text string) (layout string, hasZone bool) {
	const date, minute = len(time.DateOnly), len("2006-01-02T15:04")
	if len(text) == date {
		return time.DateOnly, false
	}

	zone := strings.LastIndexAny(text, "Zz+-")
	hasZone = zone > date
	end := len(text)
	if hasZone {
		end = zone
	}

	parted, seconds, form := 0, 0, 0
	if text[date] == ' ' {
		parted = 1
	}
	if end > minute {
		seconds = 1
	}
	switch {
	case !hasZone:
		form = 2
	case text[zone] != 'Z' && strings.IndexByte(text[zone:], ':') < 0:
		form = 1
	}

	return layouts[parted][seconds][form], hasZone
}

func noTimestamp(text string) error {
	return fmt.Errorf("must be an RFC 3339 time such as 2006-01-02T15:04:05Z, or Unix seconds or milliseconds, got %q", plain.Cut(text, 60))
}

func parseUnix(text string) (time.Time, error) {
	whole, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		switch magnitude := math.Abs(float64(whole)); {
		case magnitude <= maxUnixSeconds:
			return time.Unix(whole, 0).UTC(), nil
		case magnitude <= maxUnixMilliseconds:
			return time.UnixMilli(whole).UTC(), nil
		case magnitude <= maxUnixMicroseconds:
			return time.UnixMicro(whole).UTC(), nil
		}

		return time.Unix(0, whole).UTC(), nil
	}

	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, err
	}

	switch magnitude := math.Abs(value); {
	case magnitude <= maxUnixSeconds:
		// A float64 holds today's seconds to a quarter of a microsecond.
		seconds, fraction := math.Modf(value)
		return time.Unix(int64(seconds), int64(math.Round(fraction*1e6))*1e3).UTC(), nil
	case magnitude <= maxUnixMilliseconds:
		return time.UnixMicro(int64(math.Round(value * 1e3))).UTC(), nil
	case magnitude <= maxUnixMicroseconds:
		return time.UnixMicro(int64(math.Round(value))).UTC(), nil
	case magnitude < math.MaxInt64:
		return time.Unix(0, int64(value)).UTC(), nil
	}

	return time.Time{}, errNoTimestamp
}
