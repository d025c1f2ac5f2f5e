package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/hub"
)

const (
	// budget is more signals a second than a server takes here, so that the hub is not
	// what bounds them.
	budget = 2000
	// quiet is for how long a model that reports in turn has said nothing: longer than
	// the default report_every.
	quiet = 70 * time.Second
	// publishEvery is how often each model that reports as its policy says has an event.
	publishEvery = 100 * time.Millisecond
)

// sendings are the signals of a hub that were taken, and how long it was from each to the
// next of its model.
type sendings struct {
	mu        sync.Mutex
	last      map[string]time.Time
	intervals []time.Duration
	count     int
}

// listening is a client that tells of the signals which were taken.
type listening struct {
	client.Client
	to *sendings
}

// SignalWithStartWorkflow implements client.Client.
func (l listening) SignalWithStartWorkflow(
	ctx context.Context, id, signal string, argument any, options client.StartWorkflowOptions, workflow any, arguments ...any,
) (client.WorkflowRun, error) {
	run, err := l.Client.SignalWithStartWorkflow(ctx, id, signal, argument, options, workflow, arguments...)
	if err == nil {
		l.to.took(id)
	}
	return run, err
}

func (s *sendings) took(id string) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, isKnown := s.last[id]; isKnown {
		s.intervals = append(s.intervals, now.Sub(before))
	}
	s.last[id] = now
	s.count++
}

// begin begins a round.
func (s *sendings) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = map[string]time.Time{}
	s.count = 0
}

// report has the models of each kind report, turn by turn.
func report(ctx context.Context, kinds []*kind, o options) error {
	for _, k := range kinds {
		k.hub = hub.New(listening{k.client, &k.sent}, hub.Options{TaskQueue: k.queue, Budget: budget, Logger: slog.New(slog.DiscardHandler)})
	}
	defer func() {
		for _, k := range kinds {
			_ = k.hub.Close(context.WithoutCancel(ctx))
		}
	}()

	for round := range o.rounds + 1 { // the first one lets hubs learn what monitors want
		for _, k := range kinds {
			if round == 1 {
				k.held = usage{}
				k.sent.intervals = nil
			}
			if err := k.held.measured(k, func() (int, error) { return k.reportFor(ctx, o) }); err != nil {
				return fmt.Errorf("report to %ss: %w", k.name, err)
			}
			fmt.Printf("round %d, %s: %v\n", round, k.name, &k.held)
		}
	}

	for _, k := range kinds {
		slices.Sort(k.sent.intervals)
		if n := len(k.sent.intervals); n > 0 {
			fmt.Printf("from report to report of a %s: p50 %v, p99 %v\n", k.name, k.sent.intervals[n/2].Round(time.Millisecond), k.sent.intervals[n*99/100].Round(time.Millisecond))
		}
	}
	compare("reports", &kinds[0].held, &kinds[1].held)
	return nil
}

// reportFor publishes for a round, and returns how many reports were made of it.
func (k *kind) reportFor(ctx context.Context, o options) (reports int, err error) {
	k.sent.begin()
	pause := publishEvery
	models := k.models
	each := len(models)
	if o.rate > 0 { // as many of them, from all over the fleet, as are quiet in between
		pause = time.Duration(float64(time.Second) / o.rate)
		each = 1
		models = spread(models, int(o.rate*quiet.Seconds()))
	}

	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for end := time.Now().Add(o.round); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-ticker.C:
		}
		for range each {
			k.next++
			if err := k.hub.Publish(ctx, healthy(models[k.next%len(models)], k.next)); err != nil {
				return 0, err
			}
		}
	}

	if err := k.hub.Flush(ctx); err != nil {
		return 0, err
	}
	return k.sent.count, nil
}

// spread is n of all models, equally far from each other.
func spread(models []string, n int) []string {
	if n >= len(models) {
		return models
	}
	some := make([]string, n)
	for i := range some {
		some[i] = models[i*len(models)/n]
	}
	return some
}
