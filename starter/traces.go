package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/caarlos0/env/v10"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"

	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

type tracesKey struct{}

// withTraces makes the process trace if its environment asks for that. The hubs of
// all commands take OpenTelemetry's global provider. close exports what is left.
func withTraces(ctx context.Context, logs io.Writer) (traced context.Context, stop func(), err error) {
	logger := slog.New(slog.NewTextHandler(logs, nil))
	traces, err := telemetry.NewTraces(ctx, "modelvigil", env.ToMap(os.Environ()), logger)
	if traces == nil {
		return ctx, func() {}, err
	}

	otel.SetTracerProvider(traces.Provider())
	return context.WithValue(ctx, tracesKey{}, traces), func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := traces.Close(closing); err != nil {
			logger.Warn("traces are not exported", "error", err)
		}
	}, err
}

// tracesOf are the process's; nil if it doesn't trace.
func tracesOf(ctx context.Context) *telemetry.Traces {
	traces, _ := ctx.Value(tracesKey{}).(*telemetry.Traces)
	return traces
}

// tracedRequests makes each request a span, below that of whoever sends it.
func tracedRequests(ctx context.Context, handler http.Handler) http.Handler {
	traces := tracesOf(ctx)
	if traces == nil {
		return handler
	}

	return otelhttp.NewHandler(handler, "gateway", otelhttp.WithTracerProvider(traces.Provider()),
		otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			if path := r.URL.Path; path == "/v1/events" || path == "/v1/metrics" {
				return r.Method + " " + path
			}
			return r.Method
		}))
}
