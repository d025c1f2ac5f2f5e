package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
)

// modelIdle is after how long without an event, all being durable or lost, a model is
// forgotten: its goroutine and its memory go, and its place is another's. What was lost
// of it is remembered.
const modelIdle = time.Hour

// errFewModels says that an account, or the hub, has as many models as it may have.
var errFewModels = errors.New("no room for a further model")

// pipe returns the model's pipe; the first event makes it, on the account of who
// published it.
func (h *Hub) pipe(of *Account, model string) (*pipe, error) {
	if p := h.models.Get(model); p != nil {
		return p, nil
	}

	h.adding.Lock()
	defer h.adding.Unlock()
	if p := h.models.Get(model); p != nil {
		return p, nil
	}
	if h.closed {
		return nil, ErrClosed
	}
	if !h.modelRoom.Take(of.name, 1) {
		return nil, fmt.Errorf("%w: one hub holds %d, of which nobody may have more than are left to others; "+
			"those that are not heard of for %v are forgotten", errFewModels, maxModels, modelIdle)
	}

	p := newPipe(h, of, strings.Clone(model))
	h.models.Put(p.model, p)
	h.work.Go(func() { p.run(h.done) })
	return p, nil
}

// newPublisher names who publishes a model's events. A hub is one publisher of each
// of its models, and another one of a model that it had forgotten: batches are
// numbered from 1 again.
func newPublisher() string { return rand.Text() }

// add folds an event into its model's pipe, which a valid one makes.
func (h *Hub) add(ctx context.Context, of *Account, event *metric.Event) (p *pipe, err error) {
	for {
		p = h.models.Get(event.ModelName)
		if p == nil {
			err = event.Validate(h.now())
			if err != nil {
				return nil, err
			}
			p, err = h.pipe(of, event.ModelName)
			if err != nil {
				return nil, err
			}
		}

		err = p.add(ctx, event)
		if err != nil && errors.Is(err, ErrClosed) && h.isForgotten(p) {
			continue
		}
		return p, err
	}
}

func (h *Hub) isForgotten(p *pipe) bool {
	h.adding.Lock()
	defer h.adding.Unlock()
	return h.models.Get(p.model) != p
}

// forget forgets a model that has been idle, and says whether it did.
func (h *Hub) forget(p *pipe) bool {
	if !p.isIdle(h.now()) {
		return false
	}

	h.adding.Lock()
	defer h.adding.Unlock()
	if h.closed || !p.isIdle(h.now()) || !p.fold.closeIfEmpty() {
		return false
	}
	h.models.Remove(p.model)
	h.lost.Keep(p.model, p.lost())
	h.modelRoom.Give(p.account.name, 1)
	h.forgotten.Add(p.fold.published())
	return true
}

// isIdle says that nothing was published for long, and that all has its outcome.
func (p *pipe) isIdle(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := clock.Later(p.made, p.lastSend)
	return now.Sub(last) >= modelIdle && !p.dirty.Load() && len(p.waiting) == 0 && p.batch == nil &&
		!p.sending && !p.asking && !p.closing
}
