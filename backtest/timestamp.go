package backtest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The largest magnitudes that are read as Unix seconds, milliseconds and
// microseconds; beyond, they are nanoseconds. 1e11 seconds end in the year 5138,
// and as milliseconds begin in 1973.
const (
	maxUnixSeconds      = 1e11
	maxUnixMilliseconds = 1e14
	maxUnixMicroseconds = 1e17
)

// layouts are the forms of a timestamp that is no number; those without a zone
// are UTC.
var layouts = []string{
	time.RFC3339,
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04",
	time.DateOnly,
}

// ParseTimestamp reads RFC 3339, `2006-01-02 15:04:05`, to which a fraction and a
// zone may be added, a date, or Unix seconds, milli-, micro- or nanoseconds, which
// their magnitude tells apart. Without a zone it is UTC.
func ParseTimestamp(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, errNoTimestamp
	}
	if len(text) >= len(time.DateOnly) && text[4] == '-' {
		for _, layout := range layouts {
			if stamp, err := time.Parse(layout, text); err == nil {
				return stamp.UTC(), nil
			}
		}
	} else if stamp, err := parseUnix(text); err == nil {
		return stamp, nil
	}
	return time.Time{}, fmt.Errorf("timestamp: must be RFC 3339, 2006-01-02 15:04:05 in UTC, or Unix seconds or milliseconds, got %q", short(text))
}

func parseUnix(text string) (time.Time, error) {
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
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

// short is the beginning of a text from elsewhere, for a message.
func short(text string) string { return cut(text, 40) }

// cut shortens a text to most bytes, and takes out what a terminal would obey.
func cut(text string, most int) string {
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
