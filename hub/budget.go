package hub

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// activeFor is how long after it wanted to send an account counts among those that
	// share the budget.
	activeFor = time.Minute
	// healthyShare is how much of the budget may go to digests that are not
	// urgent, so that an urgent one never queues behind them.
	healthyShare = 0.8
	// healthyPause is about how long a digest that found no share pauses.
	healthyPause = time.Second
)

// budget bounds the signals of one hub over all its models, and divides them among
// its accounts: where many models of one have something to send, those of another
// wait for at most one of its signals.
type budget struct {
	perSecond float64
	all       *rate.Limiter

	mu     sync.Mutex
	active map[*Account]struct{} // not longer than activeFor ago
	// waiting are those who wait for a signal, by account, and turns the accounts
	// that have some, in the order of their turns.
	waiting map[*Account][]*turn
	turns   []*Account
	serving bool // a goroutine hands out turns
}

// turn is one who waits for a signal.
type turn struct {
	come chan struct{} // closed when it is theirs
	gone bool          // nobody waits any more; under budget.mu
}

func newBudget(perSecond float64) *budget {
	return &budget{
		perSecond: perSecond, all: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond))),
		active: map[*Account]struct{}{}, waiting: map[*Account][]*turn{},
	}
}

// take takes a signal's share. An urgent one waits for it; another one is told
// how long to pause before it asks again, so that it can become urgent meanwhile.
func (b *budget) take(ctx context.Context, of *Account, urgent bool) (pause time.Duration, err error) {
	healthy := b.healthyOf(of)
	if !urgent && !healthy.Allow() {
		return healthyPause/2 + rand.N(healthyPause), nil
	}
	return 0, b.next(ctx, of)
}

// wait waits for a share of what is not urgent.
func (b *budget) wait(ctx context.Context, of *Account) error { return b.healthyOf(of).Wait(ctx) }

// healthyOf is what bounds an account's signals that are not urgent: an equal part of
// what all accounts may send that have something to send at present.
func (b *budget) healthyOf(of *Account) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := of.hub.now().Unix()
	of.active = now
	b.active[of] = struct{}{}
	for a := range b.active {
		if now-a.active > int64(activeFor/time.Second) {
			delete(b.active, a)
		}
	}

	part := rate.Limit(b.perSecond * healthyShare / float64(len(b.active)))
	burst := max(1, int(part))
	switch {
	case of.healthy == nil:
		of.healthy = rate.NewLimiter(part, burst)
	case of.healthy.Limit() != part:
		of.healthy.SetLimit(part)
		of.healthy.SetBurst(burst)
	}

	return of.healthy
}

// next returns when it is an account's turn to send.
func (b *budget) next(ctx context.Context, of *Account) error {
	b.mu.Lock()
	if len(b.turns) == 0 && b.all.Allow() {
		b.mu.Unlock()
		return nil
	}

	mine := &turn{come: make(chan struct{})}
	if len(b.waiting[of]) == 0 {
		b.turns = append(b.turns, of)
	}
	b.waiting[of] = append(b.waiting[of], mine)
	if !b.serving {
		b.serving = true
		of.hub.work.Go(func() { b.serve(ctx) })
	}

	b.mu.Unlock()

	select {
	case <-mine.come:
		return nil
	case <-ctx.Done():
		b.mu.Lock()
		defer b.mu.Unlock()
		mine.gone = true
		return ctx.Err()
	}
}

// serve hands out turns, one account after the other, as the budget allows, until
// nobody waits any more or the hub is done.
func (b *budget) serve(ctx context.Context) {
	for {
		err := b.all.Wait(ctx)
		b.mu.Lock()
		isOne := err == nil && b.handOut()
		if !isOne {
			b.serving = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
	}
}

// handOut gives the next turn to the account that waits for it longest. It is false
// when nobody waits. b.mu is held.
func (b *budget) handOut() bool {
	for len(b.turns) > 0 {
		of := b.turns[0]
		b.turns = b.turns[1:]
		queue := slices.DeleteFunc(b.waiting[of], func(t *turn) bool { return t.gone })
		if len(queue) == 0 {
			delete(b.waiting, of)
			continue
		}

		close(queue[0].come)
		b.waiting[of] = queue[1:]
		if len(queue) > 1 {
			b.turns = append(b.turns, of)
		} else {
			delete(b.waiting, of)
		}

		return true
	}

	return false
}
