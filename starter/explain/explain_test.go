package explain

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// points are datapoints of five minutes, the last of them over at noon. `-` has no
// value, `?` could not be judged, and `!` breaches.
func points(t *testing.T, text string) (all []monitor.DatapointStatus) {
	t.Helper()
	fields := strings.Fields(text)
	for i, field := range fields {
		p := monitor.DatapointStatus{Start: noon.Add(time.Duration(i-len(fields)) * 5 * time.Minute)}
		field, p.Breach = strings.CutSuffix(field, "!")
		switch field {
		case "-":
		case "?":
			p.Unknown = true
		default:
			value, err := strconv.ParseFloat(field, 64)
			require.NoError(t, err)
			p.Value = metric.Some(value)
		}
		all = append(all, p)
	}
	return all
}

func TestARuleIsExplained(t *testing.T) {
	const slow = `{"name": "slow", "metric": "latency_ms", "stat": "p99", "above": 250, "period": "5m", "datapoints": {"breaching": 3, "of": 5}`
	some := metric.Some[float64]
	tests := map[string]struct {
		policy string
		rules  []monitor.RuleStatus // in the policy's order; the last one is looked at
		change func(s *monitor.Status)
		want   []string
		absent []string
	}{
		"of M of N, below its threshold": {
			policy: `{"rules": [` + slow + `}]}`,
			rules: []monitor.RuleStatus{{
				Verdict: monitor.Healthy, Value: some(231), Threshold: some(250), NextAt: noon.Add(5*time.Minute + 30*time.Second),
				Datapoints: points(t, "100 150 300! 260! 231"), Breaches: 2, Of: 5,
			}},
			want: []string{
				"slow  latency_ms p99 over 5m above 250, 3 of 5 datapoints: healthy\n",
				"2 of 5 datapoints breach, 3 needed; last 231, 19 (7.6 %) below the threshold; next datapoint 12:05:30\n",
				"▁▃█▇▆  100 to 300, the threshold 250 is ▇\n", "        ^^\n",
			},
			absent: []string{"held back"},
		},
		"of M of N, breaching in a cooldown": {
			policy: `{"rules": [` + slow + `}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Breaching, Value: some(300), Threshold: some(250), Datapoints: points(t, "300! - 300! ? 300!"), Breaches: 3, Of: 3}},
			change: func(s *monitor.Status) { s.CooldownUntil = noon.Add(32*time.Minute + 10*time.Second) },
			want: []string{
				"3 of 3 datapoints so far breach, 3 of 5 needed", "50 (20.0 %) above the threshold", "█·█?█  250 to 300",
				"held back: cooldown until 12:32:10, for another 32m10s\n",
			},
		},
		"of more datapoints than its status shows": {
			policy: `{"rules": [{"name": "slow", "metric": "latency_ms", "stat": "mean", "above": 250, "period": "5m", "datapoints": {"breaching": 36, "of": 40}}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Healthy, Value: some(300), Threshold: some(250), Datapoints: points(t, strings.Repeat("300! ", 30)), Breaches: 35, Of: 40}},
			want:   []string{"35 of 40 datapoints breach, 36 needed"},
		},
		"held beyond its clear threshold": {
			policy: `{"rules": [` + slow + `, "clear_above": 200}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Breaching, Value: some(220), Threshold: some(250), Datapoints: points(t, "300! 300! 300! 220")}},
			want:   []string{"goes on breaching until a datapoint is no longer beyond 200"},
		},
		"without a period": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.9}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Breaching, At: noon, Value: some(0.81), Threshold: some(0.9)}},
			want:   []string{"accuracy  accuracy below 0.9: breaching\n", "last 0.81 on 12:00:00, 0.09 (10.0 %) below the threshold"},
		},
		"without a period, not measured": {
			policy: `{"rules": [{"metric": "auc", "below": 0.9}]}`, rules: []monitor.RuleStatus{{}},
			want: []string{"auc below 0.9: unknown", "this version has shown no auc yet"},
		},
		"at its threshold": {
			policy: `{"rules": [{"metric": "drift_score", "above": 0}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Healthy, At: noon.Add(-48 * time.Hour), Value: some(0), Threshold: some(0)}},
			want:   []string{"last 0 on 2026-02-27 12:00:00, at the threshold itself"},
		},
		"whose baseline is filling": {
			policy: `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1h", "below_baseline_by": "3%", "baseline": {"samples": 5000}}]}`,
			rules:  []monitor.RuleStatus{{BaselineSamples: 1234, Datapoints: points(t, "?")}},
			want:   []string{"unknown: its baseline is filling, 1,234 of 5,000 samples"},
		},
		"whose baseline is full": {
			policy: `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1h", "below_baseline_by": "3%"}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Healthy, Baseline: some(0.95), Value: some(0.94), Threshold: some(0.9215), Datapoints: points(t, "0.94")}},
			want:   []string{"      last 0.94, 0.0185 (2.0 %) above the threshold; baseline 0.95"},
		},
		"whose baseline the version before has not left": {
			policy: `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1h", "below_baseline_by": 0.03, "baseline": {"from": "previous"}}]}`,
			rules:  []monitor.RuleStatus{{}},
			want:   []string{"unknown: the version before it has left no baseline"},
		},
		"that detects change": {
			policy: `{"rules": [{"name": "shift", "metric": "drift_score", "stat": "mean", "period": "5m", "change": {"direction": "up", "hold": "12h"}, "condition": true}, {"name": "both", "any_of": ["shift"]}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Breaching, Value: some(0.4), Threshold: some(0.1), Datapoints: points(t, "0.1 0.4")}},
			want: []string{
				"a change was detected, which counts for 12h; the mean before the last change was 0.1; last 0.4\n", "▁█  0.1 to 0.4\n",
				"held back: a condition never triggers by itself; it is part of both",
			},
		},
		"made of others": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.9, "condition": true}, ` + slow + `, "condition": true}, {"name": "both", "all_of": ["accuracy", "slow"]}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Breaching}, {}, {}},
			want:   []string{"both  all of accuracy, slow: unknown", "accuracy is breaching (it must breach in the same observation); slow is unknown\n"},
		},
		"on drift, of one metric": {
			policy: `{"rules": [{"name": "age", "metric": "age", "period": "24h", "above": 0.15, "drift": {"statistic": "ks", "reference": {"from": "first", "samples": 5000}}}]}`,
			rules: []monitor.RuleStatus{{
				Verdict: monitor.Breaching, Value: some(0.1832), Threshold: some(0.15), Datapoints: points(t, "0.05 0.1832!"), Judged: 1, Beyond: 1,
				Drift: []contrast.Moved{{Name: "age", Value: 0.1832, Threshold: 0.15, Readings: 1204, Reference: 5000, Bins: []string{"18 to 24 up from 3 % to 11 %", "65 and above down from 9 % to 4 %"}}},
			}},
			want: []string{
				"age  age ks over 24h against the first 5000 above 0.15: breaching\n",
				"      age ks 0.1832 beyond its bound 0.1500, 1,204 readings against 5,000: 18 to 24 up from 3 % to 11 %, 65 and above down from 9 % to 4 %\n",
			},
			absent: []string{"more within"},
		},
		"on drift, of forty metrics": {
			policy: `{"rules": [{"name": "inputs", "metrics": ["f*"], "period": "24h", "false_alarms": "1 per 90d", "drift": {"statistic": "js", "reference": {"from": "trailing"}}}]}`,
			rules: []monitor.RuleStatus{{
				Verdict: monitor.Healthy, Value: some(0.05), Threshold: some(0.09), Datapoints: points(t, "0.05"), Judged: 40,
				Drift: []contrast.Moved{{Name: "f1", Value: 0.05, Threshold: 0.09}, {Name: "f2", Value: 0.04, Threshold: 0.09}, {Name: "f3", Value: 0.03, Threshold: 0.09}},
			}},
			want: []string{"f1 js 0.0500 within its bound 0.0900, ", "f3 js 0.0300 within", "\n      and 37 more within their bounds\n"},
		},
		"on drift, of forty metrics of which most have moved": {
			policy: `{"rules": [{"name": "inputs", "metrics": ["f*"], "period": "24h", "above": 0.09, "drift": {"statistic": "js", "reference": {"from": "trailing"}}}]}`,
			rules: []monitor.RuleStatus{{
				Verdict: monitor.Breaching, Value: some(0.5), Threshold: some(0.09), Datapoints: points(t, "0.5!"), Judged: 40, Beyond: 30,
				Drift: []contrast.Moved{{Name: "f1", Value: 0.5, Threshold: 0.09}, {Name: "f2", Value: 0.4, Threshold: 0.09}, {Name: "f3", Value: 0.3, Threshold: 0.09}},
			}},
			want: []string{"f1 js 0.5000 beyond its bound 0.0900", "\n      and 37 more, of which 27 beyond their bounds\n"},
		},
		"on drift, of a metric whose reference is one bin": {
			policy: `{"rules": [{"name": "balance", "metric": "balance", "period": "24h", "above": 0.15, "drift": {"statistic": "ks", "reference": {"from": "first", "samples": 5000}}}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Healthy, Value: some(0), Threshold: some(0.15), Datapoints: points(t, "0"), Judged: 1, OneBin: []string{"balance"}}},
			want:   []string{"balance is held against one bin, as its readings are within a sketch's 2 % of each other", "hold it against a profile of training data"},
		},
		"on drift, whose reference fills": {
			policy: `{"rules": [{"name": "age", "metric": "age", "period": "24h", "above": 0.15, "drift": {"statistic": "ks", "reference": {"from": "first", "samples": 5000}}}]}`,
			rules:  []monitor.RuleStatus{{Datapoints: points(t, "? ?")}},
			want:   []string{"unknown: no period could be held against the first 5000 yet"},
		},
		"about age, counted from the last success": {
			policy: `{"rules": [{"name": "stale", "max_age": "720h"}]}`, rules: []monitor.RuleStatus{{Verdict: monitor.Healthy}},
			change: func(s *monitor.Status) {
				s.Decisions = []monitor.Decision{{At: noon.Add(-719 * time.Hour), Kind: policy.Succeeded}}
			},
			want: []string{"stale  not retrained for 720h: healthy", "breaches on 13:00:00, in 1h, unless it is retrained before"},
		},
		"about silence, that only warns": {
			policy: `{"rules": [{"name": "silent", "silent_for": "30m", "severity": "warning"}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Breaching, At: noon.Add(-time.Minute)}},
			want:   []string{"silent for 30m, since 11:59:00", "held back: a warning never triggers"},
		},
		"of a version that is superseded": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.9}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Breaching, At: noon, Value: some(0.8), Threshold: some(0.9)}},
			change: func(s *monitor.Status) {
				v := s.Versions["v1"]
				v.SupersededBy = "v2"
				s.Versions["v1"] = v
			},
			want: []string{"VERSION v1, last seen 2026-03-01 11:59:00 UTC, superseded by v2", "held back: this version is superseded by v2"},
		},
		"whose publishers report seldom": {
			policy: `{"report_every": "5m", "rules": [{"metric": "accuracy", "below": 0.9}]}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Healthy, At: noon, Value: some(0.95), Threshold: some(0.9)}},
			want:   []string{"VERSION v1, last seen 2026-03-01 11:59:00 UTC, reported every 5m while it is healthy"},
		},
		"that saw events too late": {
			policy: `{"rules": [` + slow + `}]}`,
			rules: []monitor.RuleStatus{{
				Verdict: monitor.Healthy, Value: some(100), Threshold: some(250), Late: 3, LateAt: noon,
				Datapoints: []monitor.DatapointStatus{{Start: noon, Value: some(100), Approximate: true}},
			}},
			want: []string{"1 datapoint approximate", "3 events came too late to count, the last one of 12:00:00"},
		},
		"whose datapoints are too old": {
			policy: `{"rules": [` + slow + `}]}`,
			rules:  []monitor.RuleStatus{{Value: some(100), Threshold: some(250), Datapoints: points(t, "100")}},
			want:   []string{"unknown: its datapoints are too old"},
		},
		"while everything stands in the way": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.9}], "dry_run": true, "max_failures": 3, "verify": {"within": "1h"}}`,
			rules:  []monitor.RuleStatus{{Verdict: monitor.Breaching, At: noon, Value: some(0.8), Threshold: some(0.9)}},
			change: func(s *monitor.Status) {
				s.Phase = contract.PhasePaused
				s.Paused = &monitor.Control{By: "ada", Reason: "move", At: noon.Add(-time.Hour)}
				s.Current = &monitor.Flight{Request: modelops.Request{Reason: "slow", TriggeredAt: noon}, Deadline: noon.Add(time.Hour)}
				s.Pending = &retraining.Pending{Request: modelops.Request{Reason: "decay"}, Since: noon, Until: noon.Add(time.Minute)}
				s.BlackoutUntil = noon.Add(time.Hour)
				s.Verification = &retraining.Verification{Version: "v2", Since: noon, Samples: 1, Broken: "slow", Reason: "too slow"}
			},
			want: []string{
				"fraud: paused\n", "held back now: paused since 11:00:00 by ada: move; `modelvigil resume` ends that",
				"a retraining is in flight since 12:00:00: slow; it times out on 13:00:00",
				"a trigger waits for approval since 12:00:00, until 12:01:00: decay", "blackout until 13:00:00",
				"dry run", "version v2 is verified since 12:00:00, 1 event so far; it broke slow: too slow",
			},
		},
		"before a failure too many, and an approval": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.9}], "max_failures": 3, "approval": {"required": true, "timeout": "4h"}}`,
			rules:  []monitor.RuleStatus{{}},
			change: func(s *monitor.Status) { s.Failures = 2 },
			want:   []string{"2 of 3 failures in a row after which the monitor pauses itself", "a trigger will wait for approval, for 4h at most"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			policy, err := policy.Decode([]byte(test.policy))
			require.NoError(t, err)
			s := monitor.Status{ModelName: "fraud", Phase: contract.PhaseWatching, Policy: policy.WithDefaults()}
			for i := range test.rules {
				test.rules[i].Name = s.Policy.Rules[i].Name
			}
			s.Versions = map[string]monitor.VersionStatus{"v1": {LastSeen: noon.Add(-time.Minute), Rules: test.rules}}
			if test.change != nil {
				test.change(&s)
			}
			var text strings.Builder
			require.NoError(t, Status(s, "", noon).Print(&text))
			for _, want := range test.want {
				require.Contains(t, text.String(), want)
			}
			for _, absent := range test.absent {
				require.NotContains(t, text.String(), absent)
			}
		})
	}
}

func TestAMonitorIsExplainedBeforeItsFirstEventAndAfterItsEnd(t *testing.T) {
	var text strings.Builder
	s := monitor.NewMachine("a\nb", "base", policy.Policy{}).Status(noon)
	require.NoError(t, Status(s, "", noon).Print(&text))
	require.Equal(t, "a\\nb: watching\nno event has come yet, so no rule says anything\n", text.String())

	text.Reset()
	m := monitor.NewMachine("fraud", "base", policy.Policy{})
	for i, version := range []string{"v7", "v8"} {
		at := noon.Add(time.Duration(i) * time.Minute)
		m.Observe(at, &metric.Event{Timestamp: at, ModelName: "fraud", ModelVersion: version, Accuracy: metric.Some(0.95)})
	}
	require.NoError(t, Status(m.Status(noon), "stopped on 2026-03-01 12:07:00 UTC", noon).Print(&text))
	require.Contains(t, text.String(), "fraud: stopped on 2026-03-01 12:07:00 UTC\nheld back now: the monitor has ended\n")
	require.Less(t, strings.Index(text.String(), "VERSION v8"), strings.Index(text.String(), "VERSION v7"))
}

func TestAChartNeedsNoSpread(t *testing.T) {
	require.Nil(t, chart(nil, metric.Some(1.0)))
	require.Nil(t, chart(points(t, "- ?"), metric.Some(1.0)))
	require.Equal(t, []string{"▅▅  3 to 3"}, chart(points(t, "3 3"), metric.Reading{}))
	require.Equal(t, []string{"▁█  -1e+100 to 1e+100, the threshold 0 is ▅"}, chart(points(t, "-1e100 1e100"), metric.Some(0.0)))
}

func TestARuleAboutWhatNoEventMeasuresNamesWhatMayHaveBeenMeant(t *testing.T) {
	m := monitor.NewMachine("fraud", "model-monitor/fraud/run", policy.Policy{Rules: []policy.Rule{policy.Below("AUC", 0.75), policy.Below("auc", 0.75)}})
	m.Observe(noon, &metric.Event{Timestamp: noon, ModelName: "fraud", ModelVersion: "v1", Metrics: map[string]float64{"auc": 0.8}})

	rules := Status(m.Status(noon), "", noon).Versions[0].Rules

	require.Contains(t, rules[0].Says, `no event measures "AUC"; did you mean auc?`)
	require.NotContains(t, strings.Join(rules[1].Says, "; "), "no event measures")
}
