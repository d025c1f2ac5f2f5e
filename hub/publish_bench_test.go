package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// idleCarrier takes every batch at once.
type idleCarrier struct{}

func (idleCarrier) send(context.Context, *metric.Batch) (string, error) { return "", nil }
func (idleCarrier) ask(context.Context, string) (contract.Guidance, error) {
	return contract.Guidance{Phase: contract.PhaseWatching, Rules: policy.Policy{}.WithDefaults().Rules, Publishers: 1}, nil
}

func BenchmarkPublish(b *testing.B) {
	for _, models := range []int{1, 100} {
		for _, publishers := range []int{1, 2, 4, 16} {
			b.Run(fmt.Sprintf("models=%d/publishers=%d", models, publishers), func(b *testing.B) {
				benchmarkPublish(b, models, publishers)
			})
		}
	}
}

func benchmarkPublish(b *testing.B, models, publishers int) {
	h := newHub(idleCarrier{}, Options{})
	defer func() { _ = h.Close(context.Background()) }()
	events := eventsOf(models)
	now := time.Now()
	ctx := context.Background()
	for i := range events { // the first of a model makes its pipe
		if err := h.Publish(ctx, events[i]); err != nil {
			b.Fatal(err)
		}
	}
	learnt, _ := idleCarrier{}.ask(ctx, "")
	for p := range h.models.All() { // what monitors want is known within seconds, and holds for days
		p.mu.Lock()
		p.follow(learnt, now)
		p.cut(now)
		p.mu.Unlock()
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := userTime(b)
	done := make(chan error, publishers)
	for p := range publishers {
		go func() {
			var err error
			for i := p * 1000; i < p*1000+b.N/publishers && err == nil; i++ {
				err = h.Publish(ctx, events[i%len(events)])
			}
			done <- err
		}()
	}
	for range publishers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	reportUserTime(b, before)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}

// BenchmarkPublishBesideAHistogram is the yardstick of a publish: an event of three
// metrics, against one metric of it observed by a histogram with the model as its
// label. Both from one goroutine, and in one run: machines differ. user-ns/op is the
// processor's time, which others on the machine disturb less.
func BenchmarkPublishBesideAHistogram(b *testing.B) {
	for _, models := range []int{1, 100} {
		b.Run(fmt.Sprintf("models=%d/publish", models), func(b *testing.B) { benchmarkPublish(b, models, 1) })
		b.Run(fmt.Sprintf("models=%d/histogram", models), func(b *testing.B) {
			latency := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "latency_ms", Buckets: prometheus.DefBuckets}, []string{"model_name"})
			events := eventsOf(models)

			b.ReportAllocs()
			b.ResetTimer()
			before := userTime(b)
			for i := range b.N {
				event := &events[i%len(events)]
				latency.WithLabelValues(event.ModelName).Observe(event.LatencyMS.Or(0))
			}
			reportUserTime(b, before)
		})
	}
}

// userTime is what this process has used of the processors outside the kernel.
func userTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano())
}

func reportUserTime(b *testing.B, before time.Duration) {
	b.Helper()
	b.ReportMetric(float64(userTime(b)-before)/float64(b.N), "user-ns/op")
}

// eventsOf are events of so many models in turn, of three metrics each.
func eventsOf(models int) []metric.Event {
	events := make([]metric.Event, 4096)
	now := time.Now().UTC()
	for i := range events {
		events[i] = metric.Event{
			Timestamp: now.Add(time.Duration(i) * time.Millisecond), ModelName: fmt.Sprintf("model-%d", i%models), ModelVersion: "v1",
			Accuracy: metric.Some(0.93 + float64(i%50)/1000), LatencyMS: metric.Some(100 + float64(i*7919%90)),
			DriftScore: metric.Some(0.01 + float64(i%80)/1000),
		}
	}
	return events
}

// BenchmarkPublishFeatures publishes events of ten features that a drift rule watches,
// from one goroutine: counted in bins, or by a sketch while the edges are not known.
func BenchmarkPublishFeatures(b *testing.B) {
	for _, form := range []string{"bins", "sketch"} {
		b.Run(form, func(b *testing.B) {
			benchmarkFeatures(b, tenFeatures(form == "bins"))
		})
	}
}

// tenFeatures is what a monitor tells that watches ten of them.
func tenFeatures(isBinned bool) contract.Guidance {
	rules := []policy.Rule{{Name: "inputs", Metrics: []string{"feature.*"}, Period: metric.Some(policy.Duration(time.Hour)), Drift: &policy.Drift{Statistic: drift.KS}}}
	g := contract.Guidance{Phase: contract.PhaseWatching, Rules: rules, Publishers: 1}
	if !isBinned {
		return g
	}

	grid := drift.Grid{ID: "edges"}
	for i := range drift.MaxEdges {
		grid.Edges = append(grid.Edges, -2+4*float64(i)/float64(drift.MaxEdges))
	}
	metrics := map[string]contract.MetricBins{}
	for i := range 10 {
		metrics[fmt.Sprintf("feature.%d", i)] = contract.MetricBins{Grids: []drift.Grid{grid}}
	}
	g.Bins = []contract.Bins{{Others: true, Metrics: metrics}}
	return g
}

// guidedCarrier takes every batch at once, and has one answer.
type guidedCarrier struct {
	idleCarrier
	guidance contract.Guidance
}

func (c guidedCarrier) ask(context.Context, string) (contract.Guidance, error) {
	return c.guidance, nil
}

func benchmarkFeatures(b *testing.B, guidance contract.Guidance) {
	h := newHub(guidedCarrier{guidance: guidance}, Options{})
	defer func() { _ = h.Close(context.Background()) }()
	random := rand.New(rand.NewPCG(1, 2))
	events := make([]metric.Event, 256)
	now := time.Now().UTC()
	for i := range events {
		events[i] = metric.Event{Timestamp: now.Add(time.Duration(i)), ModelName: "m", ModelVersion: "v1", Metrics: map[string]float64{}}
		for f := range 10 {
			events[i].Metrics[fmt.Sprintf("feature.%d", f)] = random.NormFloat64()
		}
	}
	ctx := context.Background()
	publish := func(event *metric.Event) {
		if err := h.Publish(ctx, *event); err != nil {
			b.Fatal(err)
		}
	}
	publish(&events[0])
	p := h.models.Get("m")
	p.mu.Lock()
	p.follow(guidance, now)
	p.cut(now)
	p.mu.Unlock()
	for i := range events {
		publish(&events[i])
	}

	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		publish(&events[i%len(events)])
	}
}
