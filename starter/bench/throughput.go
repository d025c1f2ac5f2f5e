package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

const (
	// batchedEvents is how many events share a signal in the batched measurement.
	batchedEvents = 100
	// naiveModels spreads the naive measurements, so that no single workflow's
	// rate is their limit.
	naiveModels = 10
)

// signals measures plain `metric` signals of so many events each.
func (r *runner) signals(ctx context.Context, kind string, events int) (Throughput, error) {
	models := r.models(kind, naiveModels)
	var sent atomic.Int64
	start := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	for c := range r.Clients {
		group.Go(func() error {
			for i := c; time.Since(start) < r.Duration/3; i++ {
				model := models[i%len(models)]
				options := hub.StartOptions(model, r.queue)
				payload := make([]metric.Event, events)
				for j := range payload {
					payload[j] = healthy(model, i+j)
				}
				if _, err := r.client.SignalWithStartWorkflow(groupCtx, options.ID, contract.SignalMetric, payload, options, contract.WorkflowType); err != nil {
					return fmt.Errorf("signal %s: %w", options.ID, err)
				}

				sent.Add(int64(events))
			}

			return nil
		})
	}

	if err := group.Wait(); err != nil {
		return Throughput{}, err
	}

	t := Throughput{Events: sent.Load(), Seconds: time.Since(start).Seconds(), Models: len(models)}
	return t, r.count(ctx, models, &t)
}

// hub measures Publish from as many goroutines as there are cores.
func (r *runner) hub(ctx context.Context) (Throughput, error) {
	models := r.models("hub", r.Models)
	h := r.newHub(0)
	var sent atomic.Int64
	start := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	for p := range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			published := int64(0)
			defer func() { sent.Add(published) }()
			ring := make([]metric.Event, 4096) // serving code has its events at hand
			for i := range ring {
				ring[i] = healthy(models[(i+p)%len(models)], i)
			}
			for i := 0; ; i++ {
				if i%1024 == 0 && (time.Since(start) >= r.Duration || groupCtx.Err() != nil) {
					return groupCtx.Err()
				}
				if err := h.Publish(groupCtx, ring[i%len(ring)]); err != nil {
					return err
				}
				published++
			}
		})
	}

	err := group.Wait()
	publishing := time.Since(start)
	closeCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if closeErr := h.Close(closeCtx); err == nil {
		err = closeErr
	}
	if err != nil {
		return Throughput{}, err
	}

	t := Throughput{
		Events: sent.Load(), Seconds: time.Since(start).Seconds(), Models: len(models),
		NanosPerPublish: float64(publishing.Nanoseconds()) * float64(runtime.GOMAXPROCS(0)) / float64(sent.Load()),
	}
	return t, r.count(ctx, models, &t)
}

// count asks the monitors what they have counted, once they have seen all, and
// the server what it has stored.
func (r *runner) count(ctx context.Context, models []string, t *Throughput) error {
	deadline := time.Now().Add(time.Minute)
	for t.Counted != t.Events && time.Now().Before(deadline) {
		t.Counted = 0
		t.Signals = 0
		t.HistoryEvents = 0
		t.HistoryBytes = 0
		for _, model := range models {
			var status monitor.Status
			answer, err := r.client.QueryWorkflow(ctx, contract.WorkflowID(model), "", contract.QueryStatus)
			if err == nil {
				err = answer.Get(&status)
			}
			if err != nil {
				return fmt.Errorf("ask the monitor of %s: %w", model, err)
			}
			described, err := r.client.DescribeWorkflowExecution(ctx, contract.WorkflowID(model), "")
			if err != nil {
				return fmt.Errorf("describe the monitor of %s: %w", model, err)
			}

			t.Counted += status.Events
			t.Signals += status.Signals
			t.HistoryEvents += described.GetWorkflowExecutionInfo().GetHistoryLength()
			t.HistoryBytes += described.GetWorkflowExecutionInfo().GetHistorySizeBytes()
		}
	}

	t.EventsPerSecond = float64(t.Events) / t.Seconds
	if t.Counted != t.Events {
		return fmt.Errorf("published %d events, but the monitors have counted %d", t.Events, t.Counted)
	}

	return nil
}
