package hub

import (
	"math"
	"slices"
	"time"
)

const (
	// maxWaiting bounds the digests that are cut and wait for a batch while none of
	// a kind crosses a period's end or the cooldown's: beyond it they are merged.
	// While the server is away, those of periods judged long ago are merged too.
	maxWaiting = 8
	// maxApart bounds them whatever they cross, but for the first digest of each
	// version and the first of its late events: beyond it those are merged that
	// cross least. Each takes some 4 KiB.
	maxApart = 64
)

// parcel is a digest and the cut that it came from.
type parcel struct {
	folded
	cut   int64
	bytes int64 // that are counted for it
}

// put adds a digest to those that wait. p.mu is held.
func (p *pipe) put(added parcel, now time.Time) {
	added.bytes = bytesOf(added.Digest)
	p.account.hold(added.bytes)
	p.waiting = append(p.waiting, added)
	for len(p.waiting) > maxWaiting && p.mergeWaiting(now) {
	}
}

// mergeWaiting merges the two digests that wait and cost least together, the
// earliest where several do, if that is cheap enough. p.mu is held.
func (p *pipe) mergeWaiting(now time.Time) bool {
	limit, from := 0, len(p.waiting)-1    // the others were held against each other before
	if p.batch != nil && p.attempts > 0 { // the server is away
		limit = openPrice - 1
		from = 1
	}
	if len(p.waiting) > maxApart {
		limit = math.MaxInt
		from = 1
	}

	best, a, b := math.MaxInt, 0, 0
	for j := from; j < len(p.waiting) && best > 0; j++ {
		for i := 0; i < j && best > 0; i++ {
			x, y := p.waiting[i].Digest, p.waiting[j].Digest
			if x.ModelVersion != y.ModelVersion || x.Late != y.Late {
				continue
			}

			price := p.periods.price(x, y, now)
			if price < best && (p.waiting[i].part != p.waiting[j].part || !x.KeepsAll(y)) {
				price += openPrice
			}
			if price < best {
				best = price
				a = i
				b = j
			}
		}
	}

	if best == math.MaxInt || best > limit {
		return false
	}

	p.waiting[a].Merge(p.waiting[b].Digest)
	merged := bytesOf(p.waiting[a].Digest)
	p.account.hold(merged - p.waiting[a].bytes - p.waiting[b].bytes)
	p.waiting[a].bytes = merged
	p.waiting = slices.Delete(p.waiting, b, b+1)
	return true
}

// oldest is the oldest cut that is not settled. p.mu is held.
func (p *pipe) oldest() int64 {
	switch {
	case p.batch != nil:
		return p.batchCut
	case len(p.waiting) > 0:
		return p.waiting[0].cut
	}
	return math.MaxInt64
}

// due is when something that waits is to be handed over; zero if there is no
// hurry. p.mu is held.
func (p *pipe) due() (due time.Time) {
	for _, w := range p.waiting {
		since, last := w.FoldedFrom, w.Last
		due = earliest(due, p.periods.due(since, last, p.share, p.again()))
	}
	return due
}

// again is when the next batch goes that came too late for its period's other
// ones. p.mu is held.
func (p *pipe) again() time.Time {
	return p.lastSend.Add(p.guidance.UrgentPace())
}
