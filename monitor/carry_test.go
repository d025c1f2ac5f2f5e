package monitor_test

import (
	"fmt"
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

// apply puts a policy in force as the workflow does.
func apply(t require.TestingT, m *monitor.Machine, at time.Time, wire string) {
	m.SetPolicy(at, policyOf(t, wire))
	look(m, at)
}

// observe hands on an event of one reading as the workflow does.
func observe(m *monitor.Machine, at time.Time, e *metric.Event) {
	wakeUntil(m, at)
	m.Observe(at, e)
	look(m, at)
}

// rulesOf are what the rules say of v1.
func rulesOf(m *monitor.Machine, at time.Time) []monitor.RuleStatus {
	return m.Status(at).Versions["v1"].Rules
}

func TestSilenceIsKnownFromWhenARuleBeginsToKnowIt(t *testing.T) {
	const policy = `{"cooldown": "0s", "rules": [{"name": "q", "metric": "auc", "stat": "mean", "below": 0.7, "period": "1s"%s}]}`
	for before, after := range map[string]string{
		"":                   `, "missing": "breaching"`,
		`, "missing": "ok"`:  `, "missing": "breaching"`,
		`, "grace": "10s"`:   `, "missing": "breaching", "grace": "0s"`,
		`, "min_samples": 5`: `, "missing": "breaching"`,
	} {
		t.Run(before+after, func(t *testing.T) {
			m := newMachine(policyOf(t, fmt.Sprintf(policy, before)))
			observe(m, noon, reading(noon, "v1", "auc", 0.9))
			at := noon.Add(7 * 24 * time.Hour)
			wakeUntil(m, at)
			apply(t, m, at, fmt.Sprintf(policy, after))
			assert.LessOrEqual(t, m.Status(at).Breaches, int64(1), "a week of silence was nobody's")
			wakeUntil(m, at.Add(10*time.Second))
			assert.InDelta(t, 9, m.Status(at).Breaches, 1.1, "from then on each period of it is a breach")
		})
	}
}

func TestAMonitorThatStopsJudgesNoSilence(t *testing.T) {
	m := newMachine(policyOf(t, `{"retraining": {"timeout": "8760h"}, "rules": [
		{"name": "q", "metric": "auc", "stat": "mean", "below": 0.7, "period": "1s", "missing": "breaching"}, {"metric": "accuracy", "below": 0.9}]}`))
	m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.8))
	m.Tick(noon)
	id := m.Wants(noon).Schedule.RequestID
	m.TakeJob(noon, id, modelops.Job{Backend: "b", Followed: true})
	m.StopBy(noon, monitor.Control{})
	m.Tick(noon)

	later := noon.Add(7 * 24 * time.Hour)
	m.Outcome(later, modelops.Outcome{RequestID: id, State: modelops.Succeeded})
	m.Tick(later)
	assert.True(t, m.Wants(later).Done)
	assert.EqualValues(t, 1, m.Status(later).Breaches)
}

// An outage in which readings were open is passed over as fast as one in which none
// were.
func TestALongOutageIsPassedOverWithAPeriodOpen(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "q", "metric": "auc", "stat": "count", "below": 1, "period": "1s", "datapoints": {"breaching": 3, "of": 3}}]}`))
	m.Observe(noon, reading(noon, "v1", "auc", 0.9))
	m.Tick(noon)
	back := noon.Add(300 * 24 * time.Hour)
	judged := testing.AllocsPerRun(1, func() {
		m.Tick(back)
		back = back.Add(300 * 24 * time.Hour)
	})
	assert.Less(t, judged, 10_000.0, "of 25 million periods of silence none but the last is looked at")
	assert.Empty(t, m.Status(back).Decisions)
}

func TestAPeriodIsJudgedOnceWhateverTheGraceBecomes(t *testing.T) {
	const p = `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "below": 0.9, "period": "1h", "grace": "%s", "datapoints": {"breaching": 2, "of": 2}}]}`
	for _, grace := range []string{"1h", "10h", "1s"} {
		t.Run(grace, func(t *testing.T) {
			m := newMachine(policyOf(t, fmt.Sprintf(p, "0s")))
			at := noon.Add(10 * time.Minute)
			observe(m, at, reading(at, "v1", metric.Accuracy, 0.8))
			wakeUntil(m, noon.Add(65*time.Minute))
			apply(t, m, noon.Add(65*time.Minute), fmt.Sprintf(p, grace))
			observe(m, noon.Add(66*time.Minute), reading(noon.Add(30*time.Minute), "v1", metric.Accuracy, 0.85))
			wakeUntil(m, noon.Add(24*time.Hour))
			assert.Empty(t, kindsOf(m.Status(noon).Decisions, policy.Triggered))
			rule := rulesOf(m, noon)[0]
			assert.Len(t, rule.Datapoints, 1)
			assert.EqualValues(t, 1, rule.Late)
		})
	}
}

// What a policy makes of what was measured before it.
func TestWhatWasMeasuredIsJudgedByThePolicyInForce(t *testing.T) {
	const rule = `{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1m", `
	for name, c := range map[string]struct {
		before, after string
		verdict       monitor.Verdict
		datapoints    int
		dropped       string
	}{
		"another threshold":                        {`"below": 0.9`, `"below": 0.7`, monitor.Healthy, 3, ""},
		"a stricter one":                           {`"below": 0.5`, `"below": 0.9`, monitor.Breaching, 3, ""},
		"the other side":                           {`"below": 0.9`, `"above": 0.7`, monitor.Unknown, 0, "dropped what was measured for decay"},
		"fewer of more":                            {`"below": 0.81, "datapoints": {"breaching": 3, "of": 3}`, `"below": 0.81, "datapoints": {"breaching": 2, "of": 3}`, monitor.Breaching, 3, ""},
		"a clear threshold that is held":           {`"below": 0.79`, `"below": 0.79, "clear_below": 0.95`, monitor.Breaching, 3, ""},
		"none any more":                            {`"below": 0.79, "clear_below": 0.95`, `"below": 0.79`, monitor.Healthy, 3, ""},
		"datapoints of more readings":              {`"below": 0.9`, `"below": 0.9, "min_samples": 2`, monitor.Unknown, 0, "dropped what was measured for decay"},
		"put into periods by arrival":              {`"below": 0.9`, `"below": 0.9, "time": "arrival"`, monitor.Unknown, 0, "dropped what was measured for decay"},
		"its own baseline, which begins to fill":   {`"below": 0.9`, `"below_baseline_by": 0.1`, monitor.Unknown, 3, ""},
		"severity alone":                           {`"below": 0.9`, `"below": 0.9, "severity": "warning"`, monitor.Breaching, 3, ""},
		"a change, of which nothing is known":      {`"below": 0.9`, `"change": {}`, monitor.Unknown, 0, "dropped what was measured for decay"},
		"a margin beyond a baseline that is full":  {`"below_baseline_by": 0.5, "baseline": {"samples": 1}`, `"below_baseline_by": 0.01, "baseline": {"samples": 1}`, monitor.Healthy, 3, ""},
		"more readings of a baseline that is full": {`"below_baseline_by": 0.5, "baseline": {"samples": 1}`, `"below_baseline_by": 0.5, "baseline": {"samples": 9}`, monitor.Healthy, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, `{"cooldown": "0s", "dry_run": true, "rules": [`+rule+c.before+`}]}`))
			for i, accuracy := range []float64{0.78, 0.80, 0.80} {
				at := noon.Add(time.Duration(i) * time.Minute)
				observe(m, at, reading(at, "v1", metric.Accuracy, accuracy))
			}
			at := noon.Add(3*time.Minute + 10*time.Second)
			wakeUntil(m, at)
			decided := len(m.Status(at).Decisions)
			apply(t, m, at, `{"cooldown": "0s", "dry_run": true, "rules": [`+rule+c.after+`}]}`)
			status := m.Status(at)
			assert.Equal(t, c.verdict, rulesOf(m, at)[0].Verdict)
			assert.Len(t, rulesOf(m, at)[0].Datapoints, c.datapoints)
			require.Len(t, status.Decisions, decided+1, "a verdict that is derived triggers nothing")
			assert.Equal(t, c.dropped, status.Decisions[decided].Reason)
		})
	}
}

const office = `"blackout": [{"from": "08:00", "to": "18:00"}]`

// What a blackout has put off belongs to the policy that did.
func TestWhatABlackoutHasPutOffIsJudgedByThePolicyInForce(t *testing.T) {
	for name, c := range map[string]struct {
		after     string
		triggered time.Duration // after noon; 0: never
	}{
		"the same":                              {`{"team": "a", "rules": [{"metric": "accuracy", "below": 0.9}], ` + office + `}`, 6 * time.Hour},
		"another threshold, beyond which it is": {`{"rules": [{"metric": "accuracy", "below": 0.88}], ` + office + `}`, 6 * time.Hour},
		"one within which it is":                {`{"rules": [{"metric": "accuracy", "below": 0.8}], ` + office + `}`, 0},
		"a warning":                             {`{"rules": [{"metric": "accuracy", "below": 0.9, "severity": "warning"}], ` + office + `}`, 0},
		"a condition":                           {`{"rules": [{"metric": "accuracy", "below": 0.9, "condition": true}, {"metric": "auc", "below": 0.1}], ` + office + `}`, 0},
		"a rule of another name":                {`{"rules": [{"name": "a", "metric": "accuracy", "below": 0.9}], ` + office + `}`, 0},
		"no blackout any more":                  {`{"rules": [{"metric": "accuracy", "below": 0.9}]}`, time.Hour},
		"one that is over":                      {`{"rules": [{"metric": "accuracy", "below": 0.9}], "blackout": [{"from": "08:00", "to": "12:30"}]}`, time.Hour},
		"one that ends earlier":                 {`{"rules": [{"metric": "accuracy", "below": 0.9}], "blackout": [{"from": "08:00", "to": "14:00"}]}`, 2 * time.Hour},
		"one that ends later":                   {`{"rules": [{"metric": "accuracy", "below": 0.9}], "blackout": [{"from": "08:00", "to": "20:00"}]}`, 8 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, `{"rules": [{"metric": "accuracy", "below": 0.9}], `+office+`}`))
			observe(m, noon, reading(noon, "v1", metric.Accuracy, 0.85))
			wakeUntil(m, noon.Add(time.Hour))
			apply(t, m, noon.Add(time.Hour), c.after)
			wakeUntil(m, noon.Add(20*24*time.Hour))
			back := noon.Add(20*24*time.Hour + 9*time.Hour)
			apply(t, m, back, `{"rules": [{"metric": "accuracy", "below": 0.9}], `+office+`}`)
			wakeUntil(m, back.Add(48*time.Hour))

			triggered := kindsOf(m.Status(noon).Decisions, policy.Triggered)
			if c.triggered == 0 {
				assert.Empty(t, triggered)
				return
			}
			require.Len(t, triggered, 1)
			assert.Equal(t, noon.Add(c.triggered), triggered[0].At)
		})
	}
}

// What waits for an operator's word belongs to the policy that asked.
func TestWhatWaitsForAnAnswerIsReconsideredByThePolicyInForce(t *testing.T) {
	const asks = `"approval": {"required": true, "timeout": "4h", "on_timeout": "approve"}`
	for name, c := range map[string]struct {
		after     string
		triggered time.Duration // after noon; 0: never
		reason    string        // of its rejection
	}{
		"the same":                  {`{"team": "a", "rules": [{"metric": "accuracy", "below": 0.9}], ` + asks + `}`, 4 * time.Hour, ""},
		"a threshold it is beyond":  {`{"rules": [{"metric": "accuracy", "below": 0.88}], ` + asks + `}`, 4 * time.Hour, ""},
		"one it is within":          {`{"rules": [{"metric": "accuracy", "below": 0.8}], ` + asks + `}`, 0, "it does not breach by the policy applied"},
		"a warning":                 {`{"rules": [{"metric": "accuracy", "below": 0.9, "severity": "warning"}], ` + asks + `}`, 0, "it does not breach by the policy applied"},
		"a dry run":                 {`{"dry_run": true, "rules": [{"metric": "accuracy", "below": 0.9}], ` + asks + `}`, 0, "the policy is a dry run now, which asks for nothing"},
		"nobody is asked":           {`{"rules": [{"metric": "accuracy", "below": 0.9}]}`, time.Hour, ""},
		"nobody, after a blackout":  {`{"rules": [{"metric": "accuracy", "below": 0.9}], ` + office + `}`, 6 * time.Hour, ""},
		"a cooldown that lasts yet": {`{"cooldown": "240h", "rules": [{"metric": "accuracy", "below": 0.9}], ` + asks + `}`, 0, "in cooldown until 2026-03-10T12:00:00Z, by the policy applied"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, `{"cooldown": "1h", "rules": [{"metric": "accuracy", "below": 0.9}], `+asks+`}`))
			day := noon.Add(-24 * time.Hour)
			m.Retrain(day, monitor.Control{Force: true})
			wakeUntil(m, day)
			observe(m, noon, reading(noon, "v1", metric.Accuracy, 0.85))
			require.Equal(t, contract.PhaseAwaitingApproval, m.Phase(noon))
			wakeUntil(m, noon.Add(time.Hour))
			apply(t, m, noon.Add(time.Hour), c.after)
			wakeUntil(m, noon.Add(48*time.Hour))

			triggered := kindsOf(m.Status(noon).Decisions, policy.Triggered)[1:]
			rejected := kindsOf(m.Status(noon).Decisions, policy.ApprovalRejected)
			if c.triggered == 0 {
				assert.Empty(t, triggered)
				require.Len(t, rejected, 1)
				assert.Equal(t, c.reason, rejected[0].Reason)
				return
			}
			assert.Empty(t, rejected)
			require.Len(t, triggered, 1)
			assert.Equal(t, noon.Add(c.triggered), triggered[0].At)
		})
	}
}

func TestAVerificationUnderWayGoesOnByThePolicyInForce(t *testing.T) {
	const p = `{"cooldown": "24h", "verify": {"within": "%s", "min_samples": 3}, "rules": [{"metric": "accuracy", "below": %s}]}`
	for name, c := range map[string]struct {
		within, below string
		kind          policy.Kind
		at            time.Duration // after the version's first event
	}{
		"a longer one":                        {"2h", "0.9", policy.Regressed, 30 * time.Minute},
		"a threshold that it has not broken":  {"1h", "0.6", policy.Verified, time.Hour},
		"such a one, and longer":              {"2h", "0.6", policy.Verified, 2 * time.Hour},
		"such a one, of a time that has gone": {"10m", "0.6", policy.Unverified, 20 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, fmt.Sprintf(p, "1h", "0.9")))
			observe(m, noon, reading(noon, "v1", metric.Accuracy, 0.5))
			outcome(t, m, noon, modelops.Succeeded, "v2")
			first := noon.Add(time.Hour)
			observe(m, first, reading(first, "v2", metric.Accuracy, 0.8))
			wakeUntil(m, first.Add(20*time.Minute))
			apply(t, m, first.Add(20*time.Minute), fmt.Sprintf(p, c.within, c.below))
			for range 2 {
				observe(m, first.Add(30*time.Minute), reading(first, "v2", metric.Accuracy, 0.95))
			}
			wakeUntil(m, first.Add(5*time.Hour))
			ended := kindsOf(m.Status(noon).Decisions, policy.Verified, policy.Unverified, policy.Regressed)
			require.Len(t, ended, 1)
			assert.Equal(t, c.kind, ended[0].Kind)
			assert.Equal(t, first.Add(c.at), ended[0].At)
		})
	}
}
