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
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// breach is an observation that violates the default policy.
func breach(m *monitor.Machine, at time.Time, version string) {
	m.Observe(at, reading(at, version, metric.Accuracy, 0.5))
	m.Tick(at)
}

// outcome ends the retraining in flight.
func outcome(t *testing.T, m *monitor.Machine, at time.Time, state modelops.State, version string) {
	flight := m.Wants(at).Schedule
	require.NotNil(t, flight)
	m.TakeJob(at, flight.RequestID, modelops.Job{Backend: "b", Followed: true})
	m.Outcome(at, modelops.Outcome{RequestID: flight.RequestID, State: state, ModelVersion: version})
	m.Tick(at)
}

func kinds(m *monitor.Machine) (kinds []policy.Kind) {
	for _, d := range m.Status(noon).Decisions {
		kinds = append(kinds, d.Kind)
	}
	return kinds
}

func TestADryRunDecidesAndAsksForNothing(t *testing.T) {
	m := newMachine(policy.Policy{DryRun: true})
	breach(m, noon, "v1")
	breach(m, noon.Add(time.Minute), "v1")
	breach(m, noon.Add(time.Hour), "v1")
	status := m.Status(noon.Add(time.Hour))
	assert.Equal(t, []policy.Kind{policy.Held, policy.Suppressed, policy.Held}, kinds(m), "its cooldown is virtual, and holds")
	assert.Equal(t, map[monitor.Suppression]int64{journal.ByDryRun: 2, journal.ByCooldown: 1}, status.Suppressed)
	assert.Zero(t, status.Retrainings.Requested)
	assert.Nil(t, m.Wants(noon.Add(time.Hour)).Schedule)
	assert.Equal(t, contract.PhaseCoolingDown, status.Phase)

	m.SetPolicy(noon.Add(time.Hour), policy.Policy{})
	breach(m, noon.Add(time.Hour+time.Second), "v1")
	assert.EqualValues(t, 1, m.Status(noon).Retrainings.Requested, "what a dry run held starts no real cooldown")
}

func TestApproval(t *testing.T) {
	asked := func(onTimeout string) *monitor.Machine {
		m := newMachine(policyOf(t, `{"approval": {"required": true, "timeout": "4h", "on_timeout": "`+onTimeout+`"}}`))
		breach(m, noon, "v1")
		breach(m, noon.Add(time.Minute), "v1")
		status := m.Status(noon.Add(time.Minute))
		require.Equal(t, contract.PhaseAwaitingApproval, status.Phase)
		require.EqualValues(t, 1, status.Suppressed[journal.ByApproval])
		require.Zero(t, status.Retrainings.Requested)
		require.True(t, status.CooldownUntil.IsZero(), "the cooldown starts when the request goes out")
		return m
	}
	t.Run("approved, it goes out", func(t *testing.T) {
		m := asked("reject")
		require.NoError(t, m.CanAnswer(true))
		at := noon.Add(time.Hour)
		assert.NotEmpty(t, m.Approve(at, monitor.Control{By: "ada", Reason: "go"}))
		assert.Equal(t, []policy.Kind{policy.AwaitingApproval, policy.Suppressed, policy.Approved, policy.Triggered}, kinds(m))
		assert.Equal(t, at.Add(time.Hour), m.CooldownUntil())
		assert.Equal(t, "accuracy 0.5000 below threshold 0.9000", m.Wants(at).Schedule.Reason)
		require.ErrorContains(t, m.CanAnswer(true), "no trigger waits")
	})
	t.Run("rejected, the cooldown starts", func(t *testing.T) {
		m := asked("reject")
		at := noon.Add(time.Hour)
		m.RejectPending(at, monitor.Control{By: "ada", Reason: "a sale"})
		breach(m, at.Add(time.Minute), "v1")
		assert.Equal(t, []policy.Kind{policy.AwaitingApproval, policy.Suppressed, policy.ApprovalRejected, policy.Suppressed}, kinds(m))
		assert.EqualValues(t, 1, m.Status(at).Suppressed[journal.ByCooldown])
	})
	t.Run("no answer rejects", func(t *testing.T) {
		m := asked("reject")
		tickUntil(m, noon.Add(4*time.Hour-1))
		assert.Equal(t, contract.PhaseAwaitingApproval, m.Phase(noon.Add(4*time.Hour-1)))
		tickUntil(m, noon.Add(4*time.Hour))
		rejected := kindsOf(m.Status(noon).Decisions, policy.ApprovalRejected)
		require.Len(t, rejected, 1)
		assert.Equal(t, "no answer within 4h", rejected[0].Reason)
	})
	t.Run("no answer approves where the policy says so", func(t *testing.T) {
		m := asked("approve")
		tickUntil(m, noon.Add(4*time.Hour))
		assert.EqualValues(t, 1, m.Status(noon).Retrainings.Requested)
	})
	t.Run("but not in a pause", func(t *testing.T) {
		m := asked("approve")
		m.PauseBy(noon.Add(time.Hour), monitor.Control{By: "ada"})
		require.ErrorContains(t, m.CanAnswer(true), "resume it first")
		tickUntil(m, noon.Add(4*time.Hour))
		assert.Zero(t, m.Status(noon).Retrainings.Requested)
	})
	t.Run("a forced retraining overrides it", func(t *testing.T) {
		m := asked("reject")
		require.ErrorContains(t, m.CanRetrain(noon, monitor.Control{}), "waits for approval")
		require.NoError(t, m.CanRetrain(noon, monitor.Control{Force: true}))
		assert.NotEmpty(t, m.Retrain(noon.Add(time.Hour), monitor.Control{By: "ada", Force: true}))
		assert.Equal(t, contract.PhaseRetraining, m.Phase(noon.Add(time.Hour)))
	})
	t.Run("an unforced one waits for it too", func(t *testing.T) {
		m := newMachine(policyOf(t, `{"approval": {"required": true}}`))
		assert.Empty(t, m.Retrain(noon, monitor.Control{By: "ada"}))
		assert.Equal(t, contract.PhaseAwaitingApproval, m.Phase(noon))
	})
}

func TestACancelledRetrainingIsNoFailure(t *testing.T) {
	m := newMachine(policyOf(t, `{"max_failures": 1}`))
	require.ErrorContains(t, m.CanCancel(), "no retraining is in flight")
	breach(m, noon, "v1")
	id := m.Cancel(noon.Add(time.Second), monitor.Control{By: "ada", Reason: "wrong data"})
	status := m.Status(noon)
	assert.EqualValues(t, 1, status.Retrainings.Cancelled)
	assert.Equal(t, []policy.Kind{policy.Triggered, policy.Cancelled}, kinds(m))
	wants := m.Wants(noon)
	require.Len(t, wants.Cancel, 1, "the backend is to be told")
	assert.Equal(t, id, wants.Cancel[0].RequestID)
	m.CancelTold(noon, id, nil)
	assert.Empty(t, m.Wants(noon).Cancel)
}

func TestASupersededVersionTriggersNoMore(t *testing.T) {
	for name, c := range map[string]struct {
		policy, made string
		superseded   int64
	}{
		"a success that names another version supersedes": {`{"cooldown": "0s"}`, "v2", 1},
		"one that names none does not":                    {`{"cooldown": "0s"}`, "", 0},
		"nor one that names the same":                     {`{"cooldown": "0s"}`, "v1", 0},
		"unless the policy lifts it":                      {`{"cooldown": "0s", "superseded": "trigger"}`, "v2", 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, c.policy))
			breach(m, noon, "v1")
			outcome(t, m, noon.Add(time.Minute), modelops.Succeeded, c.made)
			breach(m, noon.Add(2*time.Minute), "v1")
			assert.Equal(t, c.superseded, m.Status(noon).Suppressed[journal.BySuperseded])
			assert.Equal(t, 2-c.superseded, m.Status(noon).Retrainings.Requested)
		})
	}
	t.Run("a canary beside it supersedes nothing", func(t *testing.T) {
		m := newMachine(policyOf(t, `{"cooldown": "0s"}`))
		at := noon
		m.Observe(at, reading(at, "v2", metric.Accuracy, 0.95))
		breach(m, at, "v1")
		assert.EqualValues(t, 1, m.Status(noon).Retrainings.Requested)
	})
}

func TestVerification(t *testing.T) {
	document := `{"cooldown": "0s", "max_failures": 1, "verify": {"within": "1h", "min_samples": 3}}`
	begin := func(t *testing.T) *monitor.Machine {
		m := newMachine(policyOf(t, document))
		breach(m, noon, "v1")
		outcome(t, m, noon.Add(time.Minute), modelops.Succeeded, "v2")
		return m
	}
	first := noon.Add(3 * time.Hour)
	good := func(m *monitor.Machine, n int) {
		for i := range n {
			at := first.Add(time.Duration(i) * time.Minute)
			m.Observe(at, reading(at, "v2", metric.Accuracy, 0.95))
			m.Tick(at)
		}
	}
	last := func(m *monitor.Machine) monitor.Decision {
		d := m.Status(noon).Decisions
		return d[len(d)-1]
	}
	t.Run("it begins with the new version's first event, and holds", func(t *testing.T) {
		m := begin(t)
		good(m, 3)
		tickUntil(m, first.Add(time.Hour-1))
		assert.NotNil(t, m.Status(noon).Verification)
		tickUntil(m, first.Add(time.Hour))
		assert.Equal(t, policy.Verified, last(m).Kind)
		assert.Equal(t, "v2", last(m).ModelVersion)
	})
	t.Run("too few samples say nothing, and are no failure", func(t *testing.T) {
		m := begin(t)
		good(m, 2)
		tickUntil(m, first.Add(time.Hour))
		assert.Equal(t, policy.Unverified, last(m).Kind)
		assert.NotEqual(t, contract.PhasePaused, m.Phase(noon))
	})
	t.Run("a broken rule regresses once there are samples enough", func(t *testing.T) {
		m := begin(t)
		good(m, 1)
		m.PauseBy(first, monitor.Control{By: "ada"}) // keeps it from triggering again
		breach(m, first.Add(time.Minute), "v2")
		assert.NotNil(t, m.Status(noon).Verification)
		m.ResumeBy(first, monitor.Control{})
		m.Observe(first.Add(2*time.Minute), reading(first.Add(2*time.Minute), "v2", metric.Accuracy, 0.95))
		m.Tick(first.Add(2 * time.Minute))
		regressed := kindsOf(m.Status(noon).Decisions, policy.Regressed)
		require.Len(t, regressed, 1)
		assert.Equal(t, "accuracy", regressed[0].Rule)
		assert.Equal(t, contract.PhasePaused, m.Phase(noon), "it is a failure: here it opens the circuit")
	})
	t.Run("rules that can't be judged in time are named", func(t *testing.T) {
		p := policyOf(t, `{"verify": {"within": "1h"}, "rules": [
			{"name": "fast", "metric": "accuracy", "below": 0.9},
			{"name": "slow", "metric": "accuracy", "stat": "mean", "period": "1h", "below": 0.9},
			{"name": "old", "max_age": "720h"},
			{"name": "fast and slow", "all_of": ["fast", "slow"]},
			{"name": "fast or slow", "any_of": ["fast", "slow"]}]}`)
		assert.Equal(t, []string{"slow", "old", "fast and slow"}, p.Unverifiable())
	})
	t.Run("a policy of which none can be judged is refused", func(t *testing.T) {
		for _, rules := range []string{
			`{"name": "old", "max_age": "720h"}`,
			`{"name": "slow", "metric": "a", "stat": "mean", "period": "1h", "below": 1, "condition": true}, {"name": "not slow", "not": "slow"}`,
		} {
			_, err := policy.Decode([]byte(`{"verify": {"within": "1h"}, "rules": [` + rules + `]}`))
			require.ErrorContains(t, err, "verify.within: none of the rules can be judged")
		}
	})
}

func TestCompositesAreThreeValued(t *testing.T) {
	rules := `{"cooldown": "0s", "rules": [
		{"name": "a", "metric": "a", "above": 1, "condition": true},
		{"name": "b", "metric": "b", "above": 1, "condition": true},
		{"name": "w", "metric": "w", "above": 1, "stat": "mean", "period": "1m", "condition": true},
		{"name": "both", "all_of": ["a", "b"]},
		{"name": "windowed", "all_of": ["a", "w"]},
		{"name": "not b", "not": "b", "condition": true},
		{"name": "a without b", "all_of": ["a", "not b"]}]}`
	for name, c := range map[string]struct {
		metrics map[string]float64
		rule    string
	}{
		"a condition never triggers by itself":                {map[string]float64{"a": 2}, ""},
		"all members breach in the same observation":          {map[string]float64{"a": 2, "b": 2}, "both"},
		"one healthy member is enough":                        {map[string]float64{"a": 2, "b": 0}, "a without b"},
		"an unknown member is not a healthy one":              {map[string]float64{"a": 2, "c": 0}, ""},
		"members measured apart are not the same observation": {map[string]float64{"b": 2}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, rules))
			m.Observe(noon, &metric.Event{Timestamp: noon, ModelName: "fraud", Metrics: c.metrics})
			m.Tick(noon)
			rule := ""
			if d := m.Status(noon).Decisions; len(d) > 0 {
				rule = d[0].Rule
			}
			assert.Equal(t, c.rule, rule)
		})
	}
	t.Run("a member with a period keeps its verdict", func(t *testing.T) {
		m := newMachine(policyOf(t, rules))
		m.Observe(noon, reading(noon, "v1", "w", 2))
		tickUntil(m, noon.Add(70*time.Second))
		assert.Empty(t, m.Status(noon).Decisions)
		at := noon.Add(80 * time.Second)
		m.Observe(at, reading(at, "v2", "a", 2))
		assert.Empty(t, m.Status(noon).Decisions, "of another version")
		m.Observe(at, reading(at, "v1", "a", 2))
		d := m.Status(noon).Decisions
		require.Len(t, d, 1)
		assert.Equal(t, "windowed", d[0].Rule)
		assert.Equal(t, "a 2.0000 above threshold 1.0000; w mean 2.0000 above threshold 1.0000 over 1m", d[0].Reason)
	})
}

func TestWarningsSpeakAndNeverTrigger(t *testing.T) {
	m := newMachine(policyOf(t, `{"cooldown": "0s", "rules": [{"metric": "accuracy", "below": 0.9, "severity": "warning"}]}`))
	for i := range 5 {
		breach(m, noon.Add(time.Duration(i)*time.Second), "v1")
	}
	status := m.Status(noon)
	assert.Equal(t, []policy.Kind{policy.Warned, policy.Warned}, kinds(m), "the first and the last of the streak")
	assert.EqualValues(t, 4, status.Decisions[1].Count)
	assert.Zero(t, status.Breaches)
}

func TestAgeCountsFromTheLastSuccess(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "stale", "max_age": "24h"}]}`))
	m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.95))
	m.Tick(noon)
	day := noon.Add(24 * time.Hour)
	m.Tick(day.Add(-1))
	assert.Empty(t, kinds(m))
	m.Tick(day)
	require.Equal(t, []policy.Kind{policy.Triggered}, kinds(m))
	outcome(t, m, day.Add(time.Minute), modelops.Failed, "")
	m.Tick(day.Add(59 * time.Minute))
	assert.EqualValues(t, 1, m.Status(noon).Retrainings.Requested)
	tickOnce := day.Add(time.Hour)
	m.Tick(tickOnce)
	assert.EqualValues(t, 2, m.Status(noon).Retrainings.Requested, "after a failure again, at the cooldown's end")
	outcome(t, m, tickOnce.Add(time.Minute), modelops.Succeeded, "v2")
	next, _ := m.NextWake()
	m.Tick(next) // the cooldown's end
	next, ok := m.NextWake()
	require.True(t, ok)
	assert.Equal(t, tickOnce.Add(24*time.Hour+time.Minute), next)
}

func TestSilenceIsNoticedOnce(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "silent", "silent_for": "30m", "severity": "warning"}]}`))
	for i := range 3 {
		at := noon.Add(time.Duration(i) * 20 * time.Minute)
		m.Observe(at, reading(at, "v1", metric.Accuracy, 0.95))
		tickUntil(m, at)
	}
	tickUntil(m, noon.Add(70*time.Minute-1))
	assert.Empty(t, kinds(m))
	tickUntil(m, noon.Add(5*time.Hour))
	warned := m.Status(noon).Decisions
	require.Len(t, warned, 1)
	assert.Equal(t, noon.Add(70*time.Minute), warned[0].At)
	assert.Equal(t, "no event for 30m", warned[0].Reason)
	at := noon.Add(6 * time.Hour)
	m.Observe(at, reading(at, "v1", metric.Accuracy, 0.95))
	tickUntil(m, at.Add(time.Hour))
	assert.Len(t, kindsOf(m.Status(noon).Decisions, policy.Warned), 2)
}
