package gateway

import (
	"fmt"
	"sync"
	"time"

	"github.com/modelvigil/modelvigil/hub"
)

// countEvery is how often the hub's backlog is counted at most; what is accepted
// in between is added to it.
const countEvery = 250 * time.Millisecond

// backlog holds what the hub has not made durable yet against its bounds.
type backlog struct {
	maxEvents, maxDigests int64

	mu       sync.Mutex
	counted  hub.Backlog
	accepted int64 // by the gateway until then
	at       time.Time
}

// check says why nothing more may be accepted; nil if it may. accepted is what the
// gateway has accepted until now. Requests that are let in at once may go beyond
// the bounds by what they hold.
func (b *backlog) check(h *hub.Hub, accepted int64, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := accepted - b.accepted
	over := func() error {
		switch events := b.counted.Events + since; {
		case events >= b.maxEvents:
			return fmt.Errorf("%d events are not durable yet, and %d may be", events, b.maxEvents)
		case b.counted.Digests >= b.maxDigests:
			return fmt.Errorf("%d digests are not durable yet, and %d may be", b.counted.Digests, b.maxDigests)
		}
		return nil
	}
	if err := over(); err == nil && now.Sub(b.at) < countEvery {
		return nil
	}
	if now.Sub(b.at) >= countEvery {
		b.counted, b.accepted, b.at, since = h.Backlog(), accepted, now, 0
	}
	return over()
}
