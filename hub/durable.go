package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/hub/internal/loss"
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
	var missing loss.Shortfall
	h.adding.Lock() // a model is either there or forgotten
	pipes := h.allPipes()
	h.lost.Tell(&missing, h.now())
	h.adding.Unlock()

	faded := make(map[*pipe]int64, len(pipes))
	for _, p := range pipes {
		lost := p.lost()
		faded[p] = lost.Faded() // before it waits: another Flush may forget more meanwhile
	}

	for p, err := range settle(ctx, pipes, (*pipe).flush) {
		missing.Add(p.model, p.missing(faded[p], err))
		p.fadeLosses()
	}
	return notDurable(&missing)
}

// settle lets each pipe begin to hand over what it holds, and returns how that ended. All
// are at work meanwhile, and are waited for one after the other: a goroutine for each would
// let a request of ten thousand models take as many.
func settle(ctx context.Context, pipes []*pipe, begin func(*pipe) (isDone func() bool)) map[*pipe]error {
	begun := make([]func() bool, len(pipes))
	for i, p := range pipes {
		begun[i] = begin(p)
	}

	outcomes := make(map[*pipe]error, len(pipes))
	for i, p := range pipes {
		outcomes[p] = p.await(ctx, begun[i])
	}
	return outcomes
}

// flush hurries all that was folded before the call, and returns what says, while p.mu is
// held, whether it is settled.
func (p *pipe) flush() (isDone func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	target := p.hurryUp()
	return func() bool { return p.oldest() > target }
}

// close hurries what is folded as the last batch, and returns what says, while p.mu is
// held, whether that is settled.
func (p *pipe) close() (isDone func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	p.hurryUp()
	return func() bool { return p.closed }
}

// hurryUp cuts what is folded, and returns the cut up to which all is due now. p.mu is
// held.
func (p *pipe) hurryUp() (cut int64) {
	p.cut(p.hub.now())
	p.hurry = p.cuts
	p.nudge()
	return p.cuts
}

// await returns when something is done. It fails when ctx ends or the hub is closed
// before.
func (p *pipe) await(ctx context.Context, isDone func() bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !isDone() {
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
