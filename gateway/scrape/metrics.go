package scrape

import prom "github.com/prometheus/client_golang/prometheus"

// metrics are a scraper's own.
type metrics struct {
	samples, queries *prom.CounterVec
	lastRound        prom.Gauge
}

func newMetrics() *metrics {
	return &metrics{
		samples: prom.NewCounterVec(prom.CounterOpts{
			Name: "modelvigil_scrape_samples_total",
			Help: "Samples of Prometheus, by outcome: published, or why not: not_a_number, seen, no_model, histogram, invalid.",
		}, []string{"outcome"}),
		queries: prom.NewCounterVec(prom.CounterOpts{
			Name: "modelvigil_scrape_queries_total", Help: "Queries, by outcome: answered, or failed within their round.",
		}, []string{"outcome"}),
		lastRound: prom.NewGauge(prom.GaugeOpts{
			Name: "modelvigil_scrape_last_complete_round_timestamp_seconds", Help: "When the last round ended that was complete and durable.",
		}),
	}
}

// Collectors are the scraper's metrics, for a Prometheus registry of the caller's.
func (s *Scraper) Collectors() []prom.Collector {
	return []prom.Collector{s.metrics.samples, s.metrics.queries, s.metrics.lastRound}
}
