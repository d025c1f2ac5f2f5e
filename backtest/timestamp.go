package backtest

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/modelvigil/modelvigil/metric"
)

// ParseTimestamp reads a timestamp of a recording in any of the forms of an event's
// own, but that one without a zone is UTC: that is how databases export them.
func ParseTimestamp(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, errNoTimestamp
	}
	stamp, err := metric.ParseTimestamp(text, time.UTC)
	if err != nil {
		return time.Time{}, fmt.Errorf("timestamp: must be RFC 3339, 2006-01-02 15:04:05 in UTC, or Unix seconds or milliseconds, got %q", short(text))
	}
	return stamp, nil
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
