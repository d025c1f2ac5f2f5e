package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// spans is what an OpenTelemetry collector has got over OTLP/HTTP.
type spans struct {
	*httptest.Server
	mu  sync.Mutex
	got []*otlp.Span
}

func startCollector(t *testing.T) *spans {
	t.Helper()
	s := &spans{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if r.URL.Path != "/v1/traces" || err != nil || proto.Unmarshal(body, &request) != nil {
			http.Error(w, "not a request of OTLP/HTTP", http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				s.got = append(s.got, scope.Spans...)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// trace are the names of a trace's spans, each with those above it.
func (s *spans) trace(id string) map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	byID := map[string]*otlp.Span{}
	for _, span := range s.got {
		if hex.EncodeToString(span.TraceId) == id {
			byID[string(span.SpanId)] = span
		}
	}
	paths := map[string]bool{}
	for _, span := range byID {
		path := span.Name
		for above := byID[string(span.ParentSpanId)]; above != nil; above = byID[string(above.ParentSpanId)] {
			path = above.Name + " > " + path
		}
		paths[path] = true
	}
	return paths
}

func traceOf(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) != 4 {
		return ""
	}
	return parts[1]
}

// One trace goes from a serving process's request through the gateway, the monitor
// and the backend to the retraining's end, over a worker that is killed on the way.
func TestATraceGoesFromTheRequestToTheBackend(t *testing.T) {
	t.Parallel()
	const queue, model = "traces", "traces"
	collector, trainer := startCollector(t), startPipeline(t)
	lake := startAudience(t, nil)
	traced := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}
	env := notifying(t, "channels: {lake: {kind: webhook, url: '"+lake.URL+"'}}", append(webhookEnv(trainer), traced...)...)
	first := startWorker(t, queue, env...)
	events, health := freeAddress(t), freeAddress(t)
	start(t, starterPath, []string{"gateway"}, append(append(environment(queue), traced...), "GATEWAY_ADDRESS="+events, "GATEWAY_HEALTH_ADDRESS="+health)...)
	awaitOK(t, "http://"+health+"/readyz")
	mustStarter(t, queue, "model_name: traces\napproval: {required: true}\nnotify: [{channel: lake, kinds: [triggered]}]\n", "apply", "-")

	const id = "0af7651916cd43dd8448eb211c80319c"
	request, err := http.NewRequest(http.MethodPost, "http://"+events+"/v1/events", strings.NewReader(breach(model)))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", "00-"+id+"-b7ad6b7169203331-01")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	until(t, model, "it waits for approval", func(s monitor.Status) bool { return s.Phase == contract.PhaseAwaitingApproval })

	const toMonitor = "POST /v1/events > deliver batch > SignalWithStartWorkflow:MonitorWorkflow > decide awaiting_approval"
	patience.Until(t, "the decision is exported", func() bool { return collector.trace(id)[toMonitor] })
	first.kill()
	startWorker(t, queue, env...)
	mustStarter(t, queue, "", "approve", model, "--by", "ada")
	until(t, model, "its retraining is in flight", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	trainer.finish()
	s := until(t, model, "its success", func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 && s.Notices.Delivered == 2 })

	const triggered = toMonitor + " > decide approved > decide triggered"
	for _, path := range []string{triggered + " > RunActivity:ScheduleRetraining", triggered + " > RunActivity:Notify", triggered + " > decide succeeded"} {
		patience.Until(t, path, func() bool { return collector.trace(id)[path] })
	}
	assert.Equal(t, id, traceOf(trainer.headers[0].Get("Traceparent")), "of the request for a retraining")
	assert.Equal(t, id, traceOf(lake.got()[0].header.Get("Traceparent")), "of the notice")
	for path := range collector.trace(id) {
		assert.NotContains(t, path, "AwaitRetraining", "which would be a span for each poll")
	}
	for _, d := range s.Decisions {
		if d.Kind != policy.PolicyChanged {
			assert.Equal(t, id, traceOf(d.Trace), d.Kind)
		}
	}
}
