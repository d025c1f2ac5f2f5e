package hub

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub/internal/loss"
	"github.com/modelvigil/modelvigil/hub/internal/tripwire"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// pipe takes one model's events to its monitor: folds them, and hands batches
// over one after the other. Its goroutine runs as long as the hub.
type pipe struct {
	hub       *Hub
	account   *Account // of who published to it first
	model     string
	publisher string // random: a model that was forgotten comes back as another publisher
	fold      *fold
	share     float64 // in [0,1): where among its publishers this one hands a period over
	made      time.Time

	tripwire atomic.Pointer[tripwire.Tripwire]
	dirty    atomic.Bool                       // something is folded
	urgent   atomic.Bool                       // something folded would breach
	cause    atomic.Pointer[trace.SpanContext] // of the event that made it so; nil if it has no trace
	aligning atomic.Int64                      // the boundary, Unix ns, while it is near: hold each event against the clock; or 0
	wake     chan struct{}

	mu         sync.Mutex
	periods    *periods
	boundary   time.Time // the next instant that no digest straddles; zero if there is none
	calmUntil  time.Time // the end of the cooldown; zero where there is none
	cuts       int64     // numbers the cuts
	waiting    []parcel  // cut, in order, not in a batch yet
	sending    bool      // a batch is being handed over
	pause      time.Time // until when the budget has nothing but for urgent ones
	batch      *metric.Batch
	batchOf    *trace.SpanContext // the event that made it urgent, if that has a trace
	batchBytes int64              // of memory that are counted for it
	batchCut   int64              // the oldest cut in batch, which is frozen until its outcome is known
	isBreach   bool               // something in batch was urgent
	firstTry   time.Time          // of batch
	attempts   int                // of batch, without an outcome
	unsure     error              // what the last of these attempts ended with
	sequence   int64
	lastSend   time.Time
	hastens    bool          // something that waits was urgent when it was cut
	repeats    bool          // the last batch was urgent too
	hurry      int64         // cuts up to this one are due now
	closing    bool          // nothing is added any more, and the last batch says so
	closed     bool          // the last batch is settled
	losses     loss.Losses   // events in batches that were refused for good
	settled    chan struct{} // closed and renewed whenever a batch is settled
	guidance   contract.Guidance
	learnt     time.Time // when guidance was asked for; zero if never
	learntFrom string    // the monitor's run that was heard of when it was asked; "" where it can't be told
	asking     bool
	isCalm     bool      // a breach triggers nothing at present, so none is urgent
	curiosity  curiosity // about what breaches lead to
}

func newPipe(h *Hub, of *Account, model string) *pipe {
	p := &pipe{
		hub: h, account: of, model: model, publisher: newPublisher(), fold: newFold(of, h.now()), made: h.now(), share: rand.Float64(), periods: &periods{},
		wake: make(chan struct{}, 1), settled: make(chan struct{}),
	}
	p.guidance = contract.Guidance{
		Phase: contract.PhaseWatching, Rules: h.defaults, Publishers: 1, ReportEvery: policy.Duration(policy.DefaultReportEvery),
	}
	p.tripwire.Store(tripwire.New(p.guidance.Rules))
	return p
}

// add folds a valid event. ctx is asked for its trace alone.
func (p *pipe) add(ctx context.Context, event *metric.Event) error {
	if boundary := p.aligning.Load(); boundary != 0 {
		if now := p.hub.now(); now.UnixNano() >= boundary {
			p.mu.Lock()
			p.align(now)
			p.mu.Unlock()
		}
	}

	opened, err := p.fold.add(event, p.hub.now)
	if err != nil {
		return err
	}

	if !p.urgent.Load() && p.tripwire.Load().IsUrgent(event) {
		if span := trace.SpanContextFromContext(ctx); span.IsValid() {
			p.cause.Store(&span)
		}
		p.urgent.Store(true)
		p.nudge()
	}
	if !p.dirty.Load() && p.dirty.CompareAndSwap(false, true) || opened {
		p.nudge()
	}
	return nil
}

func (p *pipe) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run hands over what is due until the hub is done.
func (p *pipe) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil && !p.hub.forget(p) {
		timer.Reset(p.step(ctx))
		select {
		case <-p.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// step cuts what has to be cut, begins to hand over what is due, and returns how
// long there is nothing to do.
func (p *pipe) step(ctx context.Context) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.hub.now()
	p.align(now)
	due := p.fold.due(p.periods, p.share, p.again())
	if !due.IsZero() && !due.After(now) || p.fold.isCrowded() {
		p.cut(now) // even if it can't be sent yet: it waits apart from what follows
		due = time.Time{}
	}

	wait := p.untilBoundary(now)
	if !due.IsZero() {
		wait = min(wait, due.Sub(now))
	}
	wait = min(wait, p.wonder(ctx, now))
	if p.sending {
		return wait
	}
	if next := p.untilDue(now); next > 0 {
		return min(wait, next)
	}

	p.sending = true
	pressing := p.oldest() <= p.hurry || p.isUrgent() || p.batch != nil && p.isBreach
	p.hub.work.Go(func() { p.handOver(ctx, pressing) })
	return wait
}

// alignAhead is how long before the boundary events are held against the clock.
const alignAhead = 50 * time.Millisecond

// align cuts at the boundary once it has come. p.mu is held.
func (p *pipe) align(now time.Time) {
	if !p.boundary.IsZero() && !now.Before(p.boundary) {
		p.cut(now)
	}
}

// untilBoundary is how long the boundary needs no attention. It needs none while
// nothing is folded, but for the end of a cooldown. p.mu is held.
func (p *pipe) untilBoundary(now time.Time) time.Duration {
	boundary := p.boundary
	if !p.dirty.Load() {
		boundary = p.calmUntil
	}
	if boundary.IsZero() {
		return time.Hour
	}
	if ahead := boundary.Add(-alignAhead).Sub(now); ahead > 0 {
		return max(time.Millisecond, ahead)
	}
	p.aligning.Store(boundary.UnixNano())
	return max(time.Microsecond, boundary.Sub(now))
}

// isUrgent says that something is urgent which is folded or waits. p.mu is held.
func (p *pipe) isUrgent() bool { return !p.isCalm && p.urgent.Load() || p.hastens }

// setBoundary looks for the next one. p.mu is held.
func (p *pipe) setBoundary(now time.Time) {
	p.aligning.Store(0)
	p.boundary = p.periods.boundaryAfter(now)
	if !p.calmUntil.IsZero() && !now.Before(p.calmUntil) {
		p.calmUntil = time.Time{}
		p.isCalm = p.isCalm && p.guidance.Phase != contract.PhaseCoolingDown
	}
}

// cut moves what is folded to waiting. What every event was held against the
// clock for ended at the boundary; without that, nobody knows. p.mu is held.
func (p *pipe) cut(now time.Time) {
	p.dirty.Store(false) // before the cut: what is folded after it sets it again
	if p.urgent.Swap(false) && !p.isCalm {
		p.hastens = true // whatever it is cut for, and however long it waits then
	}
	p.cuts++
	guarded := p.aligning.Load() != 0
	digests := p.fold.cut(now, p.closing, func(since time.Time) time.Time {
		if boundary := p.periods.boundaryAfter(since); guarded && !boundary.IsZero() && boundary.Before(now) {
			return boundary
		}
		return now
	})
	for _, digest := range digests {
		p.put(parcel{folded: digest, cut: p.cuts}, now)
	}
	if !p.boundary.IsZero() && !now.Before(p.boundary) {
		p.setBoundary(now)
	}
}
