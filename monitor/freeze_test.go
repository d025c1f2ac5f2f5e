package monitor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
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
			m.Freeze(noon, m.Wants(noon).Schedule.RequestID, "frozen")
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

func TestWhatIsHeldIsJudgedAgainBeforeItStarts(t *testing.T) {
	begin := func() (*monitor.Machine, string) {
		m := newMachine(policyOf(t, `{"rules": [{"metric": "accuracy", "below": 0.9}], "retraining": {"timeout": "10m"}}`))
		m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.8))
		m.Tick(noon)
		id := m.Wants(noon).Schedule.RequestID
		m.Freeze(noon, id, "all models frozen since …: bad data")
		m.Tick(noon)
		return m, id
	}
	isScheduled := func(m *monitor.Machine, at time.Time) bool {
		m.Tick(at)
		return m.Wants(at).Schedule != nil
	}
	t.Run("it waits, and is asked for again as the same retraining", func(t *testing.T) {
		m, id := begin()
		assert.False(t, isScheduled(m, noon))
		assert.Equal(t, monitor.HeldFreeze, m.Glance(noon).Waits)
		assert.False(t, isScheduled(m, noon.Add(59*time.Second)))
		next, ok := m.NextWake()
		assert.True(t, ok)
		assert.Equal(t, noon.Add(time.Minute), next)
		require.True(t, isScheduled(m, next))
		assert.Equal(t, id, m.Wants(next).Schedule.RequestID)
		for i := range 30 { // far beyond its timeout
			m.Freeze(noon.Add(time.Duration(1+i)*time.Minute), id, "still")
			require.True(t, isScheduled(m, noon.Add(time.Duration(2+i)*time.Minute)))
		}
		assert.Len(t, kindsOf(m.Status(noon).Decisions, policy.Held), 1, "once said is enough")
		m.TakeJob(noon.Add(time.Hour), id, modelops.Job{ID: "job", Backend: "b", Followed: true})
		m.Freeze(noon.Add(time.Hour), id, "too late")
		assert.NotNil(t, m.Wants(noon.Add(time.Hour)).Await)
	})
	t.Run("it times out by its policy's timeout, which a freeze puts off and doesn't change", func(t *testing.T) {
		m, _ := begin()
		m.Tick(noon.Add(10 * time.Minute))
		require.NotNil(t, m.Status(noon).Current)
		m.Tick(noon.Add(11 * time.Minute))
		last := m.Status(noon.Add(11 * time.Minute)).Decisions
		assert.Equal(t, "no outcome within 10m", last[len(last)-1].Reason)
	})
	t.Run("it is dropped when it breaches no more", func(t *testing.T) {
		m, _ := begin()
		m.Observe(noon.Add(30*time.Second), reading(noon.Add(30*time.Second), "v1", metric.Accuracy, 0.95))
		assert.False(t, isScheduled(m, noon.Add(time.Minute)))
		s := m.Status(noon.Add(time.Minute))
		assert.Equal(t, contract.PhaseWatching, s.Phase, "nothing went out, so that no cooldown has begun")
		last := s.Decisions[len(s.Decisions)-1]
		assert.Equal(t, policy.Cancelled, last.Kind)
		assert.Equal(t, "it was held, and breaches no more", last.Reason)
		assert.EqualValues(t, 1, s.Retrainings.Cancelled)
	})
	t.Run("one by hand is not judged", func(t *testing.T) {
		m := newMachine(policyOf(t, `{}`))
		id := m.Retrain(noon, monitor.Control{By: "ada", Force: true})
		m.Freeze(noon, id, "frozen")
		assert.True(t, isScheduled(m, noon.Add(time.Minute)))
	})
	t.Run("and can be cancelled", func(t *testing.T) {
		m, _ := begin()
		m.Cancel(noon, monitor.Control{By: "ada"})
		assert.False(t, isScheduled(m, noon.Add(time.Hour)))
	})
}

// What is in force is in a memo, of which the server takes 2 MiB.
