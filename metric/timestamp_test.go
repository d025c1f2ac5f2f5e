package metric_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
)

func TestTimestampsAsPeopleWriteThem(t *testing.T) {
	want := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"2026-11-26T10:00:00Z", "2026-11-26T11:00:00+01:00", "2026-11-26T10:00:00+0000", "2026-11-26T05:00:00-0500", "2026-11-26 10:00:00Z",
		"2026-11-26 10:00:00+00:00", "2026-11-26 12:00:00+0200", "2026-11-26T10:00:00.000000Z", "2026-11-26T10:00Z", "2026-11-26 10:00+0000",
		"1795687200", "1795687200.0", "1795687200000", "1795687200000000", "1795687200000000000", "1.7956872e9",
	} {
		stamp, err := metric.ParseTimestamp(text, nil)
		require.NoError(t, err, text)
		assert.Equal(t, want, stamp, text)
	}
}

func TestATimeWithoutAZoneIsOfTheZoneThatIsGivenOrRefused(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for text, want := range map[string]time.Time{
		"2026-11-26T10:00:00":   time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC),
		"2026-07-26 10:00:00.5": time.Date(2026, 7, 26, 8, 0, 0, 500_000_000, time.UTC),
		"2026-11-26 10:00":      time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC),
		"2026-11-26T10:00":      time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC),
		"2026-11-26":            time.Date(2026, 11, 25, 23, 0, 0, 0, time.UTC),
	} {
		stamp, err := metric.ParseTimestamp(text, berlin)
		require.NoError(t, err, text)
		assert.Equal(t, want, stamp, text)
		_, err = metric.ParseTimestamp(text, nil)
		assert.ErrorContains(t, err, "must say its zone: write 2026-", text)
	}
}

func TestWhatIsNoTimestampIsNamed(t *testing.T) {
	_, err := metric.ParseTimestamp("", nil)
	require.EqualError(t, err, "is missing or empty")
	for _, text := range []string{
		"yesterday", "26.11.2026", "2026-13-01T00:00:00Z", "2026-11-26T25:00:00Z", "2026-11-26T", "2026-11-26x10:00:00Z", "NaN", "inf", "1e300", "2026-11-26T10:00:00+1",
	} {
		_, err := metric.ParseTimestamp(text, time.UTC)
		assert.ErrorContains(t, err, `must be an RFC 3339 time such as 2006-01-02T15:04:05Z, or Unix seconds or milliseconds, got "`+text, text)
	}
}
