package hub

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

const (
	// giveUpAfter is how long a batch of unknown outcome is redelivered. The
	// machine remembers its publisher for twice as long.
	giveUpAfter = 24 * time.Hour
	// maxWaiting bounds the digests that are cut and wait for a batch; beyond it
	// a further one is merged into the latest of its kind.
	maxWaiting = 8
	// maxBatchMetrics bounds a batch's size: some 400 bytes a metric, against the
	// server's 2 MiB for a payload.
	maxBatchMetrics = 500
)

// pipe takes one model's events to its monitor: folds them, and hands batches
// over one after the other. Its goroutine runs as long as the hub.
type pipe struct {
	hub   *Hub
	model string
	fold  *fold

	tripwire atomic.Pointer[tripwire]
	dirty    atomic.Bool // something is folded
	urgent   atomic.Bool // something folded is urgent
	aligning atomic.Bool // the boundary is near: ask the clock at each event
	wake     chan struct{}

	mu       sync.Mutex
	boundary time.Time      // the end of the cooldown last learnt; no digest straddles it
	cuts     int64          // numbers the cuts
	waiting  []parcel       // cut, in order, not in a batch yet
	batch    *monitor.Batch // handed over, frozen until its outcome is known
	batchCut int64          // the oldest cut in batch
	firstTry time.Time      // of batch
	attempts int            // of batch, without an outcome
	sequence int64
	lastSend time.Time
	repeats  bool          // the last batch was urgent too
	hurry    int64         // cuts up to this one are due now
	closing  bool          // nothing is added any more, and the last batch says so
	closed   bool          // the last batch is settled
	lost     int64         // events in batches that were refused for good, ever
	lostErr  error         // why, of the last one
	reported int64         // of lost, those that a Flush has told of
	settled  chan struct{} // closed and renewed whenever a batch is settled
	guidance monitor.Guidance
	learnt   time.Time // when guidance was asked for; zero if never
	asking   bool
}

// parcel is a digest and the cut that it came from.
type parcel struct {
	digest *monitor.Digest
	cut    int64
}

func newPipe(h *Hub, model string) *pipe {
	p := &pipe{
		hub: h, model: model, fold: newFold(h.now()),
		wake: make(chan struct{}, 1), settled: make(chan struct{}),
	}
	p.guidance = monitor.Guidance{Phase: monitor.PhaseWatching, Rules: monitor.Policy{}.WithDefaults().Rules, Publishers: 1}
	p.tripwire.Store(newTripwire(p.guidance.Rules))
	return p
}

// add folds a valid event.
func (p *pipe) add(event *monitor.MetricEvent) error {
	if p.aligning.Load() {
		p.align(p.hub.now())
	}
	if err := p.fold.add(event, p.hub.now); err != nil {
		return err
	}
	if !p.urgent.Load() && p.tripwire.Load().isUrgent(event) {
		p.urgent.Store(true)
		p.nudge()
	}
	if !p.dirty.Load() && p.dirty.CompareAndSwap(false, true) {
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

// alignAhead is how long before the boundary events are held against the clock.
const alignAhead = 50 * time.Millisecond

// align cuts at the boundary once it has come.
func (p *pipe) align(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.boundary.IsZero() {
		return
	}
	if now.Before(p.boundary) {
		p.aligning.Store(!now.Before(p.boundary.Add(-alignAhead)))
		return
	}
	p.cut(p.boundary)
	p.boundary = time.Time{}
	p.aligning.Store(false)
	p.tripwire.Store(newTripwire(p.guidance.Rules))
}

// cut moves what is folded to waiting. p.mu is held.
func (p *pipe) cut(now time.Time) {
	p.dirty.Store(false) // before the cut: what is folded after it sets it again
	p.urgent.Store(false)
	p.cuts++
	for _, digest := range p.fold.cut(now, p.closing) {
		if len(p.waiting) < maxWaiting || !p.mergeWaiting(digest) {
			p.waiting = append(p.waiting, parcel{digest, p.cuts})
		}
	}
}

// mergeWaiting folds a digest into one of its kind that waits already.
func (p *pipe) mergeWaiting(digest *monitor.Digest) bool {
	for i := len(p.waiting) - 1; i >= 0; i-- {
		if known := p.waiting[i].digest; known.ModelVersion == digest.ModelVersion && known.Late == digest.Late {
			known.Merge(digest)
			return true
		}
	}
	return false
}

// oldest is the oldest cut that is not settled. p.mu is held.
func (p *pipe) oldest() int64 {
	switch {
	case p.batch != nil:
		return p.batchCut
	case len(p.waiting) > 0:
		return p.waiting[0].cut
	}
	return math.MaxInt64
}

// run hands over what is due until the hub is done.
func (p *pipe) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		next := p.step(ctx)
		if next == 0 {
			continue
		}
		timer.Reset(next)
		select {
		case <-p.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// step hands one batch over when it is due, and returns how long nothing is.
func (p *pipe) step(ctx context.Context) time.Duration {
	now := p.hub.now()
	p.align(now)
	p.mu.Lock()
	wait := p.untilDue(now)
	if wait > 0 {
		if !p.boundary.IsZero() {
			wait = min(wait, max(time.Millisecond, p.boundary.Add(-alignAhead).Sub(now)))
			if !now.Before(p.boundary.Add(-alignAhead)) {
				wait = max(time.Microsecond, p.boundary.Sub(now))
			}
		}
		p.mu.Unlock()
		return wait
	}
	hurried, breaching := p.oldest() <= p.hurry, p.urgent.Load()
	p.mu.Unlock()

	if pause, err := p.hub.budget.take(ctx, hurried || breaching); err != nil || pause > 0 {
		return pause
	}
	if batch := p.freeze(); batch != nil {
		p.settle(ctx, p.hub.carrier.send(ctx, batch), breaching)
	}
	return 0
}

// untilDue is how long the next hand-over has to wait; an hour when there is
// nothing to hand over. p.mu is held.
func (p *pipe) untilDue(now time.Time) time.Duration {
	due := now.Add(time.Hour)
	switch {
	case p.batch != nil:
		due = p.lastSend.Add(backoff(max(1, p.attempts)))
	case p.oldest() <= p.hurry || p.closing && !p.closed:
		return 0
	case p.urgent.Load() && !p.repeats: // the first breach after health
		due = p.lastSend.Add(p.hub.options.UrgentPace(1))
	case p.urgent.Load():
		due = p.lastSend.Add(p.hub.options.UrgentPace(p.guidance.Publishers))
	case p.dirty.Load() || len(p.waiting) > 0:
		due = p.lastSend.Add(p.hub.options.HealthyPace(p.guidance.Publishers))
	}
	return due.Sub(now)
}

// freeze returns the batch to hand over: the one without an outcome again, or a
// new one of what waits; nil when there is nothing.
func (p *pipe) freeze() *monitor.Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.hub.now()
	p.lastSend = now
	if p.batch != nil {
		return p.batch
	}
	p.cut(now)
	if p.closing && p.sequence == 0 && len(p.waiting) == 0 {
		p.closed = true // the monitor has never heard of this hub
	}
	if len(p.waiting) == 0 && (!p.closing || p.closed) {
		p.wakeWaiters()
		return nil
	}
	p.sequence++
	p.batch = &monitor.Batch{
		Version: monitor.BatchVersion, ModelName: p.model, Publisher: p.hub.publisher, Sequence: p.sequence,
		Digests: []*monitor.Digest{},
	}
	p.batchCut, p.firstTry, p.attempts = p.cuts, now, 0
	metrics := 0
	for len(p.waiting) > 0 && (metrics == 0 || metrics+len(p.waiting[0].digest.Metrics) <= maxBatchMetrics) {
		digest := p.waiting[0].digest
		p.batchCut = min(p.batchCut, p.waiting[0].cut)
		p.batch.Digests = append(p.batch.Digests, digest)
		metrics += len(digest.Metrics)
		p.waiting = p.waiting[1:]
	}
	p.batch.Closed = p.closing && len(p.waiting) == 0
	return p.batch
}

// settle takes in what became of the batch.
func (p *pipe) settle(ctx context.Context, err error, breaching bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hub.metrics.signals(breaching, p.attempts > 0, err)
	now := p.hub.now()
	events := eventsIn(p.batch.Digests)
	switch {
	case err == nil:
		p.hub.metrics.durable(events)
	case (passes(err) || ctx.Err() != nil) && now.Sub(p.firstTry) < giveUpAfter:
		p.attempts++
		if p.attempts == 1 {
			p.hub.log.Warn("batch not handed over, trying again", "model_name", p.model, "events", events, "error", err)
		}
		return
	default:
		if passes(err) {
			err = fmt.Errorf("given up after %v without an outcome: %w", giveUpAfter, err)
		}
		p.lost, p.lostErr = p.lost+events, err
		p.hub.metrics.lost(events)
		if events > 0 { // a mere farewell is no loss
			p.hub.log.Error("batch refused, its events are lost", "model_name", p.model, "events", events, "error", err)
		}
	}
	p.closed, p.repeats = p.batch.Closed, breaching
	p.batch = nil
	p.wakeWaiters()
	if err == nil && !p.closing && (breaching || now.Sub(p.learnt) > guidanceAge) {
		p.learn(ctx, now)
	}
}

// learn asks the monitor for guidance, aside, so that no batch waits for it.
func (p *pipe) learn(ctx context.Context, now time.Time) {
	if p.asking {
		return
	}
	p.asking, p.learnt = true, now
	p.hub.work.Go(func() {
		guidance, err := p.hub.ask(ctx, p.model)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asking = false
		if err != nil {
			p.hub.log.Debug("no guidance from the monitor", "model_name", p.model, "error", err)
			return
		}
		now := p.hub.now()
		p.guidance, p.boundary = guidance, time.Time{}
		if now.Before(guidance.CooldownUntil) {
			p.boundary = guidance.CooldownUntil
		}
		if isCalm(guidance, now) {
			p.tripwire.Store(newTripwire(nil))
			p.urgent.Store(false)
		} else {
			p.tripwire.Store(newTripwire(guidance.Rules))
		}
		p.nudge()
	})
}

// wakeWaiters lets those who wait for durability look again. p.mu is held.
func (p *pipe) wakeWaiters() {
	close(p.settled)
	p.settled = make(chan struct{})
}
