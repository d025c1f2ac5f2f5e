package telemetry_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

func TestTracesAreOnWhereTheEnvironmentAsksForThem(t *testing.T) {
	for name, c := range map[string]struct {
		environment map[string]string
		on          bool
		fault       string
	}{
		"nothing set":        {map[string]string{}, false, ""},
		"an endpoint":        {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true, ""},
		"one for traces":     {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/x"}, true, ""},
		"the default one":    {map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, ""},
		"by gRPC":            {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, true, ""},
		"turned off":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"all turned off":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, false, ""},
		"another exporter":   {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, false, `OTEL_TRACES_EXPORTER: must be otlp or none, got "zipkin"`},
		"another protocol":   {map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, false, "OTEL_EXPORTER_OTLP_PROTOCOL: must be"},
		"a protocol, though": {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			traces, err := telemetry.NewTraces(t.Context(), "test", c.environment, slog.New(slog.DiscardHandler))
			if c.fault != "" {
				require.ErrorContains(t, err, c.fault)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.on, traces != nil)
			assert.Equal(t, c.on, len(traces.Worker()) == 2)
			assert.Equal(t, c.on, len(traces.Client()) == 1)
			assert.Equal(t, c.on, traces.Provider() != nil)
			assert.NoError(t, traces.Close(t.Context()))
		})
	}
}
