package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// Flush returns when all that was published before the call is durable. When it
// is not, by the time ctx ends or the hub is closed, or because a monitor refused
// it, the error is a *NotDurableError.
//
// A hub can't tell whose events were lost, nor who of its publishers asks. So each
// Flush that begins within an hour of a loss names it, whoever was told already,
// and so does the first that begins later. Who asks more seldom, or wants to hear
// of no events but its own, publishes through a Receipt.
//
// On a closed hub Flush waits for nothing: what Close could not deliver never will
// be, and is named with an error that wraps ErrClosed.
func (h *Hub) Flush(ctx context.Context) error {
	pipes := h.allPipes()
	faded := make(map[*pipe]int64, len(pipes))
	for _, p := range pipes {
		faded[p] = p.fadedLosses() // before it waits: another Flush may forget more meanwhile
	}

	var missing shortfall
	for p, err := range settle(pipes, func(p *pipe) error { return p.flush(ctx) }) {
		missing.add(p.model, p.missing(faded[p], err))
		p.fadeLosses()
	}
	return missing.err()
}

// settle runs a flush or a close of each pipe at once, and returns how they ended.
func settle(pipes []*pipe, action func(*pipe) error) map[*pipe]error {
	type outcome struct {
		pipe *pipe
		err  error
	}
	ended := make(chan outcome, len(pipes))
	for _, p := range pipes {
		go func() { ended <- outcome{p, action(p)} }()
	}

	outcomes := make(map[*pipe]error, len(pipes))
	for range pipes {
		o := <-ended
		outcomes[o.pipe] = o.err
	}

	return outcomes
}

// flush returns when all that was folded before the call is settled. It fails when
// ctx ends or the hub is closed before.
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
		select {
		case <-p.hub.ended: // nobody is left who would settle anything
			return ErrClosed
		default:
		}

		if err := ctx.Err(); err != nil {
			return err
		}

		settled := p.settled
		p.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
		case <-p.hub.ended:
		}

		p.mu.Lock()
	}

	return nil
}

// pendingSince is the age of the oldest event that is not durable yet.
func (p *pipe) pendingSince() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := p.fold.since()
	for _, parcel := range p.waiting {
		since = earliest(since, parcel.FoldedFrom)
	}
	if p.batch != nil {
		for _, digest := range p.batch.Digests {
			since = earliest(since, digest.FoldedFrom)
		}
	}

	if since.IsZero() {
		return 0
	}

	return max(0, p.hub.now().Sub(since)) // the clock may have been set back
}

func eventsIn(digests []*metric.Digest) (events int64) {
	for _, d := range digests {
		events += d.Events
	}
	return events
}

// Enrolment says what the first event of a model does that has no monitor.
type Enrolment string

// The enrolments; empty is EnrolRetrain.
const (
	EnrolRetrain Enrolment = "retrain" // start a monitor with the default policy, or the one that its last monitor had
	EnrolObserve Enrolment = "observe" // likewise, but with the default policy as a dry run
	EnrolRefuse  Enrolment = "refuse"  // nothing: the events are lost, and Flush says so with ErrNotEnrolled
)

// ErrNotEnrolled is what a publisher is told with EnrolRefuse when its model has
// no monitor. errors.Is finds it through whatever wraps it.
var ErrNotEnrolled = errors.New("not enrolled")

// Validate says whether e is one of the enrolments.
func (e Enrolment) Validate() error {
	switch e {
	case "", EnrolRetrain, EnrolObserve, EnrolRefuse:
		return nil
	}
	return fmt.Errorf("enrolment: must be %s, %s or %s, got %q", EnrolRetrain, EnrolObserve, EnrolRefuse, string(e))
}

// UnmarshalText reads an enrolment from a setting or a flag.
func (e *Enrolment) UnmarshalText(text []byte) error {
	read := Enrolment(text)
	if err := read.Validate(); err != nil {
		return err
	}
	*e = read
	return nil
}

// MarshalText is the reverse of UnmarshalText.
func (e Enrolment) MarshalText() ([]byte, error) { return []byte(e), nil }
