package hub

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
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
	events := make([]metric.Event, 4096)
	now := time.Now().UTC()
	for i := range events {
		events[i] = metric.Event{
			Timestamp: now.Add(time.Duration(i) * time.Millisecond), ModelName: fmt.Sprintf("model-%d", i%models), ModelVersion: "v1",
			Accuracy: metric.Some(0.93 + float64(i%50)/1000), LatencyMS: metric.Some(100 + float64(i*7919%90)),
			DriftScore: metric.Some(0.01 + float64(i%80)/1000),
		}
	}
	ctx := context.Background()
	for i := range events { // the first of a model makes its pipe
		if err := h.Publish(ctx, events[i]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
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
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}
