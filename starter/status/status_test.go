package status_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/starter/status"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A monitor's life, told by its own machine.
func lived(t *testing.T) monitor.Status {
	t.Helper()
	m := monitor.NewMachine("fraud", "model-monitor/fraud/run", policy.Policy{}.With(policy.Below("auc", 0.75)))
	event := func(at time.Duration, version string, accuracy float64) {
		m.Observe(noon.Add(at), &metric.Event{
			Timestamp: noon.Add(at), ModelName: "fraud", ModelVersion: version,
			Accuracy: metric.Some(accuracy), Metrics: map[string]float64{"auc": 0.8},
		})
	}
	event(0, "v7", 0.95)
	event(time.Second, "v7", 0.83)
	event(2*time.Second, "v7", 0.82)
	m.TakeJob(noon.Add(2*time.Second), "model-monitor/fraud/run/1", modelops.Job{Backend: "webhook", ID: "job-1", Followed: true})
	m.Outcome(noon.Add(time.Minute), modelops.Outcome{RequestID: "model-monitor/fraud/run/1", State: modelops.Succeeded, ModelVersion: "v8"})
	event(2*time.Minute, "v8", 0.94)
	m.TakeEvents(noon.Add(3*time.Minute), []byte("{\"accuracy\": \"\x1b[31m\"}"))
	m.Retrain(noon.Add(4*time.Minute), monitor.Control{By: "ada", Reason: "new labels"})
	m.PauseBy(noon.Add(5*time.Minute), monitor.Control{By: "ada"})
	return m.Status(noon.Add(6 * time.Minute))
}

func TestStatusForPeople(t *testing.T) {
	var text strings.Builder
	require.NoError(t, status.Print(&text, lived(t), status.Aside{}, noon.Add(6*time.Minute)))
	require.Equal(t, `fraud: paused, cooldown for another 58m until 2026-03-01 13:04:00 UTC
live version v8
paused on 2026-03-01 12:05:00 UTC by ada
retraining in flight for 2m by ada: new labels
  model-monitor/fraud/run/2, not taken yet by the worker's default backend, times out on 2026-03-02 12:04:00 UTC

NEXT
2026-03-01 13:04:00 UTC  the cooldown ends; a breach from then on triggers
2026-03-02 12:04:00 UTC  the retraining in flight times out, unless its outcome is known by then

RETRAINED WHEN
  accuracy below 0.9
  latency_ms above 200   rule latency
  drift_score above 0.1  rule drift
  auc below 0.75
  by the worker's default backend, cooldown 1h, timeout 24h
  reported every 1m by each publisher, while it is healthy

events       4
breaches     2
suppressed   1  1 cooldown
retrainings  2  1 succeeded
rejected     1

VERSION  LAST SEEN                METRIC    COUNT  MIN   MEAN      MAX
v8       2026-03-01 12:02:00 UTC  accuracy  1      0.94  0.94      0.94
                                  auc       1      0.8   0.8       0.8
v7       2026-03-01 12:00:02 UTC  accuracy  3      0.82  0.866667  0.95
                                  auc       3      0.8   0.8       0.8

DECIDED ON               WHAT                      VERSION  WHY
2026-03-01 12:05:00 UTC  paused                             by ada
2026-03-01 12:04:00 UTC  triggered                 v8       by ada: new labels
2026-03-01 12:01:00 UTC  succeeded                 v8
2026-03-01 12:00:02 UTC  suppressed, cooldown, 1×  v7       accuracy 0.8200 below threshold 0.9000
2026-03-01 12:00:01 UTC  triggered                 v7       accuracy 0.8300 below threshold 0.9000

REJECTED ON              SIGNAL  WHY
2026-03-01 12:03:00 UTC  metric  not JSON: '\x1b' stands at byte 15, in a text, where it must be escaped, in {"accuracy": "\x1b[31m"}
                                 {"accuracy": "\x1b[31m"}
`, text.String())
}

func TestTheDriftOfTheVersionHeardOfLastIsShown(t *testing.T) {
	inputs := policy.Rule{Name: "inputs", Metrics: []string{"*"}, Drift: &policy.Drift{Statistic: "ks"}}
	s := monitor.Status{
		ModelName: "fraud", Policy: policy.Policy{Rules: []policy.Rule{policy.Below("auc", 0.75), inputs}},
		Versions: map[string]monitor.VersionStatus{"v8": {Rules: []monitor.RuleStatus{{Name: "auc"}, {
			Name: "inputs", Judged: 40, Beyond: 1,
			Drift: []contrast.Moved{
				{Name: "age", Value: 0.1832, Threshold: 0.15, Readings: 1204, Reference: 5000, Bins: []string{"18 to 24 up from 3 % to 11 %", "others"}},
				{Name: "amount", Value: 0.02, Threshold: 0.15, Readings: 90, Reference: 5000},
			},
		}}}},
	}
	var text strings.Builder
	require.NoError(t, status.Print(&text, s, status.Aside{}, noon))
	require.Contains(t, text.String(), `
DRIFT OF v8  METRIC  FOUND      BOUND   READINGS  AGAINST  MOVED MOST
inputs       age     ks 0.1832  0.1500  1,204     5,000    18 to 24 up from 3 % to 11 %
             amount  ks 0.0200  0.1500  90        5,000
             and 38 more within their bounds
`)
}

func TestStatusOfANewMonitorIsShort(t *testing.T) {
	var text strings.Builder
	s := monitor.NewMachine("a\nb", "base", policy.Policy{}).Status(noon)
	require.NoError(t, status.Print(&text, s, status.Aside{}, noon))
	require.True(t, strings.HasPrefix(text.String(), "a\\nb: watching\n\nRETRAINED WHEN\n"), text.String())
	require.NotContains(t, text.String(), "DECIDED")
	require.NotContains(t, text.String(), "VERSION")
}

func TestStatusOfAnEndedMonitorSaysHowItEnded(t *testing.T) {
	var text strings.Builder
	require.NoError(t, status.Print(&text, lived(t), status.Aside{Ended: "stopped on 2026-03-01 12:07:00 UTC"}, noon))
	require.True(t, strings.HasPrefix(text.String(), "fraud: stopped on 2026-03-01 12:07:00 UTC\n"), text.String())
}

func TestOnlyTheLastDecisionsAreShown(t *testing.T) {
	s := monitor.Status{ModelName: "fraud"}
	for i := range 14 {
		s.Decisions = append(s.Decisions, monitor.Decision{At: noon.Add(time.Duration(i) * time.Minute), Kind: policy.Resumed})
	}
	var text strings.Builder
	require.NoError(t, status.Print(&text, s, status.Aside{}, noon))
	require.Contains(t, text.String(), "12:13:00")
	require.Contains(t, text.String(), "12:04:00")
	require.NotContains(t, text.String(), "12:03:00")
	require.Contains(t, text.String(), "and 4 earlier")
}

// What a backend has answered last is seen long before the retraining times out.
func TestAFailureAndABackendsLatestWordAreTold(t *testing.T) {
	m := monitor.NewMachine("fraud", "model-monitor/fraud/run", policy.Policy{})
	control := monitor.Control{By: "ada", Force: true}
	m.Retrain(noon, control)
	m.TakeRefusal(noon.Add(time.Minute), "model-monitor/fraud/run/1", "no such DAG")
	m.Retrain(noon.Add(2*time.Minute), control)
	var text strings.Builder
	require.NoError(t, status.Print(&text, m.Status(noon.Add(3*time.Minute)), status.Aside{Word: "answered with HTML: <html>"}, noon.Add(3*time.Minute)))
	require.Contains(t, text.String(), "last failure on 2026-03-01 12:01:00 UTC: no such DAG\n")
	require.Contains(t, text.String(), "  its latest word: answered with HTML: <html>\n")

	m.Outcome(noon.Add(4*time.Minute), modelops.Outcome{RequestID: "model-monitor/fraud/run/2", State: modelops.Succeeded})
	text.Reset()
	require.NoError(t, status.Print(&text, m.Status(noon.Add(5*time.Minute)), status.Aside{}, noon.Add(5*time.Minute)))
	require.NotContains(t, text.String(), "last failure", "a success is over it")
}

func TestRulesAboutWhatNoEventMeasuresAreNamed(t *testing.T) {
	asked := lived(t)
	asked.Policy = policy.Policy{Rules: []policy.Rule{policy.Below("AUC", 0.75), policy.Below("auc", 0.75), policy.Below("recall", 0.5)}}
	var text strings.Builder
	require.NoError(t, status.Print(&text, asked, status.Aside{}, noon))
	require.Contains(t, text.String(), "\nwarning: rule \"AUC\" has judged nothing: no event measures \"AUC\"; did you mean auc?\n"+
		"warning: rule \"recall\" has judged nothing: no event measures \"recall\"; there are accuracy, auc\n\n")
	require.NotContains(t, text.String(), "rule \"auc\" has judged nothing")

	asked = lived(t)
	asked.Versions["v9"] = monitor.VersionStatus{Metrics: map[string]monitor.MetricStatus{"latencyMs": {Count: 1}}}
	text.Reset()
	require.NoError(t, status.Print(&text, asked, status.Aside{}, noon))
	require.Contains(t, text.String(), "\nwarning: rule \"latency\" has judged nothing: no event measures \"latency_ms\"; did you mean latencyMs?\n")
	require.NotContains(t, text.String(), "rule \"drift\"", "a default rule that nothing comes near to")

	asked.Events = 0
	text.Reset()
	require.NoError(t, status.Print(&text, asked, status.Aside{}, noon))
	require.NotContains(t, text.String(), "warning: ", "while there are no events")
}
