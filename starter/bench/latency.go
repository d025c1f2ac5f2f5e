package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
)

// Latency is the time from Publish of a breach until ModelOps is called.
type Latency struct {
	Breaches   int       `json:"breaches"`
	Monitors   int       `json:"monitors"`   // alive meanwhile
	Publishers int       `json:"publishers"` // hubs, each of them publishing to each monitor
	Load       int       `json:"load"`       // healthy events a second meanwhile
	RSS        int64     `json:"rss_bytes"`  // peak of this process: worker, hubs and benchmark together
	P50        float64   `json:"p50_ms"`
	P90        float64   `json:"p90_ms"`
	P99        float64   `json:"p99_ms"`
	Max        float64   `json:"max_ms"`
	All        []float64 `json:"all_ms"` // ascending
}

const (
	// startBudget is the signals per second of all hubs together.
	startBudget = 100
	// settle lets a monitor and its hub come to rest before its breach: the hub
	// has learnt what it wanted, and sends again at once.
	settle = 3 * time.Second
	// breachPause spreads the breaches, so that each finds the server at rest. A
	// history shard reads its queue of tasks 20 times a second
	// (history.transferProcessorMaxPollRPS), a dev server has one shard, and from
	// a breach to its call and what follows takes three reads: sooner after
	// another one each of them would wait up to 50 ms.
	breachPause = 300 * time.Millisecond
	// breachTimeout is when a breach that led to no call is given up.
	breachTimeout = 30 * time.Second
	// minBudget leaves each hub a signal for its breach.
	minBudget = 2
	loadTick  = 5 * time.Millisecond
	// closePatience covers a last digest and a farewell to each of 10,000 monitors.
	closePatience = 10 * time.Minute
)

// stopwatch is a backend that notes when it is called.
type stopwatch struct {
	mu     sync.Mutex
	called map[string]chan time.Time
}

func newStopwatch() *stopwatch { return &stopwatch{called: map[string]chan time.Time{}} }

// expect returns where the call for a model will be told.
func (s *stopwatch) expect(model string) <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := make(chan time.Time, 1)
	s.called[model] = told
	return told
}

// ScheduleRetraining notes the time of the first call for a model.
func (s *stopwatch) ScheduleRetraining(_ context.Context, request modelops.Request) (modelops.Job, error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.called[request.ModelName] <- now:
	default: // nobody asked, or a retry
	}
	return modelops.Job{ID: request.RequestID}, nil
}

// latency publishes breaches one after the other, each to a monitor at rest or,
// with Load, among the healthy events of all.
func (r *runner) latency(ctx context.Context) (l Latency, err error) {
	models := r.models("breach", r.Monitors)
	hubs := make([]*hub.Hub, r.Publishers)
	for i := range hubs {
		hubs[i] = r.newHub(max(minBudget, startBudget/float64(len(hubs))))
	}
	defer func() { err = errors.Join(err, closeAll(ctx, hubs)) }()
	if err := r.raise(ctx, hubs, models); err != nil {
		return l, err
	}

	loadCtx, endLoad := context.WithCancel(ctx)
	var load errgroup.Group
	load.Go(func() error { return r.load(loadCtx, hubs, models) })
	defer func() {
		endLoad()
		err = errors.Join(err, load.Wait())
	}()

	l = Latency{Breaches: r.Breaches, Monitors: len(models), Publishers: len(hubs), Load: r.Load, All: make([]float64, 0, r.Breaches)}
	for i := range r.Breaches {
		took, err := r.breach(ctx, hubs[i%len(hubs)], models[i*len(models)/r.Breaches])
		if err != nil {
			return l, err
		}
		l.All = append(l.All, float64(took.Microseconds())/1000)
		if err := pause(ctx, breachPause); err != nil {
			return l, err
		}
	}

	slices.Sort(l.All)
	l.RSS = peakRSS()
	l.P50, l.P90, l.P99, l.Max = quantile(l.All, 0.50), quantile(l.All, 0.90), quantile(l.All, 0.99), quantile(l.All, 1)
	return l, nil
}

// raise starts the monitors, and waits until all hubs have learnt from all.
func (r *runner) raise(ctx context.Context, hubs []*hub.Hub, models []string) error {
	var group errgroup.Group
	for _, h := range hubs {
		group.Go(func() error {
			for i, model := range models {
				if err := h.Publish(ctx, healthy(model, i)); err != nil {
					return err
				}
			}
			return h.Flush(ctx)
		})
	}

	if err := group.Wait(); err != nil {
		return err
	}

	return pause(ctx, settle+time.Duration(len(hubs)*len(models))*time.Second/startBudget) // for the queries
}

// load publishes healthy events, Load a second, to each model in turn from each
// hub in turn.
func (r *runner) load(ctx context.Context, hubs []*hub.Hub, models []string) error {
	if r.Load <= 0 {
		return nil
	}

	ticker := time.NewTicker(loadTick)
	defer ticker.Stop()
	start := time.Now()
	for sent := 0; ; {
		select {
		case now := <-ticker.C:
			for due := int(now.Sub(start).Seconds() * float64(r.Load)); sent < due; sent++ {
				h := hubs[sent/len(models)%len(hubs)]
				if err := h.Publish(ctx, healthy(models[sent%len(models)], sent)); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// breach publishes one, and takes the time until ModelOps is called.
func (r *runner) breach(ctx context.Context, h *hub.Hub, model string) (time.Duration, error) {
	told := r.backend.expect(model)
	event := healthy(model, 0)
	event.Accuracy = metric.Some(0.5)
	published := time.Now()
	if err := h.Publish(ctx, event); err != nil {
		return 0, err
	}

	select {
	case called := <-told:
		return called.Sub(published), nil
	case <-time.After(breachTimeout):
		return 0, fmt.Errorf("the breach of %s led to no call within %v", model, breachTimeout)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// closeAll closes hubs at once.
func closeAll(ctx context.Context, hubs []*hub.Hub) error {
	ctx, cancel := context.WithTimeout(ctx, closePatience)
	defer cancel()
	var group errgroup.Group
	for _, h := range hubs {
		group.Go(func() error { return h.Close(ctx) })
	}
	return group.Wait()
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// peakRSS is the most memory that this process has held, in bytes.
func peakRSS() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss // bytes there, KiB elsewhere
	}
	return usage.Maxrss * 1024
}

// processorTime is what this process has used of all processors.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// quantile of ascending values, of which there is one at least, is by nearest rank.
func quantile(ascending []float64, q float64) float64 {
	return ascending[max(0, min(len(ascending)-1, int(q*float64(len(ascending))+0.5)-1))]
}
