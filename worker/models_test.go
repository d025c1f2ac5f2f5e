package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/policy"
)

func TestAModelHasSeriesOfItsOwn(t *testing.T) {
	m := newModels()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	machine := monitor.NewMachine("fraud", "base", policy.Policy{})
	machine.Observe(at, &metric.Event{ModelName: "fraud", ModelVersion: "v7", Accuracy: metric.Some(0.5)})
	run := &modelSeries{models: m}
	run.Described(nil, machine.Status(at))
	require.NoError(t, testutil.CollectAndCompare(m, strings.NewReader(`
		# HELP modelvigil_model_breaches_total Observations that violated a rule since then.
		# TYPE modelvigil_model_breaches_total counter
		modelvigil_model_breaches_total{model_name="fraud"} 1
		# HELP modelvigil_model_cooldown_until_timestamp_seconds When the last trigger's cooldown ends, or ended.
		# TYPE modelvigil_model_cooldown_until_timestamp_seconds gauge
		modelvigil_model_cooldown_until_timestamp_seconds{model_name="fraud"} 1.7723700e+09
		# HELP modelvigil_model_events_total Events counted since the monitor was started.
		# TYPE modelvigil_model_events_total counter
		modelvigil_model_events_total{model_name="fraud"} 1
		# HELP modelvigil_model_last_decision_timestamp_seconds When the last decision of any kind fell.
		# TYPE modelvigil_model_last_decision_timestamp_seconds gauge
		modelvigil_model_last_decision_timestamp_seconds{kind="triggered",model_name="fraud"} 1.7723664e+09
		# HELP modelvigil_model_phase 1 for the monitor's phase.
		# TYPE modelvigil_model_phase gauge
		modelvigil_model_phase{model_name="fraud",phase="retraining"} 1
		# HELP modelvigil_model_reading What a rule has judged last, of the version heard of last.
		# TYPE modelvigil_model_reading gauge
		modelvigil_model_reading{model_name="fraud",model_version="v7",rule="accuracy"} 0.5
		# HELP modelvigil_model_threshold The threshold that it was held against.
		# TYPE modelvigil_model_threshold gauge
		modelvigil_model_threshold{model_name="fraud",model_version="v7",rule="accuracy"} 0.9
		# HELP modelvigil_models_unshown Monitors in this worker's cache that are beyond the models it shows.
		# TYPE modelvigil_models_unshown gauge
		modelvigil_models_unshown 0
		`)))
}

// However many metrics a drift rule watches, it has three series.
func TestADriftRuleHasASeriesForItselfAndNoneForItsMetrics(t *testing.T) {
	m := newModels()
	run := &modelSeries{models: m}
	rule := monitor.RuleStatus{Name: "inputs", Value: metric.Some(0.1832), Threshold: metric.Some(0.15), Judged: 40, Beyond: 3, Drift: []contrast.Moved{{Name: "age"}, {Name: "amount"}}}
	run.Described(nil, monitor.Status{ModelName: "fraud", Versions: map[string]monitor.VersionStatus{"v7": {Rules: []monitor.RuleStatus{rule, {Name: "accuracy"}}}}})
	require.NoError(t, testutil.CollectAndCompare(m, strings.NewReader(`
		# HELP modelvigil_model_metrics_beyond How many metrics of a drift rule were beyond their bounds when it was judged last.
		# TYPE modelvigil_model_metrics_beyond gauge
		modelvigil_model_metrics_beyond{model_name="fraud",model_version="v7",rule="inputs"} 3
		# HELP modelvigil_model_reading What a rule has judged last, of the version heard of last.
		# TYPE modelvigil_model_reading gauge
		modelvigil_model_reading{model_name="fraud",model_version="v7",rule="inputs"} 0.1832
		# HELP modelvigil_model_threshold The threshold that it was held against.
		# TYPE modelvigil_model_threshold gauge
		modelvigil_model_threshold{model_name="fraud",model_version="v7",rule="inputs"} 0.15
		`), "modelvigil_model_metrics_beyond", "modelvigil_model_reading", "modelvigil_model_threshold"))
}

func TestTheSeriesOfAModelAreItsLatestRuns(t *testing.T) {
	m := newModels()
	before, after := &modelSeries{models: m}, &modelSeries{models: m}
	before.Described(nil, monitor.Status{ModelName: "fraud"})
	after.Described(nil, monitor.Status{ModelName: "fraud", Phase: contract.PhasePaused})
	before.drop()
	require.NoError(t, testutil.CollectAndCompare(m, strings.NewReader(`
		# HELP modelvigil_model_phase 1 for the monitor's phase.
		# TYPE modelvigil_model_phase gauge
		modelvigil_model_phase{model_name="fraud",phase="paused"} 1
		`), "modelvigil_model_phase"))
	after.drop()
	require.Equal(t, 1, testutil.CollectAndCount(m), "what is not shown is still counted")
}

func TestSeriesOfModelsAreBounded(t *testing.T) {
	m := newModels()
	var runs []*modelSeries
	for i := range maxModels + 3 {
		runs = append(runs, &modelSeries{models: m})
		runs[i].Described(nil, monitor.Status{ModelName: fmt.Sprint("m", i)})
	}
	last := runs[len(runs)-1]
	last.Described(nil, monitor.Status{ModelName: last.model}) // as ever
	phases := func() int { return testutil.CollectAndCount(m, "modelvigil_model_phase") }
	require.Equal(t, maxModels, phases())
	require.NoError(t, testutil.CollectAndCompare(m, strings.NewReader(`
		# HELP modelvigil_models_unshown Monitors in this worker's cache that are beyond the models it shows.
		# TYPE modelvigil_models_unshown gauge
		modelvigil_models_unshown 3
		`), "modelvigil_models_unshown"))

	runs[0].drop()
	require.Equal(t, maxModels-1, phases())
	last.Described(nil, monitor.Status{ModelName: last.model})
	require.Equal(t, maxModels, phases(), "there is room now")
	require.NoError(t, prometheus.NewRegistry().Register(m))
}
