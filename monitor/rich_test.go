package monitor_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/monitor"
)

// richPolicies use all of the language between them.
var richPolicies = []string{
	`{"cooldown": "30s", "max_failures": 2, "verify": {"within": "1m", "min_samples": 3}, "rules": [
		{"name": "slow", "metric": "latency_ms", "stat": "p90", "above": 250, "clear_above": 200, "period": "5s", "datapoints": {"breaching": 2, "of": 3}, "min_samples": 2},
		{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "10s", "below_baseline_by": "3%", "baseline": {"samples": 8}, "condition": true},
		{"name": "shift", "metric": "drift_score", "stat": "max", "period": "5s", "change": {"direction": "up", "hold": "1m"}, "condition": true},
		{"name": "decayed by shift", "any_of": ["decay", "shift"]},
		{"name": "instant", "metric": "accuracy", "below": 0.3},
		{"name": "stale", "max_age": "5m"},
		{"name": "silent", "silent_for": "20s", "severity": "warning"}]}`,
	`{"cooldown": "10s", "approval": {"required": true, "timeout": "20s", "on_timeout": "approve"}, "superseded": "trigger", "rules": [
		{"name": "quiet", "metric": "accuracy", "stat": "count", "below": 2, "period": "5s"},
		{"name": "worse", "metric": "accuracy", "stat": "mean", "period": "5s", "time": "arrival", "below_baseline_by": 0.05, "baseline": {"samples": 5, "from": "previous"}},
		{"name": "gone", "metric": "drift_score", "stat": "min", "below": 0, "period": "5s", "missing": "breaching", "datapoints": {"breaching": 3, "of": 4}},
		{"name": "fine", "not": "worse", "condition": true},
		{"name": "both", "all_of": ["fine", "quiet"], "severity": "warning"}]}`,
	`{"cooldown": "20s", "blackout": [{"from": "12:01", "to": "12:02"}, {"from": "12:04", "to": "12:05"}], "rules": [
		{"name": "low", "metric": "accuracy", "below": 0.5},
		{"name": "mean", "metric": "accuracy", "stat": "mean", "below": 0.7, "period": "15s", "missing": "ok"}]}`,
	`{"cooldown": "20s", "dry_run": true, "rules": [{"name": "low", "metric": "accuracy", "below": 0.5}, {"name": "stale", "max_age": "1m"}]}`,
}

// Whatever happens, a machine that is cut anywhere decides as one that is not;
// at most one retraining is in flight; automatic triggers keep the cooldown; every
// breach is accounted for; and the state stays within its bound.
func TestRichPoliciesDecideTheSameWhereverTheyAreCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := policyOf(t, rapid.SampledFrom(richPolicies).Draw(t, "policy"))
		whole, pieces := newMachine(policy), newMachine(policy)
		now := noon
		lastTrigger := time.Time{}
		asked := int64(0) // for approval, or at once
		whole.OnDecision = func(d monitor.Decision) {
			automatic := d.Kind == monitor.Triggered && d.Rule != monitor.RuleManual
			if cooldown := time.Duration(policy.Cooldown.Or(0)); automatic && !lastTrigger.IsZero() {
				require.GreaterOrEqual(t, d.At.Sub(lastTrigger), cooldown, d.Reason)
			}
			if d.Kind == monitor.Triggered {
				lastTrigger = d.At
			}
			if d.Rule != monitor.RuleManual && (d.Kind == monitor.AwaitingApproval || automatic && policy.Approval == nil) {
				asked++
			}
		}
		both := func(input func(m *monitor.Machine)) {
			input(whole)
			if rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
				pieces = cut(t, pieces)
			}
			input(pieces)
			require.Equal(t, encode(t, whole.State()), encode(t, pieces.State()))
		}
		tick := func(m *monitor.Machine) {
			if wanted, ok := m.CalendarWanted(now); ok {
				spans, err := monitor.BlackoutSpans(m.Blackouts(), wanted.From, wanted.Until)
				require.NoError(t, err)
				m.SetCalendar(now, wanted, spans, nil)
			}
			m.Tick(now)
		}
		both(tick)
		made := 1
		for range rapid.IntRange(1, 60).Draw(t, "inputs") {
			next := now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 40 * time.Second}).Draw(t, "wait"))
			for wake, ok := whole.NextWake(); ok && !wake.After(next); wake, ok = whole.NextWake() {
				now = wake
				both(tick)
			}
			now = next
			switch rapid.SampledFrom([]string{"event", "event", "event", "event", "landed", "pause", "resume", "retrain", "approve", "reject", "cancel", "policy"}).Draw(t, "input") {
			case "event":
				version := fmt.Sprintf("v%d", rapid.IntRange(1, made).Draw(t, "version"))
				e := event(now, rapid.SampledFrom([]float64{0.2, 0.6, 0.9, 0.95}).Draw(t, "accuracy"), rapid.SampledFrom([]float64{100, 220, 300}).Draw(t, "latency"), 0.1)
				e.ModelVersion = version
				both(func(m *monitor.Machine) { m.Observe(now, e) })
			case "landed":
				state := rapid.SampledFrom([]monitor.OutcomeState{monitor.OutcomeSucceeded, monitor.OutcomeFailed}).Draw(t, "state")
				if flight := whole.Wants(now).Schedule; flight != nil {
					made++
					id, version := flight.RequestID, fmt.Sprintf("v%d", made)
					both(func(m *monitor.Machine) {
						m.Outcome(now, monitor.Outcome{RequestID: id, State: state, ModelVersion: version})
					})
				}
			case "pause":
				both(func(m *monitor.Machine) { m.PauseBy(now, monitor.Control{By: "ada"}) })
			case "resume":
				both(func(m *monitor.Machine) { m.ResumeBy(now, monitor.Control{By: "ada"}) })
			case "retrain":
				control := monitor.Control{By: "ada", Force: rapid.Bool().Draw(t, "force")}
				both(func(m *monitor.Machine) {
					if m.CanRetrain(now, control) == nil {
						m.Retrain(now, control)
					}
				})
			case "approve":
				both(func(m *monitor.Machine) {
					if m.CanAnswer(true) == nil {
						m.Approve(now, monitor.Control{})
					}
				})
			case "reject":
				both(func(m *monitor.Machine) {
					if m.CanAnswer(false) == nil {
						m.RejectPending(now, monitor.Control{})
					}
				})
			case "cancel":
				both(func(m *monitor.Machine) {
					if m.CanCancel() == nil {
						m.CancelTold(now, m.Cancel(now, monitor.Control{}), nil)
					}
				})
			case "policy":
				more := policyOf(t, rapid.SampledFrom(richPolicies).Draw(t, "other"))
				more.Cooldown, more.Approval, more.DryRun = policy.Cooldown, policy.Approval, policy.DryRun
				both(func(m *monitor.Machine) { m.SetPolicy(now, more) })
			}
			both(tick)

			status := whole.Status(now)
			suppressed := int64(0)
			for _, n := range status.Suppressed {
				suppressed += n
			}
			require.Equal(t, status.Breaches, suppressed+asked)
			require.LessOrEqual(t, len(encode(t, status)), monitor.MaxStateBytes)
		}
	})
}

func TestAChangeIsHeldForAWhile(t *testing.T) {
	m := newMachine(policyOf(t, `{"cooldown": "1h", "rules": [
		{"name": "shift", "metric": "drift_score", "stat": "mean", "period": "1m", "severity": "warning",
			"change": {"delta": 0.002, "direction": "up", "hold": "30m"}}]}`))
	drift := func(from, minutes int, value float64) {
		for i := range minutes {
			at := noon.Add(time.Duration(from+i) * time.Minute)
			e := reading(at, "v1", "", 0)
			e.Metrics, e.DriftScore = nil, monitor.Some(value+0.01*float64(i%3))
			tickUntil(m, at)
			m.Observe(at, e)
		}
		tickUntil(m, noon.Add(time.Duration(from+minutes)*time.Minute+10*time.Second))
	}
	drift(0, 60, 0.9)
	drift(60, 60, 0.1) // a fall does not count
	assert.Empty(t, kindsOf(m.Status(noon).Decisions, monitor.Warned))
	drift(120, 60, 0.9)
	warned := kindsOf(m.Status(noon).Decisions, monitor.Warned)
	require.NotEmpty(t, warned)
	assert.Regexp(t, `^drift mean rose from 0\.\d+ to 0\.\d+, by adwin$`, warned[0].Reason)
	detected := warned[0].At
	assert.Less(t, detected.Sub(noon.Add(2*time.Hour)), time.Hour)
	rules := m.Status(detected.Add(29 * time.Minute)).Versions["v1"].Rules
	assert.Equal(t, monitor.Breaching, rules[0].Verdict)
	rules = m.Status(detected.Add(30 * time.Minute)).Versions["v1"].Rules
	assert.Equal(t, monitor.Healthy, rules[0].Verdict)
}
