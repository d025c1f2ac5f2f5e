package monitor

import "time"

const (
	// publisherMemory is how long a publisher is remembered after its last word.
	// A hub gives a batch up after half of it, so no redelivery is counted twice.
	publisherMemory = 48 * time.Hour
	// closedMemory is how long a publisher that said it closed is remembered: a
	// copy of its last batch may still be on its way.
	closedMemory = time.Hour
	// maxPublishers bounds the table; about 80 bytes each in the state. The one
	// that was silent for longest goes first.
	maxPublishers = 1000
)

// publisher is what the machine remembers of one, to tell a redelivery from news.
type publisher struct {
	Sequence int64     `json:"sequence"`
	LastWord time.Time `json:"last_word"` // when its last batch was handled
	Closed   bool      `json:"closed,omitempty"`
}

// ObserveBatch takes a batch: drops it when its number is not above the
// publisher's last, else observes its digests one by one.
func (m *Machine) ObserveBatch(now time.Time, batch *Batch) {
	now = m.clock(now)
	if !m.isMine(now, SignalMetricDigest, batch.ModelName) {
		return
	}
	m.forgetPublishers(now)
	known := m.state.Publishers[batch.Publisher]
	switch {
	case known == nil:
		known = &publisher{}
		if m.state.Publishers == nil {
			m.state.Publishers = map[string]*publisher{}
		}
		m.state.Publishers[batch.Publisher] = known
	case batch.Sequence <= known.Sequence:
		m.state.Counters.Duplicates += int64(len(batch.Digests))
		return
	default:
		m.state.Counters.Gaps += batch.Sequence - known.Sequence - 1
	}
	known.Sequence, known.LastWord, known.Closed = batch.Sequence, now, batch.Closed
	dropOldest(m.state.Publishers, maxPublishers, func(p *publisher) time.Time { return p.LastWord })
	m.observeDigests(now, batch.Digests)
}

// observeDigests observes the valid ones of a batch's digests, and refuses the others.
func (m *Machine) observeDigests(now time.Time, digests []*Digest) {
	m.standing.seen = nil
	refused := refusals{source: SignalMetricDigest}
	for i, digest := range digests {
		m.breathe()
		if !digest.isValid(now) {
			refused.add(elementPath(i), nil)
			continue
		}
		m.state.Counters.Digests++
		if m.OnDigest != nil {
			m.OnDigest(now, digest)
		}
		m.observe(now, m.ofDigest(digest))
	}
	m.refuse(now, &refused, func(r refusal) error {
		return at("digests"+r.path.String(), digests[r.path].Validate(now))
	})
}

func (m *Machine) forgetPublishers(now time.Time) {
	for id, known := range m.state.Publishers {
		memory := publisherMemory
		if known.Closed {
			memory = closedMemory
		}
		if now.Sub(known.LastWord) > memory {
			delete(m.state.Publishers, id)
		}
	}
}
