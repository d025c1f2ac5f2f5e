package hub

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// Backlog is what a hub holds that is not durable yet.
type Backlog struct {
	Events int64
	Bytes  int64 // of memory, at most
}

// Backlog counts what a hub holds. It looks at every model that was published to
// lately, at a microsecond or less each.
func (h *Hub) Backlog() Backlog {
	b, _ := h.Backlogs()
	return b
}

// Backlogs is Backlog, and what of it is on which account.
func (h *Hub) Backlogs() (all Backlog, events map[*Account]int64) {
	events = map[*Account]int64{}
	for p := range h.models.All() {
		pending := p.pending()
		all.Events += pending
		events[p.account] += pending
	}
	all.Bytes = h.BacklogBytes()
	return all, events
}

// pending counts the events that are not durable yet.
func (p *pipe) pending() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unsettled()
}

// unsettled is pending. p.mu is held.
func (p *pipe) unsettled() int64 {
	events := p.fold.pending()
	for _, parcel := range p.waiting {
		events += parcel.Events
	}
	if p.batch != nil {
		events += eventsIn(p.batch.Digests)
	}
	return events
}

// pending counts the events that are folded and not cut.
func (f *fold) pending() (events int64) {
	f.eachOpen(func(a *accumulator) { events += a.events })
	return events
}

// since is when the oldest event was folded that is not cut; zero if there is none.
func (f *fold) since() (since time.Time) {
	f.eachOpen(func(a *accumulator) { since = earliest(since, a.since) })
	return since
}

// published counts the events folded since the hub began.
func (f *fold) published() (events int64) {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		events += s.published
		s.mu.Unlock()
	}
	return events
}

// What the parts of a backlog take of memory beside the digests of further metrics.
// TestABacklogTakesNoMoreThanIsCounted measures them.
const (
	accumulatorBytes = 3200
	digestBytes      = 600
)

// bytesOf is how much memory a digest takes.
func bytesOf(d *metric.Digest) (bytes int64) {
	bytes = digestBytes
	for _, metric := range d.Metrics {
		bytes += int64(metric.Bytes())
	}
	for _, values := range d.Categories {
		bytes += int64(values.Bytes())
	}
	return bytes
}
