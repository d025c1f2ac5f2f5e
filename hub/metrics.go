package hub

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are a hub's own; Collector shows them to Prometheus.
type metrics struct {
	hub                *Hub
	durableEvents      atomic.Int64
	lostEvents         atomic.Int64
	healthySignals     atomic.Int64
	urgentSignals      atomic.Int64
	redelivered        atomic.Int64
	signalsWithNoReply atomic.Int64
}

func newMetrics(h *Hub) *metrics { return &metrics{hub: h} }

func (m *metrics) durable(events int64) { m.durableEvents.Add(events) }
func (m *metrics) lost(events int64)    { m.lostEvents.Add(events) }

func (m *metrics) signals(urgent, again bool, err error) {
	if urgent {
		m.urgentSignals.Add(1)
	} else {
		m.healthySignals.Add(1)
	}
	if again {
		m.redelivered.Add(1)
	}
	if err != nil {
		m.signalsWithNoReply.Add(1)
	}
}

var (
	publishedDesc = prometheus.NewDesc("modelvigil_hub_events_published_total", "Events that Publish has taken.", nil, nil)
	durableDesc   = prometheus.NewDesc("modelvigil_hub_events_durable_total", "Events that are durable in their monitors.", nil, nil)
	lostDesc      = prometheus.NewDesc("modelvigil_hub_events_lost_total", "Events that a monitor has refused for good, or that had no outcome for a day.", nil, nil)
	pendingDesc   = prometheus.NewDesc("modelvigil_hub_events_pending", "Events that are not durable yet.", nil, nil)
	oldestDesc    = prometheus.NewDesc("modelvigil_hub_oldest_pending_seconds", "Age of the oldest event that is not durable yet.", nil, nil)
	signalsDesc   = prometheus.NewDesc("modelvigil_hub_signals_total", "Signals sent, by urgency.", []string{"kind"}, nil)
	againDesc     = prometheus.NewDesc("modelvigil_hub_signals_redelivered_total", "Signals sent again because their outcome was not known.", nil, nil)
	failedDesc    = prometheus.NewDesc("modelvigil_hub_signals_failed_total", "Signals that were refused, or had no outcome.", nil, nil)
	modelsDesc    = prometheus.NewDesc("modelvigil_hub_models", "Models published to.", nil, nil)
	queueDesc     = prometheus.NewDesc("modelvigil_hub_observer_queue_events", "Events queued for an observer.", []string{"observer"}, nil)
	droppedDesc   = prometheus.NewDesc("modelvigil_hub_observer_dropped_total", "Events that an observer's full queue did not take.", []string{"observer"}, nil)
	obsFailedDesc = prometheus.NewDesc("modelvigil_hub_observer_failed_total", "Events that an observer failed on.", []string{"observer"}, nil)
)

// Collector returns the hub's metrics for a Prometheus registry of the caller's.
func (h *Hub) Collector() prometheus.Collector { return h.metrics }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(descriptions chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		publishedDesc, durableDesc, lostDesc, pendingDesc, oldestDesc, signalsDesc, againDesc, failedDesc, modelsDesc,
		queueDesc, droppedDesc, obsFailedDesc,
	} {
		descriptions <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(collected chan<- prometheus.Metric) {
	count := func(desc *prometheus.Desc, value int64, labels ...string) {
		collected <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		collected <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	var pending int64
	published := m.hub.forgotten.Load()
	var oldest float64
	for p := range m.hub.models.All() {
		published += p.fold.published()
		pending += p.pending()
		oldest = max(oldest, p.pendingSince().Seconds())
	}

	count(publishedDesc, published)
	count(durableDesc, m.durableEvents.Load())
	count(lostDesc, m.lostEvents.Load())
	gauge(pendingDesc, float64(pending))
	gauge(oldestDesc, oldest)
	count(signalsDesc, m.healthySignals.Load(), "healthy")
	count(signalsDesc, m.urgentSignals.Load(), "urgent")
	count(againDesc, m.redelivered.Load())
	count(failedDesc, m.signalsWithNoReply.Load())
	gauge(modelsDesc, float64(m.hub.models.Len()))

	for _, q := range m.hub.observers.all() {
		gauge(queueDesc, float64(len(q.events)), q.name)
		count(droppedDesc, q.dropped.Load(), q.name)
		count(obsFailedDesc, q.failed.Load(), q.name)
	}
}
