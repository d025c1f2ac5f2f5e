package plain

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a duration as Go writes it, without the zeros at its end: 1h30m.
func Duration(d time.Duration) string {
	text := d.String()
	if minutes, cut := strings.CutSuffix(text, "m0s"); cut {
		text = minutes + "m"
		if hours, cut := strings.CutSuffix(text, "h0m"); cut {
			text = hours + "h"
		}
	}
	return text
}

// Length is a duration of a length that people read: to the second, or in days and to
// the minute from two days on.
func Length(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day {
		d = d.Round(time.Minute)
		return strings.TrimSuffix(fmt.Sprintf("%dd%s", d/day, Duration(d%day)), "0s")
	}
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	return Duration(d)
}
