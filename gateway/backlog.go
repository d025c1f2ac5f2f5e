package gateway

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelvigil/modelvigil/hub"
)

const (
	// countEvery is how often the events of the hub's backlog are counted at most;
	// what is accepted in between is added to them.
	countEvery = 250 * time.Millisecond
	// overrun is by how many bytes of memory a request that was let in may take its
	// token's backlog beyond the bound, so that small ones are taken whole.
	overrun = 4 << 20
)

// party is a token at work: its account with the hub, and what the gateway has taken
// from it.
type party struct {
	account  *hub.Account
	name     string // of the token; empty where there are none
	accepted atomic.Int64
}

// parties are those of a hub, by name.
type parties struct {
	mu sync.Mutex
	by map[string]*party
}

func (p *parties) of(h *hub.Hub, name string) *party {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[string]*party{}
	}
	if p.by[name] == nil {
		p.by[name] = &party{account: h.Account(name), name: name}
	}
	return p.by[name]
}

// backlog holds what the hub has not made durable yet against its bounds: for all
// together, and for each token, which may have no more of it than is left for others.
type backlog struct {
	maxEvents, maxBytes int64

	mu       sync.Mutex
	counted  map[*party]counted
	all      int64 // events, of the last count
	at       time.Time
	counting atomic.Bool
}

// counted is what was known of a party when events were counted.
type counted struct{ pending, accepted int64 }

// check says why nothing more may be accepted from a party; nil if it may.
func (b *backlog) check(h *hub.Hub, from *party, all *parties, now time.Time) error {
	if err := b.room(h, from, 0); err != nil {
		return err
	}
	if err := b.events(from, all); err == nil && now.Sub(b.since()) < countEvery {
		return nil
	}

	if now.Sub(b.since()) >= countEvery && b.counting.CompareAndSwap(false, true) { // others go by the last count meanwhile
		b.count(h, all, now)
		b.counting.Store(false)
	}
	return b.events(from, all)
}

// room says why there is no more memory for what a party publishes. It is asked for
// each event: one body can open more digests than fit.
func (b *backlog) room(h *hub.Hub, from *party, more int64) error {
	taken := h.BacklogBytes()
	if taken < b.maxBytes+more && (from.name == "" || from.account.BacklogBytes() < b.maxBytes-taken+more) {
		return nil
	}
	return fmt.Errorf("what is not durable yet takes %d MiB of memory, of which %d are of this token, and %d may be, of which nobody may have more than is left",
		taken>>20, from.account.BacklogBytes()>>20, b.maxBytes>>20)
}

func (b *backlog) since() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

// events says why there is no room for more events.
func (b *backlog) events(from *party, all *parties) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	pending, own := b.all, int64(0)
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, p := range all.by {
		since := p.accepted.Load() - b.counted[p].accepted
		pending += since
		if p == from {
			own = b.counted[p].pending + since
		}
	}

	if pending < b.maxEvents && (from.name == "" || own < b.maxEvents-pending) {
		return nil
	}

	return fmt.Errorf("%d events are not durable yet, of which %d are of this token, and %d may be, of which nobody may have more than is left", pending, own, b.maxEvents)
}

func (b *backlog) count(h *hub.Hub, all *parties, now time.Time) {
	before := map[*party]counted{}
	all.mu.Lock()
	for _, p := range all.by {
		before[p] = counted{accepted: p.accepted.Load()} // first: what is accepted meanwhile may count twice, never not at all
	}
	all.mu.Unlock()
	backlog, events := h.Backlogs()
	for p, c := range before {
		c.pending = events[p.account]
		before[p] = c
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.counted = before
	b.all = backlog.Events
	b.at = now
}
