package monitor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

const nightly = `{"cooldown": "0s", "rules": [{"name": "night", "schedule": "30 2 * * *", "zone": "Europe/Berlin"}]}`

// nightsIn are the instants after from and until until at which a clock in Berlin shows
// 02:30, found minute by minute.
func nightsIn(t require.TestingT, from, until time.Time) (nights []time.Time) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for at := from.Truncate(time.Minute); !at.After(until); at = at.Add(time.Minute) {
		if clock := at.In(berlin); at.After(from) && clock.Hour() == 2 && clock.Minute() == 30 {
			nights = append(nights, at)
		}
	}
	return nights
}

func TestAScheduleTriggersWheneverAClockInItsZoneShowsItsTime(t *testing.T) {
	for name, start := range map[string]time.Time{
		"clocks are put forward": time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC),
		"clocks are put back":    time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, nightly))
			var want, got []string
			listen(m, func(d monitor.Decision) {
				if d.Kind == policy.Triggered {
					got = append(got, d.At.Format(time.RFC3339)+" "+d.Reason)
				}
			})
			observe(m, start, event(start, 0.99, 1, 0))
			end := start.AddDate(0, 0, 40) // over two calendars
			wakeUntil(m, end)

			for _, night := range nightsIn(t, start, end) {
				text := night.Format(time.RFC3339)
				want = append(want, text+" schedule 30 2 * * * (Europe/Berlin) at "+text)
			}
			assert.Equal(t, want, got)
		})
	}
}

func TestEachInstantOfAScheduleIsJudgedOnceHoweverLateAndWhereverARunIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)
		start := now
		m, whole := newMachine(policyOf(t, nightly)), newMachine(policyOf(t, nightly))
		for _, m := range []*monitor.Machine{m, whole} {
			observe(m, now, event(now, 0.99, 1, 0))
		}

		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 12*24*60).Draw(t, "minutes")) * time.Minute)
			isLate := rapid.Bool().Draw(t, "late")
			for _, m := range []*monitor.Machine{m, whole} {
				if isLate {
					look(m, now)
				}
				wakeUntil(m, now)
				look(m, now)
			}
			if rapid.Bool().Draw(t, "applied anew") {
				other := `{"cooldown": "0s", "rules": [{"name": "night", "schedule": "30 2 * * *", "zone": "Europe/Berlin"}, {"name": "other", "schedule": "0 0 29 2 *"}]}`
				for _, m := range []*monitor.Machine{m, whole} {
					apply(t, m, now, other)
				}
			}

			m = cut(t, m)
			require.Len(t, nightsIn(t, start, now), int(whole.Status(now).Breaches))
			require.JSONEq(t, encode(t, whole.Status(now)), encode(t, m.Status(now)))
		}
	})
}

func TestAScheduleTriggersNothingBeforeAVersionIsHeardOf(t *testing.T) {
	m := newMachine(policyOf(t, nightly))
	look(m, noon)
	wakeUntil(m, noon.AddDate(0, 0, 20))
	assert.Zero(t, m.Status(noon.AddDate(0, 0, 20)).Breaches)

	later := noon.AddDate(0, 0, 20)
	observe(m, later, event(later, 0.99, 1, 0))
	wakeUntil(m, later.AddDate(0, 0, 1))
	assert.EqualValues(t, 1, m.Status(later.AddDate(0, 0, 1)).Breaches)
}

func TestAScheduleThatIsNewIsNotDueBeforeItWasApplied(t *testing.T) {
	m := newMachine(policyOf(t, `{"cooldown": "0s", "rules": [{"name": "night", "schedule": "0 0 29 2 *"}]}`))
	observe(m, noon, event(noon, 0.99, 1, 0))
	at := noon.AddDate(0, 0, 5)
	wakeUntil(m, at)
	apply(t, m, at, nightly)
	assert.Zero(t, m.Status(at).Breaches)

	wakeUntil(m, at.AddDate(0, 0, 1))
	assert.EqualValues(t, 1, m.Status(at.AddDate(0, 0, 1)).Breaches)
}

func TestAScheduleThatIsDueAfterTheCalendarsEndIsDue(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "spring", "schedule": "0 5 1 6 *"}]}`))
	observe(m, noon, event(noon, 0.99, 1, 0))
	due := time.Date(2026, 6, 1, 5, 0, 0, 0, time.UTC)
	wakeUntil(m, due.Add(time.Hour))
	triggered := m.Status(due.Add(time.Hour)).Decisions
	require.NotEmpty(t, triggered)
	assert.Equal(t, due, triggered[0].At)
}
