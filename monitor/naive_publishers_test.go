package monitor_test

import "time"

// hearing is what is known of publishers.
type hearing struct {
	publishers map[string]*naivePublisher
	last       time.Time // when a batch that was news came last
	since      time.Time // until when nothing may have come because this side was away
	watermark  int64     // the latest that a batch of a forgotten publisher was made, in Unix milliseconds
}

type naivePublisher struct {
	number   int64
	lastWord time.Time
	made     int64 // the latest that a batch of it was, by its own clock, in Unix milliseconds
}

// batch takes a batch of digests unless it was taken before. Of a publisher that is
// not known it is refused where it may have been: where one that is forgotten made a
// batch as late.
func (n *naive) batch(now time.Time, publisher string, number int64, closed bool, digests []*observed) {
	h := &n.heard
	p := h.publishers[publisher]
	if p != nil && number <= p.number {
		n.counters.Duplicates += int64(len(digests))
		return
	}
	if p == nil && closed && len(digests) == 0 {
		return // a farewell of somebody unknown
	}
	made := madeAt(now, digests)
	isRefused := p == nil && made != 0 && made <= h.watermark
	if p == nil {
		p = &naivePublisher{number: number - 1}
		h.publishers[publisher] = p
	}
	n.counters.Gaps += number - p.number - 1
	if now.Sub(h.last) > 24*time.Hour {
		h.since = now // nobody was heard for so long: it may have been our ear
	}
	h.last = now
	p.number, p.lastWord, p.made = number, now, max(p.made, made)
	h.forget(now)

	for _, digest := range digests {
		if isRefused || digest.events == 0 {
			n.counters.Rejected++
			continue
		}
		n.counters.Digests++
		n.observe(now, digest)
	}
}

// forget forgets who has been silent for 48 h: by then nobody redelivers.
func (h *hearing) forget(now time.Time) {
	for name, p := range h.publishers {
		from := p.lastWord
		if h.since.After(from) {
			from = h.since
		}
		if now.Sub(from) > 48*time.Hour {
			if p.made == 0 { // it has sent nothing
				p.made = p.lastWord.UnixMilli() + 1
			}
			h.watermark = max(h.watermark, p.made)
			delete(h.publishers, name)
		}
	}
}

// madeAt is when a batch was made: when the last of its digests ended, of those that
// are not ahead of the clock.
func madeAt(now time.Time, digests []*observed) (made int64) {
	for _, digest := range digests {
		if digest.until.Sub(now) <= 10*time.Minute {
			made = max(made, digest.until.UnixMilli())
		}
	}
	return made
}
