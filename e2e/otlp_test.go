package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// The SDK of Python records what a model serves. A histogram's events are as many
// as its observations, and the slowest of them is what a rule sees, in deltas
// exactly, and cumulatively to a bucket or where it is a new maximum.
func TestFeedingFromTheOpenTelemetrySDK(t *testing.T) {
	t.Parallel()
	home := feedingSDKs(t)
	const queue = "feeding-otlp"
	startWorker(t, queue)
	gateway := startGateway(t, queue)
	for _, temporality := range []string{"delta", "cumulative"} {
		t.Run(temporality, func(t *testing.T) {
			t.Parallel()
			model := "otlp-" + temporality
			p := feedProgram{
				command: []string{filepath.Join(home, "python/bin/python"), filepath.Join(feedingExamples, "otlp/record.py")},
				env: []string{
					"OTEL_EXPORTER_OTLP_ENDPOINT=" + gateway.url, "OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
					"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=" + temporality,
				},
			}
			const healthy = 400
			lines := strings.Repeat("0.93 84\n", healthy) + "0.93 231.5\n"
			p.must(t, queue, lines, model, "v7")

			s := until(t, model, "the breach triggers", func(s monitor.Status) bool { return s.Retrainings.Requested == 1 })
			require.NotEmpty(t, s.Decisions)
			assert.Equal(t, "latency 231.50ms above threshold 200.00ms", s.Decisions[0].Reason)
			s = until(t, model, "all is counted", func(s monitor.Status) bool { return s.Events == healthy+2 })
			latency := s.Versions["v7"].Metrics[metric.LatencyMS]
			assert.EqualValues(t, healthy+1, latency.Count)
			assert.Equal(t, 84.0, latency.Min)
			assert.InDelta(t, (healthy*84+231.5)/(healthy+1), latency.Mean, 1e-9)
			assert.EqualValues(t, 1, s.Versions["v7"].Metrics[metric.Accuracy].Count)
			assert.NotContains(t, s.Versions["v7"].Metrics, "requests")
		})
	}

	t.Run("what is refused the SDK tells in short, and the gateway's log in full", func(t *testing.T) {
		p := feedProgram{
			command: []string{filepath.Join(home, "python/bin/python"), filepath.Join(feedingExamples, "otlp/record.py")},
			env:     []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + gateway.url},
		}
		_, stderr, _ := p.run(t, queue, "0.93 84\n", strings.Repeat("long", 51), "v7")
		assert.Contains(t, stderr, "code: 400")
		assert.Contains(t, gateway.output.String(), "model_name: must be 1 to 200 bytes")
	})
}
