package main

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/monitor"
)

// maxModels bounds the models that have series of their own in one worker: some ten
// series each, and one or two more for each rule.
const maxModels = 1000

// models are the series of single models, of the monitors that this worker holds in
// its cache. A monitor that moves to another worker takes its series along; for a
// moment both may show them.
type models struct {
	mu    sync.Mutex
	all   map[string]*modelSeries // by model name
	shown int                     // of all, those that have series
}

func newModels() *models { return &models{all: map[string]*modelSeries{}} }

// modelSeries is one model's, as told by one run of its monitor.
type modelSeries struct {
	models *models
	model  string
	seen   []prometheus.Metric
}

func modelDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("modelvigil_model_"+name, help, append([]string{"model_name"}, labels...), nil)
}

var (
	modelReadingDesc   = modelDesc("reading", "What a rule has judged last, of the version heard of last.", "model_version", "rule")
	modelThresholdDesc = modelDesc("threshold", "The threshold that it was held against.", "model_version", "rule")
	modelBeyondDesc    = modelDesc("metrics_beyond", "How many metrics of a drift rule were beyond their bounds when it was judged last.", "model_version", "rule")
	modelPhaseDesc     = modelDesc("phase", "1 for the monitor's phase.", "phase")
	modelCooldownDesc  = modelDesc("cooldown_until_timestamp_seconds", "When the last trigger's cooldown ends, or ended.")
	modelDecisionDesc  = modelDesc("last_decision_timestamp_seconds", "When the last decision of any kind fell.", "kind")
	modelEventsDesc    = modelDesc("events_total", "Events counted since the monitor was started.")
	modelBreachesDesc  = modelDesc("breaches_total", "Observations that violated a rule since then.")
	modelsUnshownDesc  = prometheus.NewDesc("modelvigil_models_unshown", "Monitors in this worker's cache that are beyond the models it shows.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m *models) Describe(descriptions chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		modelReadingDesc, modelThresholdDesc, modelBeyondDesc, modelPhaseDesc, modelCooldownDesc, modelDecisionDesc, modelEventsDesc, modelBreachesDesc, modelsUnshownDesc,
	} {
		descriptions <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *models) Collect(collected chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, series := range m.all {
		for _, metric := range series.seen {
			collected <- metric
		}
	}
	collected <- prometheus.MustNewConstMetric(modelsUnshownDesc, prometheus.GaugeValue, float64(len(m.all)-m.shown))
}

// put shows a run's series instead of what its model had; none where there are
// too many already. m.mu is held.
func (m *models) put(s *modelSeries, seen []prometheus.Metric) {
	m.remove(m.all[s.model])
	if m.shown >= maxModels {
		seen = nil
	}
	s.seen, m.all[s.model] = seen, s
	if len(seen) > 0 {
		m.shown++
	}
}

// remove takes series out. m.mu is held.
func (m *models) remove(s *modelSeries) {
	if s == nil {
		return
	}
	if len(s.seen) > 0 {
		m.shown--
	}
	delete(m.all, s.model)
}

// Decided implements workflows.Listener; what it hears of is in the status, too.
func (s *modelSeries) Decided(workflow.Context, monitor.Decision) {}

// Described implements workflows.Listener.
func (s *modelSeries) Described(_ workflow.Context, status monitor.Status) {
	seen := seriesOf(status)
	s.models.mu.Lock()
	defer s.models.mu.Unlock()
	s.model = status.ModelName
	s.models.put(s, seen)
}

// drop ends the series, unless a later run of the same monitor shows them.
func (s *modelSeries) drop() {
	s.models.mu.Lock()
	defer s.models.mu.Unlock()
	if s.models.all[s.model] == s {
		s.models.remove(s)
	}
}

// seriesOf is a status as series.
func seriesOf(s monitor.Status) (seen []prometheus.Metric) {
	put := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		seen = append(seen, prometheus.MustNewConstMetric(desc, kind, value, append([]string{s.ModelName}, labels...)...))
	}
	put(modelPhaseDesc, prometheus.GaugeValue, 1, string(s.Phase))
	put(modelEventsDesc, prometheus.CounterValue, float64(s.Events))
	put(modelBreachesDesc, prometheus.CounterValue, float64(s.Breaches))
	if !s.CooldownUntil.IsZero() {
		put(modelCooldownDesc, prometheus.GaugeValue, unix(s.CooldownUntil))
	}
	if n := len(s.Decisions); n > 0 {
		put(modelDecisionDesc, prometheus.GaugeValue, unix(s.Decisions[n-1].At), string(s.Decisions[n-1].Kind))
	}
	version, rules := s.LatestRules()
	for _, r := range rules {
		if value, ok := r.Value.Get(); ok {
			put(modelReadingDesc, prometheus.GaugeValue, value, version, r.Name)
		}
		if threshold, ok := r.Threshold.Get(); ok {
			put(modelThresholdDesc, prometheus.GaugeValue, threshold, version, r.Name)
		}
		if r.Judged > 0 {
			put(modelBeyondDesc, prometheus.GaugeValue, float64(r.Beyond), version, r.Name)
		}
	}

	return seen
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
