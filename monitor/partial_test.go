package monitor_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// judgedDay is a datapoint in words: of which version, which day, and how much.
func judgedDay(version string, day int, value float64) string {
	return fmt.Sprintf("%s: %v on day %02d", version, value, day)
}

// Versions follow one another, and each sends events at random, some of them none. The
// brute force counts readings day by day on calendars of a zone, and leaves out those days
// in which a version has begun, unless at midnight.
func TestCountsAndSumsAreOfWholePeriodsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Australia/Sydney"}).Draw(t, "zone"))
		require.NoError(t, err)
		stat := rapid.SampledFrom([]policy.Stat{policy.StatCount, policy.StatSum}).Draw(t, "stat")
		midnight := func(day int) time.Time { return time.Date(2026, 3, 1+day, 0, 0, 0, 0, zone).UTC() } // into summer time
		m := newMachine(policyOf(t, fmt.Sprintf(`{"cooldown": "0s", "rules": [
			{"name": "total", "metric": "accuracy", "stat": %q, "period": "24h", "zone": %q, "below": 0, "grace": "0s"}]}`, stat, zone)))
		var want, got []string
		m.OnJudged = func(j *monitor.Judgement) {
			if !j.Unknown {
				day := int(j.Start.Add(12*time.Hour).In(zone).Sub(time.Date(2026, 3, 1, 0, 0, 0, 0, zone)) / (24 * time.Hour))
				got = append(got, judgedDay(j.ModelVersion, day, j.Value.Value()))
			}
		}

		const days = 45
		var begins []time.Time // of versions
		at := midnight(0).Add(time.Duration(rapid.IntRange(0, 2*24*3600).Draw(t, "begins")) * time.Second)
		for at.Before(midnight(days)) {
			begins = append(begins, at)
			if rapid.IntRange(0, 3).Draw(t, "at midnight") == 0 {
				at = midnight(int(at.Sub(midnight(0))/(24*time.Hour)) + rapid.IntRange(2, 12).Draw(t, "days"))
			} else {
				at = at.Add(time.Duration(rapid.IntRange(3600, 12*24*3600).Draw(t, "seconds")) * time.Second)
			}
		}

		totals := map[string]map[int]float64{} // by version and day
		for i, begin := range begins {
			version := fmt.Sprintf("v%02d", i)
			totals[version] = map[int]float64{}
			end := midnight(days)
			if i+1 < len(begins) {
				end = begins[i+1]
			}
			stamps := []time.Time{begin}
			for range rapid.IntRange(0, 60).Draw(t, "events") {
				stamps = append(stamps, begin.Add(time.Duration(rapid.Int64Range(0, int64(end.Sub(begin)/time.Second)-1).Draw(t, "second"))*time.Second))
			}
			slices.SortFunc(stamps, time.Time.Compare)
			for _, stamp := range stamps {
				wakeUntil(m, stamp)
				e := event(stamp, 0.5, 0, 0)
				e.ModelVersion = version
				observe(m, stamp, e)
				local := stamp.In(zone)
				day := int(time.Date(local.Year(), local.Month(), local.Day(), 12, 0, 0, 0, zone).Sub(midnight(0)) / (24 * time.Hour))
				if stat == policy.StatCount {
					totals[version][day]++
				} else {
					totals[version][day] += 0.5
				}
			}
		}

		wakeUntil(m, midnight(days))
		for i, begin := range begins {
			version := fmt.Sprintf("v%02d", i)
			for day := range days {
				next := midnight(days)
				if i+1 < len(begins) {
					next = begins[i+1]
				}
				if !midnight(day).Before(begin) && !midnight(day+1).After(next) {
					want = append(want, judgedDay(version, day, totals[version][day]))
				}
			}
		}
		require.Equal(t, want, got)
	})
}

// A canary that is heard now and then takes nothing over.
func TestACanaryCostsTheVersionInServiceNoDatapoint(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "few", "metric": "accuracy", "stat": "count", "period": "1h", "below": 1}]}`))
	judged := map[string]int{}
	m.OnJudged = func(j *monitor.Judgement) {
		if !j.Unknown {
			judged[j.ModelVersion]++
		}
	}
	for minute := range 24 * 60 {
		at := noon.Add(time.Duration(minute) * time.Minute)
		wakeUntil(m, at)
		e := event(at, 0.9, 0, 0)
		if minute%150 == 75 {
			e.ModelVersion = "canary"
		}
		observe(m, at, e)
	}
	require.Equal(t, 23, judged["v1"], "that many hours are over")
}
