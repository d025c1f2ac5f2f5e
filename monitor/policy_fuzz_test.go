package monitor_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Whatever a policy says, it is refused or it is lived by: no panic, no endless
// loop, no state beyond its bound, and it reads back as it was written.
func FuzzPolicy(f *testing.F) {
	for _, wire := range append(richPolicies, `{}`, `{"rules": [{"not": "x"}]}`, `{"rules": [{"name": "x", "all_of": ["x"]}]}`,
		`{"rules": [{"metric": "m", "stat": "p0.1", "period": "744h", "grace": "7440h", "above": 1e99, "missing": "breaching"}]}`) {
		f.Add([]byte(wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		wanted, err := policy.Decode(wire)
		if err != nil {
			return
		}
		encoded, err := json.Marshal(wanted)
		require.NoError(t, err)
		again, err := policy.Decode(encoded)
		require.NoError(t, err, string(encoded))
		require.Equal(t, encode(t, wanted), encode(t, again))

		m := newMachine(wanted)
		now := noon
		for i := range 60 {
			if wanted, ok := m.CalendarWanted(now); ok {
				computed, err := m.Clocks().Calendar(wanted.From, wanted.Until)
				m.SetCalendar(now, wanted, computed, err)
			}
			e := event(now, float64(i%7)/7, float64(i*10), float64(i%3))
			e.Metrics = map[string]float64{"m": float64(i)}
			m.Observe(now, e)
			m.Tick(now)
			land(m, now)
			next := now.Add(time.Duration(i) * time.Second)
			for range 50 { // a short period has many wakes
				wake, ok := m.NextWake()
				if !ok || wake.After(next) {
					break
				}
				m.Tick(wake)
			}
			now = next
			m.Tick(now)
		}
		require.LessOrEqual(t, len(encode(t, m.Status(now))), monitor.MaxStateBytes)
		require.LessOrEqual(t, len(encode(t, m.State())), monitor.MaxStateBytes)
	})
}
