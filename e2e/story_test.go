package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// story is a fleet in which everything has happened that operations look at, and
// where events still flow. Prometheus watches all of it.
type story struct {
	prometheus   *prometheus
	alertmanager string
	queue        string
	pages        map[string]string // addresses of /metrics, by job
}

func tellStory(t *testing.T) *story {
	t.Helper()
	prometheusProgram(t, "prometheus")
	s := &story{queue: "story", pages: map[string]string{}}
	trainer := startPipeline(t)
	var broken atomic.Int64
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		broken.Add(1)
		if strings.HasPrefix(r.URL.Path, "/refuses") {
			http.Error(w, "no such pipeline", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(bad.Close)
	backends := filepath.Join(t.TempDir(), "backends.yaml")
	require.NoError(t, os.WriteFile(backends, fmt.Appendf(nil,
		"trainer: {kind: webhook, url: %s/retrainings}\naway: {kind: webhook, url: %s/away}\nrefuses: {kind: webhook, url: %s/refuses}\n",
		trainer.URL, bad.URL, bad.URL), 0o600))

	worker := freeAddress(t)
	s.pages["modelvigil-worker"] = worker
	channels := notifying(t, "channels: {lake: {kind: webhook, url: '"+startAudience(t, nil).URL+"'}}")
	start(t, workerPath, nil, append(append(environment(s.queue), channels...), "LISTEN_ADDRESS="+worker, "PER_MODEL_METRICS=true",
		"MODELOPS_BACKENDS_FILE="+backends, "MODELOPS_BACKEND=trainer", "MODELOPS_POLL_INTERVAL=200ms")...)
	awaitOK(t, "http://"+worker+"/readyz")
	events, health := freeAddress(t), freeAddress(t)
	s.pages["modelvigil-gateway"] = health
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("owner "+ownersToken+"\n"), 0o600))
	start(t, starterPath, []string{"gateway"}, append(environment(s.queue),
		"GATEWAY_ADDRESS="+events, "GATEWAY_HEALTH_ADDRESS="+health, "GATEWAY_TOKENS_FILE="+tokens)...)
	awaitOK(t, "http://"+health+"/readyz")
	serving := s.serve(t)
	s.alertmanager = startAlertmanager(t)
	s.prometheus = startPrometheus(t, "worker:9464", worker, "gateway:9465", health, "serving:9100", s.pages["serving"],
		"alertmanager:9093", s.alertmanager)
	patience.Until(t, "Prometheus has seen the worker before anything happened", func() bool {
		return len(s.prometheus.query(t, `modelvigil_decisions_total{kind="failed"}`)) > 0
	})

	s.happen(t, "http://"+events+"/v1/events", trainer, serving)
	require.Positive(t, broken.Load())
	return s
}

// serve runs serving code in this process, whose observer is too slow, and which
// publishes until the test's end.
func (s *story) serve(t *testing.T) *hub.Hub {
	t.Helper()
	h := hub.New(server.Client(), hub.Options{TaskQueue: s.queue})
	slow := make(chan struct{})
	require.NoError(t, h.Register("audit", hub.ObserverFunc(func(ctx context.Context, _ metric.Event) error {
		select {
		case <-slow:
		case <-ctx.Done():
		}
		return nil
	}), hub.ObserverOptions{WhenFull: hub.Drop, Queue: 1}))
	registry := prom.NewRegistry()
	registry.MustRegister(h.Collector())
	page := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	s.pages["serving"] = strings.TrimPrefix(page.URL, "http://")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			_ = h.PublishDurable(ctx, metric.Event{ModelName: "story-steady", ModelVersion: "v1", Accuracy: metric.Some(0.95), LatencyMS: metric.Some(40.0)})
			<-ticker.C
		}
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		close(slow)
		closing, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		_ = h.Close(closing)
		page.Close()
	})
	return h
}

// happen lets happen what a fleet goes through.
func (s *story) happen(t *testing.T, gateway string, trainer *pipeline, serving *hub.Hub) {
	t.Helper()
	mustStarter(t, s.queue, strings.Join([]string{
		"{model_name: story-fraud, cooldown: 1s, rules: [{metric: accuracy, below: 0.9}, " +
			"{name: inputs, metric: latency_ms, period: 1s, above: 0.5, drift: {statistic: ks, reference: {from: first, samples: 1}}}]}",
		"{model_name: story-long, cooldown: 1h}",
		"{model_name: story-away, retraining: {backend: away}}",
		"{model_name: story-refused, retraining: {backend: refuses}, max_failures: 1}",
		"{model_name: story-asks, approval: {required: true}, notify: [{channel: lake}]}",
		"{model_name: story-paused}",
	}, "\n---\n"), "apply", "-")
	mustStarter(t, s.queue, "", "pause", "story-paused")
	send := func(model, token string) int {
		body := fmt.Sprintf(`{"model_name": %q, "model_version": "v7", "accuracy": 0.5, "latency_ms": 90}`, model)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gateway+"?durable=true", strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	breach := func(model string) { require.Equal(t, http.StatusOK, send(model, ownersToken)) }
	require.Equal(t, http.StatusUnauthorized, send("story-fraud", strangersToken))
	// What it is held against came before all else.
	mustStarter(t, s.queue, "", "publish", "--model", "story-fraud", "--version", "v7", "--latency-ms", "90", "--timestamp", time.Now().Add(-time.Hour).Format(time.RFC3339))
	for _, model := range []string{"story-fraud", "story-long", "story-away", "story-refused", "story-asks", "story-paused"} {
		breach(model)
	}
	breach("story-long") // is suppressed
	until(t, "story-refused", "its retraining has failed, and the circuit is open", func(s monitor.Status) bool { return s.Phase == contract.PhasePaused })
	until(t, "story-asks", "somebody is told", func(s monitor.Status) bool { return s.Notices.Delivered == 1 })
	until(t, "story-fraud", "its retraining is in flight", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	_, _, code := starter(t, s.queue, "", "retrain", "story-fraud", "--force")
	require.Equal(t, 1, code, "an update is refused")
	trainer.finish()
	until(t, "story-fraud", "its success", func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 })
	breach("story-fraud") // whose next retraining is asked after as long as the test runs

	ctx := t.Context()
	require.NoError(t, server.Client().SignalWorkflow(ctx, contract.WorkflowID("story-fraud"), "", contract.SignalMetric, "nonsense"))
	_, err := server.Client().ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "story-unknown", TaskQueue: s.queue}, "SomebodyElses")
	require.NoError(t, err)
	mustStarter(t, s.queue, "", "freeze", "--team", "nobody", "--reason", "the story")
	require.NoError(t, serving.Publish(ctx, metric.Event{ModelName: "story-steady", ModelVersion: "v1", Accuracy: metric.Some(0.96)}))
}
