package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/modelvigil/modelvigil/metric"
)

// Observer gets every event of a hub, in the order in which its publisher
// published them, on a goroutine of its own. An error or a panic is logged and
// counted, and disturbs nobody. ctx ends when the hub's Close gives up.
type Observer interface {
	Observe(ctx context.Context, event metric.Event) error
}

// ObserverFunc is a function as an Observer.
type ObserverFunc func(ctx context.Context, event metric.Event) error

// Observe calls the function.
func (f ObserverFunc) Observe(ctx context.Context, event metric.Event) error {
	return f(ctx, event)
}

// WhenFull says what Publish does when an observer's queue is full.
type WhenFull int

const (
	// Wait holds Publish back until there is room or its ctx ends.
	Wait WhenFull = iota
	// Drop leaves the event out for this observer, and counts it.
	Drop
)

// DefaultQueue is how many events an observer's queue holds.
const DefaultQueue = 1024

// ObserverOptions are an observer's settings; the zero value waits on a queue of
// DefaultQueue events.
type ObserverOptions struct {
	Queue    int
	WhenFull WhenFull
}

// LoggingObserver writes each event to a log: the audit trail.
type LoggingObserver struct{ Logger *slog.Logger }

// Observe logs the event; readings that were not taken are left out.
func (o LoggingObserver) Observe(ctx context.Context, event metric.Event) error {
	attributes := []slog.Attr{
		slog.Time("timestamp", event.Timestamp),
		slog.String("model_name", event.ModelName), slog.String("model_version", event.ModelVersion),
	}
	for i, reading := range [3]metric.Reading{event.Accuracy, event.LatencyMS, event.DriftScore} {
		if value, taken := reading.Get(); taken {
			attributes = append(attributes, slog.Float64(namedMetrics[i], value))
		}
	}

	for _, name := range slices.Sorted(maps.Keys(event.Metrics)) {
		attributes = append(attributes, slog.Float64(name, event.Metrics[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(event.Categories)) {
		attributes = append(attributes, slog.String(name, event.Categories[name]))
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "metric event", attributes...)
	return nil
}

// observers are those registered on a hub.
type observers struct {
	log *slog.Logger

	queues    atomic.Pointer[[]*queue] // replaced, never changed; nil while there is none
	adding    sync.Mutex               // held to replace queues
	isClosed  bool                     // under adding
	closing   chan struct{}            // closed when Publish must not wait any more
	gate      sync.RWMutex             // held for reading by deliver, so that close comes after
	observing context.Context
	giveUp    context.CancelFunc
}

func newObservers(log *slog.Logger) *observers {
	o := &observers{log: log, closing: make(chan struct{})}
	o.observing, o.giveUp = context.WithCancel(context.Background())
	return o
}

func (o *observers) all() []*queue {
	if queues := o.queues.Load(); queues != nil {
		return *queues
	}
	return nil
}

// queue is one observer and what it has still to see.
type queue struct {
	name     string
	observer Observer
	full     WhenFull
	events   chan metric.Event
	dropped  atomic.Int64
	failed   atomic.Int64
	ended    bool          // events is closed; under observers.gate
	idle     chan struct{} // closed when its goroutine has ended
}

func (o *observers) register(name string, observer Observer, options ObserverOptions) error {
	if observer == nil || name == "" {
		return fmt.Errorf("register observer %q: it needs a name and an observer", name)
	}

	if options.Queue <= 0 {
		options.Queue = DefaultQueue
	}
	o.adding.Lock()
	defer o.adding.Unlock()
	if o.isClosed {
		return fmt.Errorf("register observer %q: %w", name, ErrClosed)
	}

	for _, q := range o.all() {
		if q.name == name {
			return fmt.Errorf("register observer %q: there is one of this name already", name)
		}
	}

	q := &queue{
		name: name, observer: observer, full: options.WhenFull,
		events: make(chan metric.Event, options.Queue), idle: make(chan struct{}),
	}
	grown := append(slices.Clone(o.all()), q)
	o.queues.Store(&grown)
	go o.serve(q)
	return nil
}

// serve shows an observer its events until close ends the queue.
func (o *observers) serve(q *queue) {
	defer close(q.idle)
	for event := range q.events {
		if err := q.observe(o.observing, event); err != nil {
			q.failed.Add(1)
			o.log.Error("observer failed on an event", "model_name", event.ModelName, "error", err)
		}
	}
}

func (q *queue) observe(ctx context.Context, event metric.Event) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			err = &ObserverError{Observer: q.name, Err: err}
		}
	}()
	return q.observer.Observe(ctx, event)
}

// deliver queues an event for every observer: first for those with room, so that
// a full one keeps nothing from the others.
func (o *observers) deliver(ctx context.Context, event *metric.Event) error {
	if o.queues.Load() == nil {
		return nil
	}

	o.gate.RLock()
	defer o.gate.RUnlock()
	kept := *event
	kept.Metrics = maps.Clone(event.Metrics) // the caller's again after Publish
	kept.Categories = maps.Clone(event.Categories)
	var full []*queue
	for _, q := range o.all() {
		if q.ended {
			continue // the event was folded just before the hub closed
		}

		select {
		case q.events <- kept:
		default:
			if q.full == Drop {
				q.dropped.Add(1)
			} else {
				full = append(full, q)
			}
		}
	}

	var faults []error
	for _, q := range full {
		var err error
		select {
		case q.events <- kept:
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-o.closing:
			err = ErrClosed
		}

		q.dropped.Add(1)
		faults = append(faults, &ObserverError{Observer: q.name, Err: fmt.Errorf("queue is full: %w", err)})
	}

	return errors.Join(faults...)
}

// close lets the observers see what is queued. When ctx ends first, the error
// names those that hang.
func (o *observers) close(ctx context.Context) error {
	defer o.giveUp()
	o.adding.Lock()
	o.isClosed = true
	o.adding.Unlock()
	close(o.closing)
	o.gate.Lock() // whoever was waiting for room has been let go
	for _, q := range o.all() {
		q.ended = true
		close(q.events)
	}

	o.gate.Unlock()
	var faults []error
	for _, q := range o.all() {
		select {
		case <-q.idle:
		case <-ctx.Done():
			faults = append(faults, &ObserverError{
				Observer: q.name,
				Err:      fmt.Errorf("did not see its last %d events: %w", len(q.events)+1, ctx.Err()),
			})
		}
	}

	return errors.Join(faults...)
}

// ObserverError says that an observer failed on an event. It wraps the
// observer's own error.
type ObserverError struct {
	Observer string // the name it was registered under
	Err      error
}

func (e *ObserverError) Error() string { return fmt.Sprintf("observer %q: %v", e.Observer, e.Err) }

// Unwrap returns the observer's own error.
func (e *ObserverError) Unwrap() error { return e.Err }
