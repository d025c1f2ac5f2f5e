package gateway

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are a gateway's own; Collector shows them to Prometheus.
type metrics struct {
	accepted, rejected *prometheus.CounterVec
	requests           *prometheus.CounterVec
	refusals           *prometheus.CounterVec
	seconds            *prometheus.HistogramVec
	bodyBytes          prometheus.Counter
	tokens             prometheus.Collector // nil where there are none
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	return &metrics{
		accepted: counter("modelvigil_gateway_events_accepted_total", "Events that were accepted, by the name of the token.", "token"),
		rejected: counter("modelvigil_gateway_events_rejected_total", "Events that were rejected, by the name of the token.", "token"),
		requests: counter("modelvigil_gateway_requests_total", "Requests that were answered, by path and status.", "path", "code"),
		refusals: counter("modelvigil_gateway_requests_refused_total", "Requests that were refused as a whole, by the name of the token and status.", "token", "code"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "modelvigil_gateway_request_duration_seconds", Help: "Time from a request's header to its answer, by path.",
			Buckets: []float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30},
		}, []string{"path"}),
		bodyBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "modelvigil_gateway_body_bytes_total", Help: "Bytes of bodies, decompressed."}),
	}
}

// add counts events.
func (m *metrics) add(by *token, accepted, rejected int64) {
	name := by.label()
	m.accepted.WithLabelValues(name).Add(float64(accepted))
	m.rejected.WithLabelValues(name).Add(float64(rejected))
}

// answered counts a request, and apart from the others one of which nothing was taken.
func (m *metrics) answered(path string, r *reply, took time.Duration) {
	code := strconv.Itoa(r.code())
	m.requests.WithLabelValues(path, code).Inc()
	m.seconds.WithLabelValues(path).Observe(took.Seconds())
	if isRefusal(r.code()) {
		m.refusals.WithLabelValues(r.by.label(), code).Inc()
	}
}

// watchTokens shows whether the tokens' file can be used.
func (m *metrics) watchTokens(tokens *Tokens) {
	m.tokens = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "modelvigil_gateway_tokens_faulty", Help: "1 while the tokens' file can't be used, and what it said before holds on.",
	}, func() float64 {
		if tokens.isFaulty() {
			return 1
		}
		return 0
	})
}

// Collector returns the gateway's metrics for a Prometheus registry of the caller's.
func (g *Gateway) Collector() prometheus.Collector { return g.metrics }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(descriptions chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(descriptions)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(collected chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(collected)
	}
}

func (m *metrics) all() []prometheus.Collector {
	all := []prometheus.Collector{m.accepted, m.rejected, m.requests, m.refusals, m.seconds, m.bodyBytes}
	if m.tokens != nil {
		all = append(all, m.tokens)
	}
	return all
}
