// Package telemetry is what a process of ours tells of itself: metrics to
// Prometheus, traces to OpenTelemetry.
package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/workflows"
)

// Upper bounds of the buckets of histograms, in seconds. OpenTelemetry's own
// default is for milliseconds and would put everything into two buckets.
var (
	latencyBuckets = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	bucketsOf      = map[string][]float64{
		// From one that waits for nothing to what a policy times out after, by default.
		workflows.MetricRetraining: seconds(time.Second, 10*time.Second, time.Minute, 5*time.Minute, 15*time.Minute, time.Hour/2,
			time.Hour, 2*time.Hour, 4*time.Hour, 8*time.Hour, 16*time.Hour, 24*time.Hour, 48*time.Hour),
		// From one that goes at once, over a healthy one's turn, to an outage.
		workflows.MetricDigestLag: seconds(10*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond, 250*time.Millisecond, time.Second/2,
			time.Second, 2*time.Second, 5*time.Second, 10*time.Second, 30*time.Second, time.Minute, 5*time.Minute, 15*time.Minute, time.Hour),
		activities.MetricBackendCall: latencyBuckets,
		activities.MetricChannelCall: latencyBuckets,
	}
)

func seconds(durations ...time.Duration) (all []float64) {
	for _, d := range durations {
		all = append(all, d.Seconds())
	}
	return all
}

// Prefix is what the names of our own metrics begin with; the SDK's begin with temporal_.
const Prefix = "modelvigil_"

// Metrics is one registry for all that a process measures: the Temporal SDK's
// metrics, ours, the Go runtime's and the process's. What is counted in workflow
// code is not counted again in replay.
type Metrics struct {
	Temporal client.MetricsHandler // for client.Options
	Registry *prometheus.Registry  // for collectors such as a hub's
	provider *metric.MeterProvider
	log      *slog.Logger
}

// NewMetrics returns metrics that are nowhere to be seen yet; Handler shows them.
func NewMetrics(logger *slog.Logger) (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return nil, err
	}

	provider := metric.NewMeterProvider(metric.WithReader(reader), metric.WithView(view))
	return &Metrics{
		Temporal: opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
			Meter:                provider.Meter("modelvigil"),
			UseMonotonicCounters: true, // Prometheus counters, named …_total
			OnError:              func(err error) { logger.Error("metric is not counted", "error", err) },
		}),
		Registry: registry, provider: provider, log: logger,
	}, nil
}

// sdkLabels are on everything that is counted through the SDK. On ours they say
// nothing, most of them "none".
var sdkLabels = attribute.NewDenyKeysFilter("activity_type", "client_name", "worker_type", "workflow_type")

// view gives histograms their buckets, and our own metrics no labels but theirs,
// the namespace and the task queue.
func view(i metric.Instrument) (metric.Stream, bool) {
	stream := metric.Stream{Name: i.Name, Description: i.Description, Unit: i.Unit}
	if strings.HasPrefix(i.Name, Prefix) {
		stream.AttributeFilter = sdkLabels
		stream.Description = descriptions[i.Name]
	}
	if i.Kind == metric.InstrumentKindHistogram {
		buckets, own := bucketsOf[i.Name]
		if !own {
			buckets = latencyBuckets
		}
		stream.Aggregation = metric.AggregationExplicitBucketHistogram{Boundaries: buckets}
	}

	return stream, true
}

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelError)})
}

// Close ends what counts.
func (m *Metrics) Close(ctx context.Context) error { return m.provider.Shutdown(ctx) }
