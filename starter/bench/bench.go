// Package bench measures modelvigil against a real Temporal server: what a
// signal per event takes, what batched signals take and what the hub takes, in
// one run; what a publish costs; and how long it takes from a breach that is
// published until ModelOps is called. It brings its own worker, on a task queue
// of its own, and ends every monitor that it started.
package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/lastpolicy"
)

// Options are what to measure; the zero value of each is its default.
type Options struct {
	Duration   time.Duration // of the hub's measurement; the others take a third of it; default 15 s
	Models     int           // published to by the hub; default 100
	Breaches   int           // measured from Publish to ModelOps, each on a model of its own; default 200
	Monitors   int           // alive while breaches are measured, at least Breaches; default Breaches
	Publishers int           // hubs of each of these monitors; default 1
	Load       int           // healthy events a second that they publish meanwhile, to all in turn; default none
	Clients    int           // signalling at once in the naive measurement; default 16
	Batch      int           // events in a request to the gateway; default 1000
	Progress   io.Writer     // a line for each step; default none
}

func (o Options) withDefaults() Options {
	if o.Duration <= 0 {
		o.Duration = 15 * time.Second
	}
	if o.Models <= 0 {
		o.Models = 100
	}
	if o.Breaches <= 0 {
		o.Breaches = 200
	}
	o.Monitors = max(o.Monitors, o.Breaches)
	o.Publishers, o.Load = max(1, o.Publishers), max(0, o.Load)
	if o.Clients <= 0 {
		o.Clients = 16
	}
	if o.Batch <= 0 {
		o.Batch = 1000
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}

	return o
}

// Report is what was measured. Durations are in milliseconds.
type Report struct {
	Naive   Throughput `json:"naive"`   // one signal per event
	Batched Throughput `json:"batched"` // one signal per batchedEvents events
	Hub     Throughput `json:"hub"`
	// HubToNaive is the ratio of their events per second.
	HubToNaive float64 `json:"hub_to_naive"`
	Latency    Latency `json:"latency"`
}

// Throughput is how many events became durable, counted in the monitors.
type Throughput struct {
	Events          int64   `json:"events"`
	Counted         int64   `json:"counted"` // by the monitors; must equal Events
	Seconds         float64 `json:"seconds"` // until the last event was durable
	EventsPerSecond float64 `json:"events_per_second"`
	Models          int     `json:"models"`
	Signals         int64   `json:"signals"`        // received by the monitors
	HistoryEvents   int64   `json:"history_events"` // of all models
	HistoryBytes    int64   `json:"history_bytes"`
	NanosPerPublish float64 `json:"nanos_per_publish,omitempty"` // of one publishing goroutine's time
}

// runner is one benchmark under way.
type runner struct {
	Options
	client  client.Client
	queue   string
	backend *stopwatch

	mu      sync.Mutex
	started []string // models whose monitors are to be ended
}

// LeftoverError says that the measuring is done but not all monitors could be
// ended.
type LeftoverError struct {
	TaskQueue string // of the monitors that are left
	Err       error
}

func (e *LeftoverError) Error() string {
	return fmt.Sprintf("end the benchmark's monitors, all on task queue %s: %v; terminate them by hand", e.TaskQueue, e.Err)
}

func (e *LeftoverError) Unwrap() error { return e.Err }

// Run measures, and cleans up whatever happens; when only that fails, the error
// is a *LeftoverError and the report is whole. It takes about twice
// Options.Duration and a third of a second for each breach.
func Run(ctx context.Context, c client.Client, options Options) (report Report, err error) {
	r, end, err := begin(c, options)
	if err != nil {
		return report, err
	}

	defer func() { err = end(err) }()

	for _, step := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"a signal per event", func(ctx context.Context) (err error) {
			report.Naive, err = r.signals(ctx, "naive", 1)
			return err
		}},
		{fmt.Sprintf("a signal per %d events", batchedEvents), func(ctx context.Context) (err error) {
			report.Batched, err = r.signals(ctx, "batched", batchedEvents)
			return err
		}},
		{fmt.Sprintf("the hub, %d models", r.Models), func(ctx context.Context) (err error) {
			report.Hub, err = r.hub(ctx)
			return err
		}},
		{fmt.Sprintf("from breach to ModelOps, %d times, %d monitors alive", r.Breaches, r.Monitors), func(ctx context.Context) (err error) {
			report.Latency, err = r.latency(ctx)
			return err
		}},
	} {
		_, _ = fmt.Fprintln(r.Progress, "measuring", step.name)
		if err := step.measure(ctx); err != nil {
			return report, fmt.Errorf("measure %s: %w", step.name, err)
		}
	}

	report.HubToNaive = report.Hub.EventsPerSecond / report.Naive.EventsPerSecond
	return report, nil
}

// begin starts a benchmark. end takes what became of it and cleans up.
func begin(c client.Client, options Options) (r *runner, end func(error) error, err error) {
	r = &runner{
		Options: options.withDefaults(), client: c,
		queue: "modelvigil-bench-" + uuid.NewString()[:8], backend: newStopwatch(),
	}
	stop, err := r.startWorker()
	if err != nil {
		return nil, nil, err
	}
	return r, func(err error) error {
		defer stop()
		return cmp.Or(err, r.cleanUp())
	}, nil
}

// startWorker runs monitors and retrainings as `worker` does.
func (r *runner) startWorker() (stop func(), err error) {
	monitors := worker.New(r.client, r.queue, worker.Options{})
	monitors.RegisterWorkflowWithOptions(workflows.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
	lastpolicy.Register(monitors, r.client, converter.GetDefaultDataConverter())
	retrainings := worker.New(r.client, workflows.RetrainingTaskQueue(r.queue), worker.Options{DisableWorkflowWorker: true})
	retrainings.RegisterActivity(&activities.Retraining{
		Backends: map[string]modelops.ModelOps{"stopwatch": r.backend}, Default: "stopwatch",
	})
	if err := monitors.Start(); err != nil {
		return nil, fmt.Errorf("start the benchmark's worker: %w", err)
	}
	if err := retrainings.Start(); err != nil {
		monitors.Stop()
		return nil, fmt.Errorf("start the benchmark's worker: %w", err)
	}

	return func() {
		monitors.Stop()
		retrainings.Stop()
	}, nil
}

func (r *runner) newHub(budget float64) *hub.Hub {
	return hub.New(r.client, r.hubOptions(budget))
}

func (r *runner) hubOptions(budget float64) hub.Options {
	return hub.Options{TaskQueue: r.queue, Budget: budget, Logger: slog.New(slog.DiscardHandler)}
}

// models names n models of this run, whose monitors cleanUp will end.
func (r *runner) models(kind string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%s-%d", r.queue, kind, i)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = append(r.started, names...)
	return names
}

// cleanUp ends every monitor that was started.
func (r *runner) cleanUp() error {
	patience := time.Minute + time.Duration(len(r.started))*20*time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, model := range r.started {
		group.Go(func() error {
			// A model that was never published to has no monitor to end.
			_ = r.client.TerminateWorkflow(ctx, contract.WorkflowID(model), "", "the benchmark is over")
			return ctx.Err()
		})
	}

	if err := group.Wait(); err != nil {
		return &LeftoverError{r.queue, err}
	}

	return nil
}

// healthy is an event that breaches nothing.
func healthy(model string, i int) metric.Event {
	return metric.Event{
		Timestamp: time.Now(), ModelName: model, ModelVersion: "v1",
		Accuracy: metric.Some(0.93 + float64(i%50)/1000), LatencyMS: metric.Some(100 + float64(i*7919%90)),
		DriftScore: metric.Some(0.01 + float64(i%80)/1000),
	}
}
