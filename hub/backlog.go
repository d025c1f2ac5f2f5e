package hub

import "time"

// Backlog is what a hub holds that is not durable yet.
type Backlog struct {
	Events int64
	// Digests are what these events are folded into, and so the memory that they
	// take: some 4 KiB each. What each core folds by itself counts as one.
	Digests int64
}

// Backlog counts. It looks at every model that was ever published to, at a
// microsecond or less each.
func (h *Hub) Backlog() (b Backlog) {
	for _, p := range *h.pipes.Load() {
		of := p.backlog()
		b.Events += of.Events
		b.Digests += of.Digests
	}
	return b
}

func (p *pipe) backlog() Backlog {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held()
}

// held is what the pipe holds that is not durable yet. p.mu is held.
func (p *pipe) held() Backlog {
	b := p.fold.backlog()
	for _, parcel := range p.waiting {
		b.Events += parcel.digest.Events
	}
	b.Digests += int64(len(p.waiting))
	if p.batch != nil {
		b.Events += eventsIn(p.batch.Digests)
		b.Digests += int64(len(p.batch.Digests))
	}
	return b
}

// backlog is what is folded and not cut.
func (f *fold) backlog() (b Backlog) {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		for _, a := range s.accumulators {
			b.Events += a.events
		}
		b.Digests += int64(len(s.accumulators))
		s.mu.Unlock()
	}
	return b
}

// pending counts the events that are not durable yet.
func (p *pipe) pending() int64 { return p.backlog().Events }

// since is when the oldest event was folded that is not cut; zero if there is none.
func (f *fold) since() (since time.Time) {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		for _, a := range s.accumulators {
			if a.events > 0 {
				since = earliest(since, a.since)
			}
		}
		s.mu.Unlock()
	}
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
