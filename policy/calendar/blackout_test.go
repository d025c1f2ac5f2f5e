package calendar_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

func TestBlackoutFaultsAreNamedByPath(t *testing.T) {
	for _, test := range []struct {
		name     string
		blackout string
		faults   []string
	}{
		{"days, times and zone are good", `{"days": "mon-fri", "from": "08:00", "to": "18:00", "zone": "Europe/Berlin"}`, nil},
		{"a range of days wraps, case and blanks don't matter", `{"days": "Fri-MON, wed", "from": "22:30", "to": "06:00"}`, nil},
		{"a whole day ends at 24:00", `{"from": "00:00", "to": "24:00"}`, nil},
		{"an hour has two digits", `{"from": "8", "to": "9:00"}`, []string{
			`blackout[0].from: must be a time of day such as 08:00, got "8"`,
			`blackout[0].to: must be a time of day such as 08:00, got "9:00"`,
		}},
		{"an hour is at most 23", `{"from": "25:00", "to": "08:60"}`, []string{
			`blackout[0].from: must be a time of day such as 08:00, got "25:00"`,
			`blackout[0].to: must be a time of day such as 08:00, got "08:60"`,
		}},
		{"both times are needed", `{}`, []string{
			"blackout[0].from: must be a time of day such as 08:00, is missing or empty",
			"blackout[0].to: must be a time of day such as 08:00, is missing or empty",
		}},
		{"24:00 begins nothing", `{"from": "24:00", "to": "08:00"}`, []string{
			"blackout[0].from: must be a time of day such as 08:00, and 24:00 has its place only in to; write 00:00",
		}},
		{"from and to differ", `{"from": "08:00", "to": "08:00"}`, []string{
			"blackout[0].to: must not be the same as from, got 08:00; the whole day is from 00:00 to 24:00",
		}},
		{"a day has three letters", `{"days": "monday-fri", "from": "08:00", "to": "18:00"}`, []string{
			`blackout[0].days: must be days such as mon-fri or sat,sun, got "monday-fri"`,
		}},
		{"no day is left empty", `{"days": "sat,", "from": "08:00", "to": "18:00"}`, []string{
			`blackout[0].days: must be days such as mon-fri or sat,sun, got "sat,"`,
		}},
		{"a range has two ends", `{"days": "mon-wed-fri", "from": "08:00", "to": "18:00"}`, []string{
			`blackout[0].days: must be days such as mon-fri or sat,sun, got "mon-wed-fri"`,
		}},
		{"days are short", `{"days": "` + strings.Repeat("mon,", 30) + `mon", "from": "08:00", "to": "18:00"}`, []string{
			"blackout[0].days: must be at most 100 bytes, got 123",
		}},
		{"the zone is known", `{"from": "08:00", "to": "18:00", "zone": "Europe/Bonn"}`, []string{
			`blackout[0].zone: must be a zone of the IANA time zone database such as Europe/Berlin, got "Europe/Bonn"`,
		}},
		{"the zone is the same on every machine", `{"from": "08:00", "to": "18:00", "zone": "Local"}`, []string{
			`blackout[0].zone: must be a zone of the IANA time zone database such as Europe/Berlin, got "Local"`,
		}},
		{"every fault is named, of every blackout", `{"days": "x", "from": "8", "to": "", "zone": "y"}, {"from": "08:00", "to": "09:00"}, {"from": "1", "to": "09:00"}`, []string{
			`blackout[0].days: must be days such as mon-fri or sat,sun, got "x"`,
			`blackout[0].from: must be a time of day such as 08:00, got "8"`,
			"blackout[0].to: must be a time of day such as 08:00, is missing or empty",
			`blackout[0].zone: must be a zone of the IANA time zone database such as Europe/Berlin, got "y"`,
			`blackout[2].from: must be a time of day such as 08:00, got "1"`,
		}},
		{"there are at most 20", strings.Repeat(`{"from": "08:00", "to": "09:00"},`, 20) + `{"from": "08:00", "to": "09:00"}`, []string{
			"blackout: must be at most 20, got 21",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := policy.Decode([]byte(`{"blackout": [` + test.blackout + `]}`))
			if test.faults == nil {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, strings.Join(test.faults, "\n"))
			}
		})
	}
}

// utc reads a time such as 2026-03-29 01:00.
func utc(t require.TestingT, text string) time.Time {
	at, err := time.Parse("2006-01-02 15:04", text)
	require.NoError(t, err)
	return at
}

func TestBlackoutSpans(t *testing.T) {
	const berlin = "Europe/Berlin"
	for _, test := range []struct {
		name        string
		blackouts   []calendar.Blackout
		from, until string
		want        []string // from and until
	}{
		{
			"every day in UTC unless said otherwise",
			[]calendar.Blackout{{From: "08:00", To: "09:30"}},
			"2026-06-01 00:00", "2026-06-03 00:00",
			[]string{"2026-06-01 08:00", "2026-06-01 09:30", "2026-06-02 08:00", "2026-06-02 09:30"},
		},
		{
			"a span that has begun and one that goes on are whole",
			[]calendar.Blackout{{From: "08:00", To: "18:00"}},
			"2026-06-01 12:00", "2026-06-02 09:00",
			[]string{"2026-06-01 08:00", "2026-06-01 18:00", "2026-06-02 08:00", "2026-06-02 18:00"},
		},
		{
			"what ends at the beginning or begins at the end is not in it",
			[]calendar.Blackout{{From: "08:00", To: "18:00"}},
			"2026-06-01 18:00", "2026-06-02 08:00", nil,
		},
		{
			"past midnight it belongs to the day it begins on",
			[]calendar.Blackout{{Days: "fri", From: "22:00", To: "06:00"}},
			"2026-06-01 00:00", "2026-06-15 00:00", // Mondays
			[]string{"2026-06-05 22:00", "2026-06-06 06:00", "2026-06-12 22:00", "2026-06-13 06:00"},
		},
		{
			"a range of days wraps over the weekend, and whole days are joined",
			[]calendar.Blackout{{Days: "sat-mon", From: "00:00", To: "24:00"}},
			"2026-06-03 00:00", "2026-06-10 00:00",
			[]string{"2026-06-06 00:00", "2026-06-09 00:00"},
		},
		{
			"blackouts that overlap or touch are one span",
			[]calendar.Blackout{{Days: "mon", From: "08:00", To: "12:00"}, {Days: "mon", From: "11:00", To: "13:00"}, {Days: "mon", From: "13:00", To: "14:00"}, {Days: "mon", From: "09:00", To: "10:00"}},
			"2026-06-01 00:00", "2026-06-02 00:00",
			[]string{"2026-06-01 08:00", "2026-06-01 14:00"},
		},
		{
			"a zone's day is not UTC's",
			[]calendar.Blackout{{Days: "mon", From: "00:00", To: "01:00", Zone: "Pacific/Kiritimati"}}, // UTC+14
			"2026-06-01 00:00", "2026-06-08 00:00",
			[]string{"2026-06-07 10:00", "2026-06-07 11:00"},
		},
		{
			"far behind UTC it lasts into the day after next",
			[]calendar.Blackout{{Days: "mon", From: "22:00", To: "21:00", Zone: "Etc/GMT+12"}},
			"2026-06-03 08:00", "2026-06-04 00:00",
			[]string{"2026-06-02 10:00", "2026-06-03 09:00"},
		},
		{
			"winter and summer time each have their offset",
			[]calendar.Blackout{{From: "08:00", To: "09:00", Zone: berlin}},
			"2026-03-28 00:00", "2026-03-30 00:00",
			[]string{"2026-03-28 07:00", "2026-03-28 08:00", "2026-03-29 06:00", "2026-03-29 07:00"},
		},
		{
			"a from that the clock jumps past begins when it jumps",
			[]calendar.Blackout{{From: "02:30", To: "04:00", Zone: berlin}},
			"2026-03-29 00:00", "2026-03-30 00:00", // 02:00 is 03:00, at 01:00 UTC
			[]string{"2026-03-29 01:00", "2026-03-29 02:00"},
		},
		{
			"a to that the clock jumps past ends when it jumps",
			[]calendar.Blackout{{From: "01:00", To: "02:30", Zone: berlin}},
			"2026-03-29 00:00", "2026-03-29 12:00",
			[]string{"2026-03-29 00:00", "2026-03-29 01:00"},
		},
		{
			"what the clock jumps past as a whole is left out",
			[]calendar.Blackout{{From: "02:10", To: "02:50", Zone: berlin}},
			"2026-03-29 00:00", "2026-03-30 00:00", nil,
		},
		{
			"a night in which the clock is put forward has an hour less",
			[]calendar.Blackout{{From: "22:00", To: "06:00", Zone: berlin}},
			"2026-03-28 20:00", "2026-03-29 20:00",
			[]string{"2026-03-28 21:00", "2026-03-29 04:00"},
		},
		{
			"a from that comes twice is the first",
			[]calendar.Blackout{{From: "02:30", To: "04:00", Zone: berlin}},
			"2026-10-25 00:00", "2026-10-26 00:00", // 03:00 is 02:00, at 01:00 UTC
			[]string{"2026-10-25 00:30", "2026-10-25 03:00"},
		},
		{
			"a to that comes twice is the first",
			[]calendar.Blackout{{From: "01:00", To: "02:30", Zone: berlin}},
			"2026-10-25 00:00", "2026-10-26 00:00",
			[]string{"2026-10-24 23:00", "2026-10-25 00:30"},
		},
		{
			"an hour that comes twice is blacked out twice",
			[]calendar.Blackout{{From: "02:00", To: "03:00", Zone: berlin}},
			"2026-10-25 00:00", "2026-10-26 00:00",
			[]string{"2026-10-25 00:00", "2026-10-25 02:00"},
		},
		{
			"a midnight that the clock jumps past begins the day at one",
			[]calendar.Blackout{{Days: "sun", From: "00:00", To: "02:00", Zone: "America/Santiago"}},
			"2026-09-06 00:00", "2026-09-07 00:00", // 00:00 is 01:00, at 04:00 UTC
			[]string{"2026-09-06 04:00", "2026-09-06 05:00"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			spans, err := calendar.SpansOf(test.blackouts, utc(t, test.from), utc(t, test.until))
			require.NoError(t, err)
			var got []string
			for _, span := range spans {
				got = append(got, span.From.Format("2006-01-02 15:04"), span.Until.Format("2006-01-02 15:04"))
			}
			assert.Equal(t, test.want, got)
		})
	}
}

func TestBlackoutSpansOfAZoneThatIsUnknownHereAreAnError(t *testing.T) {
	from := utc(t, "2026-06-01 00:00")
	spans, err := calendar.SpansOf([]calendar.Blackout{{From: "08:00", To: "09:00"}, {From: "08:00", To: "09:00", Zone: "Europe/Bonn"}}, from, from.AddDate(0, 0, 1))
	assert.ErrorContains(t, err, `blackout[1].zone: must be a zone of the IANA time zone database`)
	assert.Nil(t, spans)
}

func TestCalendarSaysWhetherABlackoutIsOnAndUntilWhen(t *testing.T) {
	day := func(hour int) time.Time { return utc(t, "2026-06-01 00:00").Add(time.Duration(hour) * time.Hour) }
	known := &calendar.Calendar{From: day(0), Until: day(24), Spans: []calendar.Span{{day(2), day(4)}, {day(6), day(7)}, {day(20), day(26)}}}
	for _, test := range []struct {
		name  string
		known *calendar.Calendar
		now   time.Time
		until time.Time // zero: none is on
	}{
		{"before the first", known, day(1), time.Time{}},
		{"at a beginning", known, day(2), day(4)},
		{"within", known, day(3), day(4)},
		{"at an end", known, day(4), time.Time{}},
		{"between two", known, day(5), time.Time{}},
		{"just before an end", known, day(7).Add(-1), day(7)},
		{"in one that outlasts the calendar", known, day(25), day(26)},
		{"after the last", known, day(26), time.Time{}},
		{"without any", &calendar.Calendar{}, day(3), time.Time{}},
		{"without a calendar", nil, day(3), time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			until, in := test.known.At(test.now)
			assert.Equal(t, !test.until.IsZero(), in)
			assert.Equal(t, test.until, until)
		})
	}
	t.Run("through JSON", func(t *testing.T) {
		encoded, err := json.Marshal(known)
		require.NoError(t, err)
		assert.Contains(t, string(encoded), `"spans":[{"from":"2026-06-01T02:00:00Z","until":"2026-06-01T04:00:00Z"},`)
		var decoded calendar.Calendar
		require.NoError(t, json.Unmarshal(encoded, &decoded))
		assert.Equal(t, *known, decoded)
	})
}

// wallBlackout is a blackout before it is written down.
type wallBlackout struct {
	days     [7]bool
	from, to int // minutes after midnight
	zone     *time.Location
}

// drawWallBlackout also returns it as a policy has it.
func drawWallBlackout(t *rapid.T) (w wallBlackout, b calendar.Blackout) {
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	var days []string
	for range rapid.IntRange(0, 3).Draw(t, "ranges of days") {
		first, length := rapid.IntRange(0, 6).Draw(t, "first day"), rapid.IntRange(1, 7).Draw(t, "days")
		for day := first; day < first+length; day++ {
			w.days[day%7] = true
		}
		days = append(days, names[first]+"-"+names[(first+length-1)%7])
	}
	if len(days) == 0 {
		w.days = [7]bool{true, true, true, true, true, true, true}
	}
	w.from = rapid.OneOf(rapid.IntRange(0, 3*60), rapid.IntRange(0, 24*60-1)).Draw(t, "from")
	w.to = rapid.OneOf(rapid.IntRange(0, 3*60), rapid.IntRange(0, 24*60)).Filter(func(to int) bool { return to != w.from }).Draw(t, "to")
	name := rapid.SampledFrom([]string{
		"", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Chatham", "Pacific/Apia", "Etc/GMT+12", "Africa/Casablanca",
	}).Draw(t, "zone")
	zone, err := time.LoadLocation(name)
	require.NoError(t, err)
	w.zone = zone
	hhmm := func(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
	return w, calendar.Blackout{Days: strings.Join(days, ","), From: hhmm(w.from), To: hhmm(w.to), Zone: name}
}

// isOn says whether the blackout is on when a clock on the wall has got to a
// reading, which is held as if it were UTC.
func (w wallBlackout) isOn(reading time.Time) bool {
	year, month, day := reading.Date()
	for _, begins := range []int{day - 1, day} {
		date := time.Date(year, month, begins, 0, 0, 0, 0, time.UTC)
		from, to := date.Add(time.Duration(w.from)*time.Minute), date.Add(time.Duration(w.to)*time.Minute)
		if w.to < w.from {
			to = to.AddDate(0, 0, 1)
		}
		if w.days[date.Weekday()] && !reading.Before(from) && reading.Before(to) {
			return true
		}
	}
	return false
}

// The brute force lives through the days minute by minute and looks at a clock on
// the wall, one that stands still instead of going back.
func TestBlackoutSpansAreThoseOfAClockOnTheWall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var walls []wallBlackout
		var blackouts []calendar.Blackout
		for range rapid.IntRange(1, 3).Draw(t, "blackouts") {
			w, b := drawWallBlackout(t)
			walls, blackouts = append(walls, w), append(blackouts, b)
		}
		from := utc(t, "2011-01-01 00:00").Add(time.Duration(rapid.IntRange(0, 20*365*24*60).Draw(t, "minute")) * time.Minute)
		if rapid.Bool().Draw(t, "near a change of the clocks") {
			if _, change := from.In(walls[0].zone).ZoneBounds(); !change.IsZero() {
				from = change.UTC().Add(-time.Duration(rapid.IntRange(0, 48*60).Draw(t, "minutes before it")) * time.Minute)
			}
		}
		until := from.Add(time.Duration(rapid.IntRange(1, 3*24*60).Draw(t, "minutes")) * time.Minute)

		spans, err := calendar.SpansOf(blackouts, from, until)
		require.NoError(t, err)
		for i, span := range spans {
			require.True(t, span.From.Before(span.Until) && span.From.Before(until) && span.Until.After(from), "%v is in [%s, %s)", span, from, until)
			require.Equal(t, time.UTC, span.From.Location())
			require.Equal(t, time.UTC, span.Until.Location())
			require.True(t, i == 0 || spans[i-1].Until.Before(span.From), "sorted and apart: %v", spans)
		}

		known := &calendar.Calendar{From: from, Until: until, Spans: spans}
		readings := make([]time.Time, len(walls))
		for now := from.Add(-48 * time.Hour); now.Before(until); now = now.Add(time.Minute) {
			want := false
			for i, w := range walls {
				year, month, day := now.In(w.zone).Date()
				hour, minute, _ := now.In(w.zone).Clock()
				if reading := time.Date(year, month, day, hour, minute, 0, 0, time.UTC); reading.After(readings[i]) {
					readings[i] = reading
				}
				want = want || w.isOn(readings[i])
			}
			if now.Before(from) {
				continue
			}
			end, in := known.At(now)
			require.Equal(t, want, in, "%s; blackouts %+v", now, blackouts)
			require.True(t, !in || end.After(now))
		}
	})
}
