package monitor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

func TestFailuresInARowOpenTheCircuit(t *testing.T) {
	m := newMachine(policyOf(t, `{"max_failures": 2, "cooldown": "0s"}`))
	fail := func(at time.Time) {
		breach(m, at, "v1")
		outcome(t, m, at, modelops.Failed, "")
	}
	fail(noon)
	breach(m, noon, "v1")
	outcome(t, m, noon, modelops.Succeeded, "") // resets the count
	fail(noon.Add(time.Second))
	assert.Equal(t, contract.PhaseWatching, m.Phase(noon.Add(time.Second)))
	fail(noon.Add(2 * time.Second))
	status := m.Status(noon)
	assert.Equal(t, contract.PhasePaused, status.Phase)
	assert.Equal(t, retraining.ByCircuit, status.Paused.By)
	assert.Equal(t, policy.CircuitOpened, status.Decisions[len(status.Decisions)-1].Kind)
	breach(m, noon.Add(3*time.Second), "v1")
	assert.EqualValues(t, 1, m.Status(noon).Suppressed[journal.ByPause])

	m.ResumeBy(noon.Add(time.Minute), monitor.Control{By: "ada"})
	assert.Zero(t, m.Status(noon).Failures, "resume closes it and forgets the count")
	fail(noon.Add(2 * time.Minute))
	assert.Equal(t, contract.PhaseWatching, m.Phase(noon.Add(2*time.Minute)))
}

// A backend that can't be followed accepts, and its pipeline may tell the outcome
// later, or never.
func TestAcceptedEndsARowOfFailuresUnlessItsPipelineSaysOtherwise(t *testing.T) {
	for name, c := range map[string]struct {
		ends     []string // of one retraining after the other; "late" is a late word about the one accepted last
		failures int
	}{
		"accepted between two failures":                     {[]string{"failed", "accepted", "failed"}, 1},
		"accepted, and failed after all":                    {[]string{"failed", "accepted", "late failed"}, 2},
		"accepted and failed again and again":               {[]string{"accepted", "late failed", "accepted", "late failed"}, 2},
		"failed after all when another has":                 {[]string{"failed", "accepted", "failed", "late failed"}, 3},
		"accepted, and succeeded":                           {[]string{"failed", "accepted", "late succeeded"}, 0},
		"failed after all when another has succeeded":       {[]string{"failed", "accepted", "succeeded", "late failed"}, 1},
		"accepted twice, the first of which failed, though": {[]string{"failed", "accepted", "accepted"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, `{"cooldown": "0s"}`))
			accepted := ""
			for i, end := range c.ends {
				at := noon.Add(time.Duration(i) * time.Minute)
				state, isLate := strings.CutPrefix(end, "late ")
				id := accepted
				if !isLate {
					breach(m, at, "v1")
					id = m.Wants(at).Schedule.RequestID
				}
				if state == "accepted" {
					accepted = id
					m.TakeJob(at, id, modelops.Job{Backend: "log"})
				} else {
					m.Outcome(at, modelops.Outcome{RequestID: id, State: modelops.State(state)})
				}
				m.Tick(at)
			}
			assert.Equal(t, c.failures, m.Status(noon).Failures)
		})
	}
}
