package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"

	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// TraceSettings are the variables of OpenTelemetry that turn traces on. Its SDK and
// its exporters read all others that the specification names.
var TraceSettings = []setting.Variable{
	{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Meaning: "URL of an OpenTelemetry collector, such as http://collector:4318: turns traces on; see docs/operating.md"},
	{Name: "OTEL_EXPORTER_OTLP_PROTOCOL", Default: "http/protobuf", Meaning: "http/protobuf or grpc"},
	{Name: "OTEL_TRACES_EXPORTER", Meaning: "otlp: traces on, to the default endpoint; none: traces off"},
	{Name: "OTEL_TRACES_SAMPLER", Default: "parentbased_always_on", Meaning: "which traces begin here; with OTEL_TRACES_SAMPLER_ARG. Decisions that begin one always do"},
	{Name: "OTEL_SERVICE_NAME", Meaning: "by default modelvigil-worker or modelvigil"},
}

// Traces are a process's, to an OpenTelemetry collector. All methods of a nil one
// do nothing: it costs nothing not to trace.
type Traces struct {
	provider  *sdktrace.TracerProvider
	decisions *sdktrace.TracerProvider // samples whatever begins a trace
	temporal  interceptor.Interceptor
}

// NewTraces returns the traces that an environment asks for; nil if it asks for
// none. The error names the variable.
func NewTraces(ctx context.Context, service string, environment map[string]string, logger *slog.Logger) (*Traces, error) {
	client, err := traceClient(environment)
	if client == nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_*: %w", err)
	}

	from, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service)), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}

	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("traces are not exported", "error", err) }))
	batches := sdktrace.NewBatchSpanProcessor(exporter)
	t := &Traces{
		provider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(batches), sdktrace.WithResource(from)),
		decisions: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(batches), sdktrace.WithResource(from), sdktrace.WithIDGenerator(named{}),
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample()))),
	}
	t.temporal, err = opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer: t.provider.Tracer("go.temporal.io/sdk"), DisableQueryTracing: true, DisableBaggage: true, AllowInvalidParentSpans: true,
	})
	return t, err
}

// traceClient sends to a collector; nil if nobody asked for it.
func traceClient(environment map[string]string) (otlptrace.Client, error) {
	first := func(names ...string) string {
		for _, name := range names {
			if environment[name] != "" {
				return environment[name]
			}
		}
		return ""
	}

	asked := first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") != ""
	switch exporter := environment["OTEL_TRACES_EXPORTER"]; exporter {
	case "":
	case "otlp", "none":
		asked = exporter == "otlp"
	default:
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER: must be otlp or none, got %q", exporter)
	}

	if !asked || strings.EqualFold(environment["OTEL_SDK_DISABLED"], "true") {
		return nil, nil
	}

	switch protocol := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol {
	case "", "http/protobuf":
		return otlptracehttp.NewClient(), nil
	case "grpc":
		return otlptracegrpc.NewClient(), nil
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf or grpc, got %q", protocol)
	}
}

// Provider makes spans of this process; nil if it doesn't trace.
func (t *Traces) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// Client are the interceptors of a Temporal client: what it calls is traced.
func (t *Traces) Client() []interceptor.ClientInterceptor {
	if t == nil {
		return nil
	}
	return []interceptor.ClientInterceptor{&tracedClient{traced: t.temporal}}
}

// tracedClient is no interceptor of workers, as what the SDK takes from a client
// to its workers would be.
type tracedClient struct {
	interceptor.ClientInterceptorBase
	traced interceptor.ClientInterceptor
}

// InterceptClient traces what goes through next.
func (c *tracedClient) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	return c.traced.InterceptClient(next)
}

// Worker are the interceptors of a worker: decisions of monitors, and activities.
func (t *Traces) Worker() []interceptor.WorkerInterceptor {
	if t == nil {
		return nil
	}
	return []interceptor.WorkerInterceptor{&workflows.Traced{Record: t.decided}, &tracedActivities{traced: t.temporal}}
}

// Close exports what is left.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx) // with the processor of both
}

// tracedActivities traces activities, but for those that ask a backend how a
// retraining goes, again and again: its end is a decision.
type tracedActivities struct {
	interceptor.WorkerInterceptorBase
	traced interceptor.WorkerInterceptor
}

// InterceptActivity traces what next executes.
func (a *tracedActivities) InterceptActivity(ctx context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &tracedActivity{a.traced.InterceptActivity(ctx, next), next}
}

type tracedActivity struct {
	interceptor.ActivityInboundInterceptor
	plain interceptor.ActivityInboundInterceptor
}

// ExecuteActivity executes it, traced or not.
func (a *tracedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if activity.GetInfo(ctx).ActivityType.Name == "AwaitRetraining" {
		return a.plain.ExecuteActivity(ctx, in)
	}
	return a.ActivityInboundInterceptor.ExecuteActivity(ctx, in)
}

// decided records a decision of a monitor: an instant.
func (t *Traces) decided(s workflows.Span) {
	d := s.Decision
	attributes := []attribute.KeyValue{
		attribute.String("modelvigil.model_name", s.ModelName), attribute.String("modelvigil.decision", string(d.Kind)),
		attribute.String("temporalWorkflowID", s.WorkflowID), attribute.String("temporalRunID", s.RunID),
	}
	for _, text := range [][2]string{{"model_version", d.ModelVersion}, {"rule", d.Rule}, {"reason", d.Reason}, {"request_id", d.RequestID}, {"by", d.By}} {
		if text[1] != "" {
			attributes = append(attributes, attribute.String("modelvigil."+text[0], text[1]))
		}
	}

	for name, reading := range map[string]metric.Reading{"value": d.Value, "threshold": d.Threshold} {
		if number, has := reading.Get(); has {
			attributes = append(attributes, attribute.Float64("modelvigil."+name, number))
		}
	}

	ctx := context.WithValue(spanContext(context.Background(), s.Parent), nameKey{}, trace.SpanContextFromContext(spanContext(context.Background(), s.Trace)))
	_, span := t.decisions.Tracer("github.com/modelvigil/modelvigil/workflows").Start(ctx, "decide "+string(d.Kind),
		trace.WithTimestamp(d.At), trace.WithAttributes(attributes...), trace.WithSpanKind(trace.SpanKindInternal))
	if d.Kind == policy.Failed || d.Kind == policy.TimedOut {
		span.SetStatus(codes.Error, d.Reason)
	}
	span.End(trace.WithTimestamp(d.At))
}

// spanContext is ctx below a traceparent, or as it is without one.
func spanContext(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

type nameKey struct{}

// named gives a span the ids that its context names.
type named struct{}

// NewIDs returns both.
func (named) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	name, _ := ctx.Value(nameKey{}).(trace.SpanContext)
	return name.TraceID(), name.SpanID()
}

// NewSpanID returns the span's.
func (named) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	name, _ := ctx.Value(nameKey{}).(trace.SpanContext)
	return name.SpanID()
}
