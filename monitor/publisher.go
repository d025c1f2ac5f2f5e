package monitor

import (
	linked "container/list"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

const (
	// publisherMemory is how long a publisher is remembered after its last word,
	// closed or not. A hub gives a batch of unknown outcome up after half of it.
	publisherMemory = 48 * time.Hour
	// deafAfter is how long nothing may come from any publisher before that is taken
	// for an outage of this side: what they sent meanwhile comes all at once, late,
	// and the silence of those that come last in it says nothing about them.
	deafAfter = publisherMemory / 2
	// maxPublishers bounds the table; about 160 bytes each in the state.
	maxPublishers = 1000
)

// publisher is what the machine remembers of one, to tell a redelivery from news.
type publisher struct {
	Sequence int64 `json:"sequence"`
	// LastWord is when its last batch was handled. No two are the same: what is
	// handled at one instant is set apart by nanoseconds, so that the order stays.
	LastWord time.Time `json:"last_word"`
	Closed   bool      `json:"closed,omitempty"`
	Made     int64     `json:"made,omitempty"` // the latest that a batch of it was, see Batch.made

	id    string          // its key in the state
	place *linked.Element // in the machine's roll
}

// hearing is what the machine knows of the publishers that it has forgotten, and
// of its own ear.
type hearing struct {
	Last  time.Time `json:"last,omitzero"`  // the last word of all
	Since time.Time `json:"since,omitzero"` // until when silence may have been an outage
	// Watermark is the latest that any batch of a forgotten publisher was made, in
	// Unix milliseconds. What an unknown publisher made until then may be a
	// redelivery of what was counted; what it made after it can't be.
	Watermark int64 `json:"watermark,omitempty"`
}

// ObserveBatch takes a batch: drops it when its number is not above the
// publisher's last, else observes its digests one by one. Where its publisher may
// have been forgotten since it was counted, each of its digests is rejected.
func (m *Machine) ObserveBatch(now time.Time, batch *metric.Batch) {
	now = m.clock(now)
	if !m.isMine(now, contract.SignalMetricDigest, batch.ModelName) {
		return
	}
	known := m.state.Publishers[batch.Publisher]
	if known != nil && batch.Sequence <= known.Sequence {
		m.state.Counters.Duplicates += int64(len(batch.Digests))
		return
	}
	if known == nil && batch.Closed && len(batch.Digests) == 0 {
		return // the farewell of one that is forgotten: there is nothing to count twice
	}

	forgotten := m.state.refusal(batch, known, now)
	m.hear(now, batch, known)
	m.observeDigests(now, batch.Digests, forgotten)
}

// observeDigests observes the valid ones of a batch's digests, and refuses the others;
// all of them, where forgotten says that they may have been counted before.
func (m *Machine) observeDigests(now time.Time, digests []*metric.Digest, forgotten error) {
	m.standing.seen = nil
	refused := refusals{source: contract.SignalMetricDigest}
	for i, digest := range digests {
		m.breathe()
		if forgotten != nil || !digest.IsValid(now) {
			refused.add(elementPath(i), nil)
			continue
		}

		m.state.Counters.Digests++
		if m.OnDigest != nil {
			m.OnDigest(now, digest)
		}
		m.observe(now, m.ofDigest(digest))
	}

	m.refuse(now, &refused, func(r refusedElement) error {
		if forgotten != nil {
			return forgotten
		}
		return strict.At("digests"+r.path.String(), digests[r.path].Validate(now))
	})
}

// refusal says why a batch can't be counted although its number is news. A
// publisher that is known, if only by a batch that was refused, has what follows
// counted: it numbers a batch only when the one before has its outcome.
func (s *State) refusal(batch *metric.Batch, known *publisher, now time.Time) error {
	made := madeAt(batch, now)
	if known != nil || made == 0 || made > s.Hearing.Watermark {
		return nil
	}
	text := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
	return fmt.Errorf("batch %d of publisher %q was made at %s, by its own clock; this monitor has forgotten publishers whose batches were made until %s, "+
		"so it may have counted this one before, and does not count it again; check the clock of the publisher, "+
		"and where more than %d come and go within two days, let them publish through one that stays, such as a gateway",
		batch.Sequence, batch.Publisher, text(made), text(s.Hearing.Watermark), maxPublishers)
}

// hear remembers the publisher of a batch that is news, and forgets others for it.
func (m *Machine) hear(now time.Time, batch *metric.Batch, known *publisher) {
	s := &m.state
	if now.Sub(s.Hearing.Last) > deafAfter {
		s.Hearing.Since = now
	}
	s.Hearing.Last = clock.Later(now, s.Hearing.Last.Add(1))
	if m.roll == nil {
		m.roll = newRoll(s)
	}
	if known == nil {
		known = &publisher{id: batch.Publisher}
		if s.Publishers == nil {
			s.Publishers = map[string]*publisher{}
		}
		s.Publishers[known.id] = known
	} else {
		s.Counters.Gaps += batch.Sequence - known.Sequence - 1
		m.roll.remove(known)
	}

	known.Sequence = batch.Sequence
	known.Closed = batch.Closed
	known.LastWord = s.Hearing.Last
	known.Made = max(known.Made, madeAt(batch, now))
	m.roll.add(known)

	if now.After(m.forgetAt) { // or it is not known yet
		m.forgetSilent(now)
	}
	for len(s.Publishers) > maxPublishers {
		m.forgetPublisher(m.roll.first())
	}
}

// madeAt is when a batch was made, by its publisher's clock: the latest instant at
// which folding ended, in Unix milliseconds. It is 0 where no digest has one that is
// not ahead of the clock: such digests are never counted, and must not carry the
// watermark along.
func madeAt(b *metric.Batch, now time.Time) (latest int64) {
	for _, digest := range b.Digests {
		if until := digest.FoldedUntil; !until.IsZero() && metric.CheckTime(until, now) == nil {
			latest = max(latest, until.UnixMilli())
		}
	}
	return latest
}

// forgetSilent forgets those that have been silent for longer than they need to
// be remembered.
func (m *Machine) forgetSilent(now time.Time) {
	m.forgetAt = now.Add(publisherMemory)
	for _, known := range m.state.Publishers {
		until := clock.Later(known.LastWord, m.state.Hearing.Since).Add(publisherMemory)
		if now.After(until) {
			m.forgetPublisher(known)
			continue
		}
		m.forgetAt = clock.Earlier(m.forgetAt, until)
	}
	m.work += int64(len(m.state.Publishers))
}

func (m *Machine) forgetPublisher(known *publisher) {
	m.roll.remove(known)
	m.state.forgetPublisher(known)
}

// forgetPublishers forgets until at most so many are left.
func (s *State) forgetPublishers(most int) {
	for _, known := range s.publishersInOrder()[:max(0, len(s.Publishers)-most)] {
		s.forgetPublisher(known)
	}
}

// forgetPublisher forgets one, but for when its batches were made.
func (s *State) forgetPublisher(known *publisher) {
	made := known.Made
	if made == 0 { // written by a worker that did not note it
		made = known.LastWord.UnixMilli() + 1
	}
	s.Hearing.Watermark = max(s.Hearing.Watermark, made)
	delete(s.Publishers, known.id)
}
