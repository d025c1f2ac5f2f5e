package hub

import (
	"context"

	"github.com/modelvigil/modelvigil/metric"
)

// Receipt publishes the events of one caller and tells when they are durable:
// just these, whatever else goes through the hub. It is for one goroutine.
type Receipt struct {
	hub     *Hub
	account *Account
	parts   map[string]*receiptPart // by model
}

type receiptPart struct {
	pipe   *pipe
	events int64 // published by this receipt
	before int64 // lost by the pipe until then
}

// NewReceipt returns a receipt without events.
func (h *Hub) NewReceipt() *Receipt {
	return h.own.NewReceipt()
}

// Publish is Hub.Publish.
func (r *Receipt) Publish(ctx context.Context, event metric.Event) error {
	part := r.parts[event.ModelName]
	var before int64
	if part == nil { // read first, for a refusal can be as fast as this
		if known := r.hub.models.get(event.ModelName); known != nil {
			before = known.lost()
		}
	}

	p, err := r.hub.publish(ctx, r.account, &event)
	if p == nil {
		return err
	}

	if part == nil {
		part = &receiptPart{pipe: p, before: before}
		r.parts[p.model] = part
	}
	if part.pipe != p { // the model was forgotten in between, when all was durable
		part.pipe = p
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

	var missing shortfall
	for p, err := range settle(pipes, func(p *pipe) error { return p.flush(ctx) }) {
		part := r.parts[p.model]
		m := p.missing(part.before, err)
		m.events = min(m.events, part.events)
		missing.add(p.model, m)
	}

	return missing.err()
}
