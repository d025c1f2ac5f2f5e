package hub

import (
	"context"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

// flush returns when all that was folded before the call is settled, or ctx ends.
func (p *pipe) flush(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut(p.hub.now())
	target := p.cuts
	return p.await(ctx, func() bool { return p.oldest() > target })
}

// close sends what is folded as the last batch, and returns when it is settled.
func (p *pipe) close(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	p.cut(p.hub.now())
	return p.await(ctx, func() bool { return p.closed })
}

// await hurries all that is cut until done. p.mu is held.
func (p *pipe) await(ctx context.Context, done func() bool) error {
	p.hurry = p.cuts
	p.nudge()
	for !done() {
		settled := p.settled
		p.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
		}
		p.mu.Lock()
		if err := ctx.Err(); err != nil && !done() {
			return err
		}
	}
	return nil
}

// losses counts the events that were ever refused for good, and says why.
func (p *pipe) losses() (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost, p.lostErr
}

// report returns the losses that were not reported yet.
func (p *pipe) report() (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := p.lost - p.reported
	p.reported = p.lost
	return fresh, p.lostErr
}

// pendingSince is the age of the oldest event that is not durable yet.
func (p *pipe) pendingSince() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.hub.now()
	switch {
	case p.batch != nil && len(p.batch.Digests) > 0:
		return now.Sub(p.batch.Digests[0].FoldedFrom)
	case len(p.waiting) > 0:
		return now.Sub(p.waiting[0].digest.FoldedFrom)
	case p.dirty.Load():
		if since := p.fold.since(); !since.IsZero() {
			return now.Sub(since)
		}
	}
	return 0
}

func eventsIn(digests []*monitor.Digest) (events int64) {
	for _, d := range digests {
		events += d.Events
	}
	return events
}
