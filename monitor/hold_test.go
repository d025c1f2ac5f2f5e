package monitor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

func TestARequestThatNeverWentOutTakesItsCooldownWithIt(t *testing.T) {
	for name, end := range map[string]func(m *monitor.Machine){
		"it breaches no more": func(m *monitor.Machine) {
			at := noon.Add(30 * time.Second)
			m.Observe(at, reading(at, "v1", metric.Accuracy, 0.95))
			tickUntil(m, noon.Add(2*time.Minute))
		},
		"an operator cancels it": func(m *monitor.Machine) { m.Cancel(noon.Add(30*time.Second), monitor.Control{By: "ada"}) },
		"its rule is a warning by now": func(m *monitor.Machine) {
			applied(t, m, `{"rules": [{"metric": "accuracy", "below": 0.9, "severity": "warning"}]}`)
		},
		"its rule is gone":               func(m *monitor.Machine) { applied(t, m, `{"rules": [{"metric": "auc", "below": 0.9}]}`) },
		"the policy is a dry run by now": func(m *monitor.Machine) { applied(t, m, `{"dry_run": true}`) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, `{"cooldown": "12h"}`))
			m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.8))
			m.Tick(noon)
			m.Hold(noon, m.Wants(noon).Schedule.RequestID, "frozen")
			m.Tick(noon)
			end(m)

			at := noon.Add(time.Hour)
			m.SetPolicy(at, policyOf(t, `{"cooldown": "12h"}`))
			m.Tick(at)
			require.EqualValues(t, 1, m.Status(at).Retrainings.Cancelled)
			require.Equal(t, contract.PhaseWatching, m.Phase(at))
			breach(m, at, "v1")
			assert.EqualValues(t, 2, m.Status(at).Retrainings.Requested)
		})
	}
}

// applied puts a policy in force while a request is held, until it is judged again.
func applied(t *testing.T, m *monitor.Machine, wire string) {
	m.SetPolicy(noon.Add(30*time.Second), policyOf(t, wire))
	tickUntil(m, noon.Add(2*time.Minute))
}
