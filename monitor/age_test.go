package monitor_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// look lets time pass as the workflow does when a timer fires or inputs were taken.
func look(m *monitor.Machine, now time.Time) {
	fillCalendar(m, now)
	m.Tick(now)
}

// fillCalendar computes the blackouts where a machine wants to have them.
func fillCalendar(m *monitor.Machine, now time.Time) {
	if wanted, ok := m.CalendarWanted(now); ok {
		computed, err := m.Clocks().Calendar(wanted.From, wanted.Until)
		m.SetCalendar(now, wanted, computed, err)
	}
}

// wakeUntil lets time pass as the workflow does, calendars included; a request that
// goes out is refused at once.
func wakeUntil(m *monitor.Machine, end time.Time) {
	for {
		at, ok := m.NextWake()
		isLast := !ok || at.After(end)
		if isLast {
			at = end
		}
		look(m, at)
		if flight := m.Wants(at).Schedule; flight != nil {
			m.TakeRefusal(at, flight.RequestID, "no")
			look(m, at)
		}
		if isLast {
			return
		}
	}
}

// Whatever holds a breach of age or silence back, its end is an instant that the
// machine asks to be woken at.
func TestAnAgeOrASilenceTriggersAsSoonAsNothingHoldsItBack(t *testing.T) {
	day := noon.Add(-12 * time.Hour)
	for name, c := range map[string]struct {
		policy string
		before func(m *monitor.Machine)
		at     time.Duration // of the trigger, since midnight
	}{
		"a blackout in which it begins": {`"blackout": [{"from": "00:30", "to": "18:00"}]`, nil, 18 * time.Hour},
		"a blackout in which the cooldown ends": {
			`"cooldown": "6h", "blackout": [{"from": "04:00", "to": "18:00"}]`,
			func(m *monitor.Machine) { m.Retrain(day, monitor.Control{Force: true}) }, 18 * time.Hour,
		},
		"a blackout in which the retraining in flight times out": {
			`"cooldown": "0s", "retraining": {"timeout": "6h"}, "blackout": [{"from": "04:00", "to": "18:00"}]`,
			func(m *monitor.Machine) {
				m.Retrain(day, monitor.Control{Force: true})
				m.TakeJob(day, m.Wants(day).Schedule.RequestID, modelops.Job{Backend: "b", Followed: true})
			}, 18 * time.Hour,
		},
		"a blackout that follows another": {
			`"blackout": [{"from": "00:30", "to": "03:00"}, {"from": "03:00", "to": "05:00"}]`, nil, 5 * time.Hour,
		},
		"the cooldown": {
			`"cooldown": "6h"`, func(m *monitor.Machine) { m.Retrain(day, monitor.Control{Force: true}) }, 6 * time.Hour,
		},
		"nothing": {`"cooldown": "6h"`, nil, time.Hour},
	} {
		for _, rule := range []string{`"max_age": "1h"`, `"silent_for": "1h"`} {
			t.Run(name+" "+rule, func(t *testing.T) {
				m := newMachine(policyOf(t, `{"rules": [{"name": "due", `+rule+`}], `+c.policy+`}`))
				wakeUntil(m, day)
				m.Observe(day, reading(day, "v1", metric.Accuracy, 0.95))
				if c.before != nil {
					c.before(m)
				}
				var triggered []time.Time
				listen(m, func(d monitor.Decision) {
					if d.Kind == policy.Triggered {
						triggered = append(triggered, d.At)
					}
				})
				wakeUntil(m, day.Add(20*time.Hour))
				require.NotEmpty(t, triggered)
				assert.Equal(t, day.Add(c.at), triggered[0])
			})
		}
	}
}

// A breach that time alone brings is one breach, however often it is looked at.
func TestWithoutACooldownAnAgeOrASilenceActsOnce(t *testing.T) {
	for _, rule := range []string{`"max_age": "1h"`, `"silent_for": "1h"`} {
		for _, dryRun := range []bool{false, true} {
			for _, isCut := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s dry run %v cut %v", rule, dryRun, isCut), func(t *testing.T) {
					m := newMachine(policyOf(t, fmt.Sprintf(`{"dry_run": %v, "cooldown": "0s", "rules": [{"name": "due", %s}]}`, dryRun, rule)))
					m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.95))
					acted := 0
					hear := func(d monitor.Decision) {
						if d.Kind == policy.Triggered || d.Kind == policy.Held {
							acted++
						}
					}
					listen(m, hear)
					for i := range 120 {
						if isCut {
							state, err := monitor.DecodeState([]byte(encode(t, m.State())))
							require.NoError(t, err)
							m = monitor.Restore(state)
							listen(m, hear)
						}
						wakeUntil(m, noon.Add(time.Duration(i)*time.Minute))
					}
					assert.Equal(t, 1, acted, "it failed, but no cooldown says when it may be asked for again")

					at := noon.Add(2 * time.Hour)
					m.Observe(at, reading(at, "v2", metric.Accuracy, 0.95))
					wakeUntil(m, at.Add(2*time.Hour))
					want := 1
					if rule == `"silent_for": "1h"` {
						want = 2
					}
					assert.Equal(t, want, acted, "another silence is another breach; another version is no other age")
				})
			}
		}
	}
}

func TestASuppressedAgeActsWhenItIsFreeWithoutACooldownToo(t *testing.T) {
	m := newMachine(policyOf(t, `{"cooldown": "0s", "rules": [{"name": "stale", "max_age": "1h"}]}`))
	m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.95))
	m.PauseBy(noon, monitor.Control{})
	wakeUntil(m, noon.Add(2*time.Hour))
	require.Empty(t, kindsOf(m.Status(noon).Decisions, policy.Triggered))
	at := noon.Add(3 * time.Hour)
	m.ResumeBy(at, monitor.Control{})
	wakeUntil(m, at)
	wakeUntil(m, at.Add(time.Hour))
	triggered := kindsOf(m.Status(noon).Decisions, policy.Triggered)
	require.Len(t, triggered, 1)
	assert.Equal(t, at, triggered[0].At)
}

// Two silences of different lengths: an event that ends the shorter one begins it
// anew, and its end is not slept through until the longer one's.
func TestASilenceAfterAnEventIsNoticedInTimeBesideALongerOne(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [
		{"name": "short", "silent_for": "10m", "severity": "warning"}, {"name": "long", "silent_for": "1h", "severity": "warning"}]}`))
	m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.95))
	wakeUntil(m, noon.Add(15*time.Minute))
	at := noon.Add(15 * time.Minute)
	m.Observe(at, reading(at, "v1", metric.Accuracy, 0.95))
	wakeUntil(m, at)
	wakeUntil(m, noon.Add(3*time.Hour))
	var heard []string
	for _, d := range m.Status(noon).Decisions {
		heard = append(heard, d.Rule+" "+d.At.Format("15:04"))
	}
	assert.Equal(t, []string{"short 12:10", "short 12:25", "long 13:15"}, heard)
}
