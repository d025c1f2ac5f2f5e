package bench_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/starter/bench"
)

// A server of its own for a test; without a Temporal CLI the test is skipped.
func startServer(t *testing.T) client.Client {
	t.Helper()
	temporal := os.Getenv("MODELVIGIL_TEMPORAL")
	if temporal == "" {
		t.Skip("MODELVIGIL_TEMPORAL names no Temporal CLI; `make test` sets it")
	}
	server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ExistingPath: temporal, DBFilename: filepath.Join(t.TempDir(), "temporal.db"), LogLevel: "error",
		ClientOptions: &client.Options{Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))},
		Stdout:        io.Discard, Stderr: io.Discard,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	return server.Client()
}

// A short run against a real server: its figures mean nothing, that they are
// there and add up does.
func TestARunMeasuresEverythingAndCleansUp(t *testing.T) {
	patience.Long(t)
	server := startServer(t)

	report, err := bench.Run(context.Background(), server, bench.Options{
		Duration: 3 * time.Second, Models: 5, Breaches: 5, Publishers: 2, Load: 1000, Progress: t.Output(),
	})
	require.NoError(t, err)
	require.NoError(t, report.Print(t.Output()))
	for _, measured := range []bench.Throughput{report.Naive, report.Batched, report.Hub} {
		assert.Positive(t, measured.Events)
		assert.Equal(t, measured.Events, measured.Counted)
		assert.Positive(t, measured.Signals)
		assert.Positive(t, measured.HistoryBytes)
	}
	assert.Len(t, report.Latency.All, 5)
	require.NoError(t, report.Latency.WritePlot(io.Discard))

	through, err := bench.RunGateway(context.Background(), server, bench.Options{Duration: time.Second, Models: 5, Batch: 50, Progress: t.Output()})
	require.NoError(t, err)
	require.NoError(t, through.Print(t.Output()))
	require.Len(t, through.Forms, 4)
	for _, measured := range through.Forms {
		assert.Positive(t, measured.Events)
		assert.Equal(t, measured.Events, measured.Counted)
		assert.Positive(t, measured.P99)
	}
}
