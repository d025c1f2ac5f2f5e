package hub

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/modelvigil/modelvigil/metric"
)

// Account is one of several parties that publish through one hub, such as the
// holders of a gateway's tokens. None of them can take from the others what all of
// them need: there is a share for each of the hub's models, of its signals and of its
// queries, and each one's backlog is counted by itself. A model is on the account of
// whoever published to it first.
type Account struct {
	hub  *Hub
	name string

	held    atomic.Int64  // bytes that its models' backlog takes
	queries chan struct{} // bounds its queries for guidance under way
	healthy *rate.Limiter // of its signals that are not urgent; under budget.mu
	active  int64         // when it last wanted to send, Unix seconds; under budget.mu
}

// accounts are those of a hub.
type accounts struct {
	mu sync.Mutex
	by map[string]*Account
}

// Account returns the account of a party. The one without a name is that of whoever
// publishes through the hub itself, and it has no bounds but the hub's.
func (h *Hub) Account(name string) *Account {
	h.accounts.mu.Lock()
	defer h.accounts.mu.Unlock()
	a := h.accounts.by[name]
	if a == nil {
		a = &Account{hub: h, name: name, queries: make(chan struct{}, maxQueries)}
		h.accounts.by[name] = a
	}
	return a
}

// Publish is Hub.Publish, on this account.
func (a *Account) Publish(ctx context.Context, event metric.Event) error {
	_, err := a.hub.publish(ctx, a, &event)
	return err
}

// NewReceipt is Hub.NewReceipt, on this account.
func (a *Account) NewReceipt() *Receipt {
	return &Receipt{hub: a.hub, account: a, parts: map[string]*receiptPart{}}
}

// Held is how many bytes of memory the backlog of the account's models takes.
func (a *Account) Held() int64 { return a.held.Load() }

// Held is how many bytes of memory the backlog of all models takes. It costs next to
// nothing, and may be asked for every event.
func (h *Hub) Held() int64 { return h.held.Load() }

// hold counts that the backlog takes so many bytes more, or less.
func (a *Account) hold(bytes int64) {
	if bytes != 0 {
		a.held.Add(bytes)
		a.hub.held.Add(bytes)
	}
}
