package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
)

const (
	// giveUpAfter is how long a batch of unknown outcome is redelivered. The
	// machine remembers its publisher for twice as long.
	giveUpAfter = 24 * time.Hour
	// maxBatchBytes bounds the digests of a batch as they are sent: some thousand
	// metrics. The server takes payloads of 2 MiB, or of 512 KiB where it is set up as
	// docs/disasters.md has it, and refuses what is larger for good. What is left of
	// that is for the batch's head and for encryption.
	maxBatchBytes = 480 << 10
	firstBackoff  = 200 * time.Millisecond
	maxBackoff    = 15 * time.Second
)

// untilDue is how long the next hand-over has to wait; an hour when there is
// nothing to hand over. p.mu is held.
func (p *pipe) untilDue(now time.Time) time.Duration {
	var due time.Time
	switch {
	case p.batch != nil:
		due = p.lastSend.Add(backoff(max(1, p.attempts)))
	case p.oldest() <= p.hurry:
		return 0
	case p.closing && !p.closed: // nothing to deliver but the farewell
		due = now
	case p.isUrgent() && !p.repeats: // the first breach after health
		due = p.lastSend.Add(contract.UrgentPace(1))
	case p.isUrgent():
		due = p.lastSend.Add(p.guidance.UrgentPace())
	case p.dirty.Load() || len(p.waiting) > 0:
		due = p.lastSend.Add(p.guidance.HealthyPace())
	default:
		return time.Hour
	}

	if p.batch == nil {
		due = earliest(due, p.due())
	}
	if p.pause.After(due) && !p.isUrgent() && p.oldest() > p.hurry {
		due = p.pause
	}
	return due.Sub(now)
}

// handOver sends one batch, if the budget has a share for it.
func (p *pipe) handOver(ctx context.Context, pressing bool) {
	pause, err := p.hub.budget.take(ctx, p.account, pressing)
	if err == nil && pause == 0 {
		batch := p.freeze()
		bytes := min(p.batchBytes, maxFlight)
		switch {
		case batch == nil:
		case !p.hub.flying.Take(p.account.name, bytes):
			pause = healthyPause
		default:
			run, err := p.send(ctx, batch)
			p.settle(ctx, run, err)
			p.hub.flying.Give(p.account.name, bytes)
		}
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.sending, p.pause = false, p.hub.now().Add(pause)
	p.nudge()
}

// send hands a batch over, in a span of its own. One that has waited too long for
// an outcome, as after the machine slept, is not sent again: the monitor may have
// forgotten that it has it.
func (p *pipe) send(ctx context.Context, batch *metric.Batch) (run string, err error) {
	if p.isOverdue(p.hub.now()) {
		return "", p.unsure
	}

	if p.batchOf != nil {
		ctx = trace.ContextWithRemoteSpanContext(ctx, *p.batchOf)
	}
	ctx, span := p.hub.tracer.Start(ctx, "deliver batch", trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(attribute.String("modelvigil.model_name", batch.ModelName), attribute.Int64("modelvigil.events", eventsIn(batch.Digests)),
			attribute.Int64("modelvigil.sequence", batch.Sequence), attribute.Bool("modelvigil.urgent", p.isBreach))
	}

	run, err = p.hub.carrier.send(ctx, batch)
	p.hub.metrics.signals(p.isBreach, p.attempts > 0, err)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	return run, err
}

// isOverdue says that the batch has been without an outcome for too long.
func (p *pipe) isOverdue(now time.Time) bool {
	return p.attempts > 0 && elapsed(p.firstTry, now) >= giveUpAfter
}

// elapsed is how long ago an instant was, by the clock that says more. The
// monotonic one stands still while a machine sleeps; the wall clock may be set back.
func elapsed(since, now time.Time) time.Duration {
	return max(now.Sub(since), now.Round(0).Sub(since.Round(0)))
}

// freeze returns the batch to hand over: the one without an outcome again, or a
// new one of what waits; nil when there is nothing.
func (p *pipe) freeze() *metric.Batch {
	p.mu.Lock()
	defer p.mu.Unlock()

	now := p.hub.now()
	p.lastSend = now
	if p.batch != nil {
		return p.batch
	}

	p.fold.forgetVersions() // before the cut: what is folded after it is remembered again
	p.cut(now)
	if p.closing && p.sequence == 0 && len(p.waiting) == 0 {
		p.closed = true // the monitor has never heard of this hub
	}

	if len(p.waiting) == 0 && (!p.closing || p.closed) {
		p.hastens = false
		p.wakeWaiters()
		return nil
	}

	p.sequence++
	p.batch = &metric.Batch{
		Version: p.guidance.BatchVersion(), ModelName: p.model, Publisher: p.publisher, Sequence: p.sequence,
		Digests: []*metric.Digest{},
	}
	p.batchOf = nil
	if cause := p.cause.Swap(nil); p.hastens {
		p.batchOf = cause
	}
	p.fold.rememberVersions(p.waiting)
	p.batchCut = p.cuts
	p.firstTry = now
	p.attempts = 0
	p.isBreach = p.hastens
	for size := 0; len(p.waiting) > 0; p.waiting = p.waiting[1:] {
		next := p.waiting[0]
		size += p.batch.Fit(next.Digest, maxBatchBytes)
		if len(p.batch.Digests) > 0 && size > maxBatchBytes {
			break // it waits for the next one
		}
		p.batchCut = min(p.batchCut, next.cut)
		p.batch.Digests = append(p.batch.Digests, next.Digest)
		p.batchBytes += next.bytes
	}

	p.hastens = p.hastens && len(p.waiting) > 0
	p.batch.Closed = p.closing && len(p.waiting) == 0
	return p.batch
}

// settle takes in what became of the batch, and by which run of the monitor.
func (p *pipe) settle(ctx context.Context, run string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.hub.now()
	events := eventsIn(p.batch.Digests)

	switch {
	case err == nil:
		p.hub.metrics.durable(events)
	case (passes(err) || ctx.Err() != nil) && elapsed(p.firstTry, now) < giveUpAfter:
		p.attempts++
		p.unsure = err
		if p.attempts == 1 {
			p.hub.log.Warn("batch not handed over, trying again", "model_name", p.model, "events", events, "error", err)
		}
		return
	default:
		if passes(err) {
			err = fmt.Errorf("given up after %v without an outcome: %w", giveUpAfter, err)
		}
		p.losses.Add(events, err)
		p.hub.metrics.lost(events)
		if events > 0 { // a mere farewell is no loss
			p.hub.log.Error("batch refused, its events are lost", "model_name", p.model, "events", events, "error", err)
		}
	}

	p.closed = p.batch.Closed
	p.repeats = p.isBreach
	p.batch = nil
	p.account.hold(-p.batchBytes)
	p.batchBytes = 0
	p.wakeWaiters()
	if err == nil && !p.closing && p.asks(run, now) {
		p.learn(ctx, run, now)
	}
}

// backoff is the pause before attempt n+1, from 1, with jitter: half of it is
// drawn, so that hubs that lost a server together do not come back together.
func backoff(attempt int) time.Duration {
	pause := min(maxBackoff, firstBackoff<<min(attempt-1, 10))
	return pause/2 + rand.N(pause/2)
}

// wakeWaiters lets those who wait for durability look again. p.mu is held.
func (p *pipe) wakeWaiters() {
	close(p.settled)
	p.settled = make(chan struct{})
}
