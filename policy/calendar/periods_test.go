package calendar_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// periodsOf are a rule's periods, by the time zone data of this process.
func periodsOf(t *testing.T, fields string, from, until time.Time) calendar.Periods {
	var p policy.Policy
	require.NoError(t, p.UnmarshalJSON([]byte(`{"rules": [{"name": "r", "metric": "m", "stat": "mean", "below": 1, `+fields+`}]}`)))
	known, err := p.Calendar(from, until)
	require.NoError(t, err)
	return p.Rules[0].Periods(known.Zones)
}

func TestPeriodsBeginWhereTheirOffsetAndZoneSay(t *testing.T) {
	for _, c := range []struct{ fields, at, begins, ends string }{
		{`"period": "1h"`, "2026-03-02T10:59:59Z", "2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z"},
		{`"period": "1h", "offset": "15m"`, "2026-03-02T10:14:59Z", "2026-03-02T09:15:00Z", "2026-03-02T10:15:00Z"},
		{`"period": "1h", "offset": "15m"`, "1969-12-31T23:59:59Z", "1969-12-31T23:15:00Z", "1970-01-01T00:15:00Z"},
		{`"period": "168h"`, "2026-03-04T10:00:00Z", "2026-02-26T00:00:00Z", "2026-03-05T00:00:00Z"},                                            // Thursdays
		{`"period": "168h", "offset": "96h"`, "2026-03-04T10:00:00Z", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"},                           // Mondays
		{`"period": "24h", "zone": "Europe/Berlin"`, "2026-03-29T21:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},                    // 23 hours
		{`"period": "24h", "zone": "Europe/Berlin"`, "2026-10-24T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},                    // 25 hours
		{`"period": "168h", "offset": "96h", "zone": "Europe/Berlin"`, "2026-03-29T12:00:00Z", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},  // a week in which spring comes
		{`"period": "24h", "offset": "6h", "zone": "America/New_York"`, "2026-03-08T09:59:59Z", "2026-03-07T11:00:00Z", "2026-03-08T10:00:00Z"}, // a night in which it does
		{`"period": "24h", "zone": "America/Havana"`, "2026-11-01T04:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},                   // midnight comes twice: the first counts
		{`"period": "24h", "zone": "America/Havana"`, "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{`"period": "24h", "zone": "Africa/Cairo"`, "2026-04-23T22:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"}, // midnight is jumped over
	} {
		at := instant(t, c.at)
		p := periodsOf(t, c.fields, at, at.Add(14*24*time.Hour))
		start := p.Of(at)
		assert.Equal(t, c.begins, time.Unix(start, 0).UTC().Format(time.RFC3339), "%s at %s", c.fields, c.at)
		assert.Equal(t, c.ends, time.Unix(p.End(start), 0).UTC().Format(time.RFC3339), "%s at %s", c.fields, c.at)
	}
}

// Every second is in one period, which ends where the next begins, and of two periods
// the numbers say how many lie between; so in every zone, whatever its clocks do.
func TestPeriodsAreAPartitionOfTime(t *testing.T) {
	from := instant(t, "2026-01-01T00:00:00Z")
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Havana", "Africa/Cairo", "Africa/Casablanca", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Los_Angeles"} {
		for _, fields := range []string{`"period": "24h"`, `"period": "24h", "offset": "2h30m"`, `"period": "168h", "offset": "96h"`, `"period": "48h", "offset": "47h59m59s"`} {
			p := periodsOf(t, fields+`, "zone": "`+zone+`"`, from, from.Add(14*24*time.Hour))
			start := p.Of(from)
			first := p.Number(start)
			for i := range int64(300) {
				end := p.End(start)
				require.Less(t, start, end)
				require.InDelta(t, p.Length().Seconds(), float64(end-start), 2*3600, "%s in %s", fields, zone)
				for _, at := range []int64{start, (start + end) / 2, end - 1} {
					require.Equal(t, start, p.Of(time.Unix(at, 999_999_999)), "%s in %s, %s", fields, zone, time.Unix(at, 0).UTC())
					require.True(t, p.Has(start, time.Unix(at, 999_999_999)), "%s in %s, %s", fields, zone, time.Unix(at, 0).UTC())
				}
				require.False(t, p.Has(start, time.Unix(end, 0)) || p.Has(start, time.Unix(start-1, 999_999_999)), "%s in %s", fields, zone)
				require.Equal(t, first+i, p.Number(start))
				require.Equal(t, start, p.Move(p.Of(from), i))
				require.Equal(t, p.Of(from), p.Move(start, -i))

				open := p.FirstOpen(p.Due(start))
				require.Equal(t, end, open, "what is due is open no longer")
				require.Equal(t, start, p.FirstOpen(p.Due(start).Add(-1)))
				start = end
			}
		}
	}
}

func instant(t *testing.T, text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at
}
