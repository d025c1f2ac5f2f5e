package hub

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/modelvigil/modelvigil/monitor"
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
func (r *Receipt) Publish(ctx context.Context, event monitor.MetricEvent) error {
	part := r.parts[event.ModelName]
	var before int64
	if part == nil { // read first, for a refusal can be as fast as this
		if known := r.hub.models.get(event.ModelName); known != nil {
			before, _ = known.losses()
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
		part.pipe, part.before = p, 0
	}
	part.events++
	return err
}

// Flush returns when all that was published by this receipt is durable. When some
// of it is not, by the time ctx ends or because a monitor refused it, the error is
// a *NotDurableError. An event may be named that is durable, where a monitor has
// refused others of its model meanwhile; never the other way round.
func (r *Receipt) Flush(ctx context.Context) error {
	type result struct {
		part *receiptPart
		err  error
	}
	results := make(chan result, len(r.parts))
	for _, part := range r.parts {
		go func() { results <- result{part, part.pipe.flush(ctx)} }()
	}
	missing, causes := map[string]int64{}, map[string]error{}
	for range r.parts {
		done := <-results
		p := done.part.pipe
		lost, why := p.losses()
		count := lost - done.part.before
		if done.err != nil {
			count, why = count+p.pending(), done.err
		}
		if count = min(count, done.part.events); count > 0 {
			missing[p.model] = count
			causes[why.Error()] = why
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return notDurable(errors.Join(slices.Collect(maps.Values(causes))...), missing)
}
