// Package hub is the serving side of modelvigil. A Hub takes metric events from
// serving code, hands each to the observers registered on it, and folds them per
// model into digests that it delivers, durably and once, to the model's monitor.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub/internal/loss"
	"github.com/modelvigil/modelvigil/hub/internal/table"
	"github.com/modelvigil/modelvigil/internal/share"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	// DefaultBudget is how many signals per second one hub sends at most.
	DefaultBudget = 50
	// maxModels bounds the models of one hub; each has a goroutine and, once
	// published to, some 10 KiB.
	maxModels = 20_000
	// maxFlying bounds the memory of the digests that are being handed over at once.
	// Each is encoded for it, and a server that hangs holds it for as long.
	maxFlying = 32 << 20
	// maxFlight is what a batch counts for at most, however much memory its digests take,
	// so that each finds room. Its encoding takes a part of that, by maxBatchBytes.
	maxFlight = maxFlying / 8
	// maxQueries bounds the queries for guidance of one account under way at once.
	maxQueries = 4
)

// Options are a hub's settings; the zero value of each is its default.
type Options struct {
	TaskQueue string       // of the monitors; default contract.DefaultTaskQueue
	Budget    float64      // signals per second over all models; default DefaultBudget
	Logger    *slog.Logger // default slog.Default()
	// Enrolment says what the first event of a model does that has no monitor.
	// Default EnrolRetrain; an unknown one, which Validate tells, is logged as an
	// error and taken for EnrolRefuse, the one that starts nothing.
	Enrolment Enrolment
	// TracerProvider makes a span of each batch, below that of the event which made
	// it urgent. It crosses to the monitor where the client has an interceptor that
	// carries it: go.temporal.io/sdk/contrib/opentelemetry. Default
	// OpenTelemetry's global one, which traces nothing unless somebody sets it.
	TracerProvider trace.TracerProvider
}

func (o Options) withDefaults() Options {
	if o.TaskQueue == "" {
		o.TaskQueue = contract.DefaultTaskQueue
	}
	if o.Budget <= 0 {
		o.Budget = DefaultBudget
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch err := o.Enrolment.Validate(); {
	case err != nil:
		o.Logger.Error("events of models without a monitor are refused", "error", err)
		o.Enrolment = EnrolRefuse
	case o.Enrolment == "":
		o.Enrolment = EnrolRetrain
	}

	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	return o
}

// Hub is the subject: serving code publishes to it from any goroutine. Make one
// per process with New, and Close it before the process ends.
type Hub struct {
	options   Options
	log       *slog.Logger
	carrier   carrier
	budget    *budget
	tracer    trace.Tracer
	metrics   *metrics
	observers *observers
	defaults  []policy.Rule // of a policy that says nothing, until a model's own are known

	models    *table.Table[pipe]
	modelRoom *share.Pool  // of maxModels
	accounts  accounts     // of who publishes
	own       *Account     // of those that publish through the hub itself
	bytes     atomic.Int64 // bytes that the backlog takes
	flying    *share.Pool  // of maxFlying
	forgotten atomic.Int64 // events that were published to models that are forgotten
	lost      loss.Tally   // of those events

	adding sync.Mutex                // held to change models
	closed bool                      // under adding
	latest atomic.Pointer[time.Time] // no timestamp up to it is far in the future
	now    func() time.Time          // time.Now, but in tests
	work   sync.WaitGroup            // every goroutine of the pipes
	done   context.Context
	stop   context.CancelFunc
	ended  chan struct{} // closed when work is over: what is not durable by then never will be
}

// New returns a hub that delivers to the monitors through a Temporal client,
// which stays the caller's to close.
func New(temporal client.Client, options Options) *Hub {
	options = options.withDefaults()
	return newHub(&temporalCarrier{temporal, options.TaskQueue, options.Enrolment}, options)
}

func newHub(c carrier, options Options) *Hub {
	options = options.withDefaults()
	h := &Hub{
		options: options, log: options.Logger, carrier: c, budget: newBudget(options.Budget),
		defaults: policy.Policy{}.WithDefaults().Rules,
		tracer:   options.TracerProvider.Tracer("github.com/modelvigil/modelvigil/hub"),
		models:   table.New[pipe](), modelRoom: share.New(maxModels), flying: share.New(maxFlying), accounts: accounts{by: map[string]*Account{}},
		now: time.Now, ended: make(chan struct{}),
	}
	h.metrics = newMetrics(h)
	h.observers = newObservers(h.log)
	h.own = h.Account("")
	h.latest.Store(new(time.Time))
	h.done, h.stop = context.WithCancel(context.Background())
	return h
}

// Publish folds an event and returns: it will be delivered while the process
// lives. Observers that asked to Wait may hold it back until ctx ends. It fails
// with every fault of an event that makes no sense, with ErrClosed
// once the hub is closed, and with a *ObserverError when ctx ended before
// an observer's queue had room; in that last case the event is folded all the
// same, and every other observer has it.
func (h *Hub) Publish(ctx context.Context, event metric.Event) error {
	_, err := h.publish(ctx, h.own, &event)
	return err
}

// PublishDurable publishes an event and returns when it is durable. It fails as
// Publish does, and as the Flush of a Receipt that has published this event alone.
func (h *Hub) PublishDurable(ctx context.Context, event metric.Event) error {
	receipt := h.NewReceipt()
	if err := receipt.Publish(ctx, event); err != nil {
		return err
	}
	return receipt.Flush(ctx)
}

func (h *Hub) publish(ctx context.Context, of *Account, event *metric.Event) (*pipe, error) {
	if !event.Passes(*h.latest.Load()) {
		now := h.now()
		if err := event.Validate(now); err != nil {
			return nil, fmt.Errorf("publish event of model %q: %w", event.ModelName, err)
		}
		latest := now.Add(metric.MaxClockSkew)
		h.latest.Store(&latest)
	}

	p, err := h.add(ctx, of, event)
	if err != nil {
		return nil, fmt.Errorf("publish event of model %q: %w", event.ModelName, err)
	}

	return p, h.observers.deliver(ctx, event)
}

// Register adds an observer, at any time. Its name must be its own.
func (h *Hub) Register(name string, observer Observer, options ObserverOptions) error {
	return h.observers.register(name, observer, options)
}

// Close flushes and refuses further events. It ends every goroutine of the hub,
// those of observers too, unless one hangs. The *NotDurableError, if there is one,
// names every event that was lost since the hub began, told before or not, and
// those that had no outcome when ctx ended. Closing again is an error that wraps
// ErrClosed, at once.
func (h *Hub) Close(ctx context.Context) error {
	h.adding.Lock()
	if h.closed {
		h.adding.Unlock()
		return fmt.Errorf("close hub: %w", ErrClosed)
	}

	h.closed = true
	h.adding.Unlock()

	outcomes := settle(ctx, h.allPipes(), (*pipe).close)
	h.stop()
	h.work.Wait()
	close(h.ended)

	var missing loss.Shortfall
	h.lost.TellAll(&missing)
	for p, err := range outcomes {
		missing.Add(p.model, p.missing(0, err))
	}
	return errors.Join(notDurable(&missing), h.observers.close(ctx))
}

func (h *Hub) allPipes() []*pipe { return slices.Collect(h.models.All()) }

// ask queries a monitor for guidance, within the share of an account.
func (h *Hub) ask(ctx context.Context, of *Account, model string) (contract.Guidance, error) {
	if err := h.budget.wait(ctx, of); err != nil {
		return contract.Guidance{}, err
	}
	select {
	case of.queries <- struct{}{}:
		defer func() { <-of.queries }()
	case <-ctx.Done():
		return contract.Guidance{}, ctx.Err()
	}
	return h.carrier.ask(ctx, model)
}

// ErrClosed is the kind of every error about a hub that takes no more
// events. errors.Is finds it through whatever wraps it.
var ErrClosed = errors.New("hub is closed")
