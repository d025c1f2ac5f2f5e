package hub

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/modelvigil/modelvigil/hub/internal/loss"
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

	bytes   atomic.Int64  // bytes that its models' backlog takes
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

// BacklogBytes is how many bytes of memory the backlog of the account's models takes.
func (a *Account) BacklogBytes() int64 { return a.bytes.Load() }

// BacklogBytes is how many bytes of memory the backlog of all models takes. It costs next to
// nothing, and may be asked for every event.
func (h *Hub) BacklogBytes() int64 { return h.bytes.Load() }

// hold counts that the backlog takes so many bytes more, or less.
func (a *Account) hold(bytes int64) {
	if bytes != 0 {
		a.bytes.Add(bytes)
		a.hub.bytes.Add(bytes)
	}
}

// Receipt publishes the events of one caller and tells when they are durable:
// just these, whatever else goes through the hub. It is for one goroutine.
type Receipt struct {
	hub     *Hub
	account *Account
	parts   map[string]*receiptPart // by model
}

type receiptPart struct {
	pipe   *pipe
	events int64       // published to it by this receipt
	before int64       // lost by the pipe until then
	past   loss.Missed // of what was published to pipes before it
}

// missing are the receipt's events in the pipe that are not durable, given how a wait for
// them ended.
func (part *receiptPart) missing(waiting error) loss.Missed {
	m := part.pipe.missing(part.before, waiting)
	m.Events = min(m.Events, part.events)
	return m
}

// NewReceipt returns a receipt without events.
func (h *Hub) NewReceipt() *Receipt {
	return h.own.NewReceipt()
}

// Has says whether the receipt holds events of a model.
func (r *Receipt) Has(model string) bool { return r.parts[model] != nil }

// Publish is Hub.Publish.
func (r *Receipt) Publish(ctx context.Context, event metric.Event) error {
	part := r.parts[event.ModelName]
	var known *pipe
	var before loss.Losses
	if part == nil { // read first, for a refusal can be as fast as this
		known = r.hub.models.Get(event.ModelName)
		if known != nil {
			before = known.lost()
		}
	}

	p, err := r.hub.publish(ctx, r.account, &event)
	if p == nil {
		return err
	}

	switch {
	case part == nil:
		part = &receiptPart{pipe: p}
		if known == p {
			part.before = before.Total()
		}
		r.parts[p.model] = part
	case part.pipe != p: // the model was forgotten in between
		part.past.Join(part.missing(nil))
		part.pipe = p
		part.events = 0
		part.before = 0
	}

	part.events++
	return err
}

// Flush returns when all that was published by this receipt is durable. When some
// of it is not, by the time ctx ends or the hub is closed, or because a monitor
// refused it, the error is a *NotDurableError; it is told again by each Flush of the
// receipt. An event may be named that is durable, where others of its model are not;
// never the other way round. On a closed hub it waits for nothing, as Hub.Flush.
func (r *Receipt) Flush(ctx context.Context) error {
	pipes := make([]*pipe, 0, len(r.parts))
	for _, part := range r.parts {
		pipes = append(pipes, part.pipe)
	}

	var missing loss.Shortfall
	for p, err := range settle(ctx, pipes, (*pipe).flush) {
		part := r.parts[p.model]
		missing.Add(p.model, part.past)
		missing.Add(p.model, part.missing(err))
	}

	return notDurable(&missing)
}
