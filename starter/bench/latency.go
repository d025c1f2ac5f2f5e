package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

// Latency is the time from Publish of a breach until ModelOps is called.
type Latency struct {
	Breaches int       `json:"breaches"`
	Monitors int       `json:"monitors"`  // alive meanwhile
	RSS      int64     `json:"rss_bytes"` // peak of this process: worker, hub and benchmark together
	P50      float64   `json:"p50_ms"`
	P90      float64   `json:"p90_ms"`
	P99      float64   `json:"p99_ms"`
	Max      float64   `json:"max_ms"`
	All      []float64 `json:"all_ms"` // ascending
}

const (
	// startBudget is the signals per second while monitors are started.
	startBudget = 100
	// settle lets a monitor and its hub come to rest before its breach: the hub
	// has learnt what it wanted, and sends again at once.
	settle = 3 * time.Second
	// breachPause spreads the breaches, each with the server at rest.
	breachPause = 30 * time.Millisecond
	// breachTimeout is when a breach that led to no call is given up.
	breachTimeout = 30 * time.Second
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
func (s *stopwatch) ScheduleRetraining(_ context.Context, request monitor.RetrainingRequest) (monitor.Job, error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.called[request.ModelName] <- now:
	default: // nobody asked, or a retry
	}
	return monitor.Job{ID: request.RequestID}, nil
}

// latency publishes breaches one after the other, each to a monitor at rest.
func (r *runner) latency(ctx context.Context) (Latency, error) {
	models := r.models("breach", r.Monitors)
	h := r.newHub(startBudget)
	for i, model := range models {
		if err := h.Publish(ctx, healthy(model, i)); err != nil {
			return Latency{}, err
		}
	}
	if err := h.Flush(ctx); err != nil {
		return Latency{}, err
	}
	ticker := time.NewTimer(settle + time.Duration(len(models))*time.Second/startBudget) // the hub's queries too
	defer ticker.Stop()
	l := Latency{Breaches: r.Breaches, Monitors: len(models), All: make([]float64, 0, r.Breaches)}
	for i := range r.Breaches {
		model := models[i*len(models)/r.Breaches]
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return l, ctx.Err()
		}
		told := r.backend.expect(model)
		event := healthy(model, i)
		event.Accuracy = monitor.Some(0.5)
		published := time.Now()
		if err := h.Publish(ctx, event); err != nil {
			return l, err
		}
		select {
		case called := <-told:
			l.All = append(l.All, float64(called.Sub(published).Microseconds())/1000)
		case <-time.After(breachTimeout):
			return l, fmt.Errorf("the breach of %s led to no call within %v", model, breachTimeout)
		case <-ctx.Done():
			return l, ctx.Err()
		}
		ticker.Reset(breachPause)
	}
	closeCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := h.Close(closeCtx); err != nil {
		return l, err
	}
	slices.Sort(l.All)
	l.RSS = peakRSS()
	l.P50, l.P90, l.P99, l.Max = l.quantile(0.50), l.quantile(0.90), l.quantile(0.99), l.quantile(1)
	return l, nil
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

// quantile is by nearest rank.
func (l Latency) quantile(q float64) float64 {
	return l.All[max(0, min(len(l.All)-1, int(q*float64(len(l.All))+0.5)-1))]
}
