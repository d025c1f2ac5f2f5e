package hub

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
)

// recorder is an observer that keeps what it sees.
type recorder struct {
	mu     sync.Mutex
	events []metric.Event
}

func (r *recorder) Observe(_ context.Context, event metric.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
	return nil
}

func (r *recorder) latencies() (all []float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, event := range r.events {
		all = append(all, event.LatencyMS.Or(-1))
	}
	return all
}

func TestEveryObserverGetsEveryEventInOrder(t *testing.T) {
	h := newHub(newFakeCarrier(), quiet)
	early, late := &recorder{}, &recorder{}
	require.NoError(t, h.Register("early", early, ObserverOptions{Queue: 4}))
	var want []float64
	for i := range 200 {
		if i == 100 {
			require.NoError(t, h.Register("late", late, ObserverOptions{}), "registering is safe at run time")
		}
		require.NoError(t, h.Publish(t.Context(), metric.NewEvent("fraud", "v1", 0.95, float64(i), 0)))
		want = append(want, float64(i))
	}
	closeHub(t, h)
	assert.Equal(t, want, early.latencies())
	assert.Equal(t, want[100:], late.latencies())
}

func TestAnObserverThatFailsOrPanicsDisturbsNobody(t *testing.T) {
	carrier := newFakeCarrier()
	h := newHub(carrier, quiet)
	var log bytes.Buffer
	h.observers.log = slog.New(slog.NewTextHandler(&log, nil))
	cause, seen := errors.New("disk full"), &recorder{}
	require.NoError(t, h.Register("failing", ObserverFunc(func(context.Context, metric.Event) error { return cause }), ObserverOptions{}))
	require.NoError(t, h.Register("panicking", ObserverFunc(func(context.Context, metric.Event) error { panic("boom") }), ObserverOptions{}))
	require.NoError(t, h.Register("good", seen, ObserverOptions{}))
	for range 10 {
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
	}
	closeHub(t, h)
	assert.Len(t, seen.latencies(), 10)
	assert.EqualValues(t, 10, carrier.status("fraud").Events)
	for _, q := range h.observers.all()[:2] {
		assert.EqualValues(t, 10, q.failed.Load(), q.name)
	}
	assert.Contains(t, log.String(), "disk full")
	assert.Contains(t, log.String(), "panic: boom")
}

func TestAnObserverThatHangsFillsItsOwnQueueOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		release, seen := make(chan struct{}), &recorder{}
		hang := ObserverFunc(func(ctx context.Context, _ metric.Event) error {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return ctx.Err()
		})
		require.NoError(t, h.Register("waits", hang, ObserverOptions{Queue: 2}))
		require.NoError(t, h.Register("drops", hang, ObserverOptions{Queue: 2, WhenFull: Drop}))
		require.NoError(t, h.Register("good", seen, ObserverOptions{}))
		for range 3 { // one in hand, two queued
			require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := h.Publish(ctx, healthy("fraud"))
		var failure *ObserverError
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, "waits", failure.Observer)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, h.Register("newcomer", &recorder{}, ObserverOptions{}), "while one hangs")

		close(release)
		closeHub(t, h)
		assert.Len(t, seen.latencies(), 4)
		assert.EqualValues(t, 4, carrier.status("fraud").Events)
		assert.EqualValues(t, 1, h.observers.all()[1].dropped.Load())
	})
}

func TestCloseNamesAnObserverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(newFakeCarrier(), quiet)
		require.NoError(t, h.Register("stuck", ObserverFunc(func(ctx context.Context, _ metric.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}), ObserverOptions{}))
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := h.Close(ctx)
		var failure *ObserverError
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, "stuck", failure.Observer)
	})
}

func TestACallerMayReuseItsMetricsMapAfterPublish(t *testing.T) {
	h := newHub(newFakeCarrier(), quiet)
	seen := &recorder{}
	require.NoError(t, h.Register("audit", seen, ObserverOptions{}))
	metrics := map[string]float64{"auc": 0.9}
	require.NoError(t, h.Publish(t.Context(), metric.Event{ModelName: "fraud", Metrics: metrics}))
	metrics["auc"] = 0.1
	closeHub(t, h)
	assert.InDelta(t, 0.9, seen.events[0].Metrics["auc"], 0)
}

func TestTheLoggingObserverLeavesOutWhatWasNotMeasured(t *testing.T) {
	var log bytes.Buffer
	o := LoggingObserver{slog.New(slog.NewTextHandler(&log, nil))}
	require.NoError(t, o.Observe(t.Context(), metric.Event{ModelName: "fraud", LatencyMS: metric.Some(0.0)}))
	assert.Contains(t, log.String(), "latency_ms=0")
	assert.NotContains(t, log.String(), "accuracy")
}

func TestTheCollectorShowsWhatIsPendingAndWhatIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose clock stands still, so that what is pending stays so
		h := newHub(newFakeCarrier(), quiet)
		registry := prometheus.NewPedanticRegistry()
		require.NoError(t, registry.Register(h.Collector()))
		require.NoError(t, h.Register("audit", &recorder{}, ObserverOptions{}))
		require.NoError(t, h.PublishDurable(t.Context(), healthy("fraud")))
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		expected := `
# HELP modelvigil_hub_events_durable_total Events that are durable in their monitors.
# TYPE modelvigil_hub_events_durable_total counter
modelvigil_hub_events_durable_total 1
# HELP modelvigil_hub_events_pending Events that are not durable yet.
# TYPE modelvigil_hub_events_pending gauge
modelvigil_hub_events_pending 1
# HELP modelvigil_hub_events_published_total Events that Publish has taken.
# TYPE modelvigil_hub_events_published_total counter
modelvigil_hub_events_published_total 2
`
		require.NoError(t, testutil.GatherAndCompare(registry, bytes.NewBufferString(expected),
			"modelvigil_hub_events_published_total", "modelvigil_hub_events_durable_total", "modelvigil_hub_events_pending"))
		closeHub(t, h)
	})
}
