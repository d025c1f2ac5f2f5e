package monitor

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// The largest magnitudes that are read as Unix seconds, milliseconds and
// microseconds; beyond, they are nanoseconds. 1e11 seconds end in the year 5138,
// and as milliseconds begin in 1973.
const (
	maxUnixSeconds      = 1e11
	maxUnixMilliseconds = 1e14
	maxUnixMicroseconds = 1e17
)

// zonedLayouts are the forms of a timestamp with a zone, those that are common
// first; a fraction of a second may be added to each.
var zonedLayouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z0700",
}

// localLayouts are those without one.
var localLayouts = []string{
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	time.DateOnly,
}

// maxTimestampBytes bounds the text of a timestamp: more is none.
const maxTimestampBytes = 64

// ParseTimestamp reads a timestamp in any form that people have: RFC 3339, ISO 8601
// with an offset such as +0000, both also with a space in the middle, or Unix
// seconds, milli-, micro- or nanoseconds, which their magnitude tells apart. A time
// or a date without a zone is one of local; where local is nil it is refused. The
// result is in UTC.
func ParseTimestamp(text string, local *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, errors.New("is missing or empty")
	}
	if len(text) > maxTimestampBytes {
		return time.Time{}, noTimestamp(text)
	}

	isDate := len(text) >= len(time.DateOnly) && text[4] == '-'
	if !isDate {
		stamp, err := parseUnix(text)
		if err != nil {
			return time.Time{}, noTimestamp(text)
		}
		return stamp, nil
	}

	for _, layout := range zonedLayouts {
		stamp, err := time.Parse(layout, text)
		if err == nil {
			return stamp.UTC(), nil
		}
	}
	for _, layout := range localLayouts {
		stamp, err := time.Parse(layout, text)
		switch {
		case err != nil:
			continue
		case local == nil:
			return time.Time{}, fmt.Errorf("must say its zone: write %sZ if %s is UTC, or add an offset such as +02:00",
				stamp.Format("2006-01-02T15:04:05"), text)
		}
		stamp, err = time.ParseInLocation(layout, text, local)
		return stamp.UTC(), err
	}
	return time.Time{}, noTimestamp(text)
}

func noTimestamp(text string) error {
	return fmt.Errorf("must be an RFC 3339 time such as 2006-01-02T15:04:05Z, or Unix seconds or milliseconds, got %q", cut(text, 60))
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
	return time.Time{}, errors.New("is out of range")
}
