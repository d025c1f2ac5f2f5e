// Package publisher remembers who has published batches, to tell redeliveries from news.
package publisher

import (
	linked "container/list"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
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

// Known is what a monitor's state has of those that publish.
type Known struct {
	Publishers map[string]*Publisher `json:"publishers,omitempty"`
	Hearing    Hearing               `json:"hearing,omitzero"`
}

// Publisher is what is remembered of one, to tell a redelivery from news.
type Publisher struct {
	Sequence int64 `json:"sequence"`
	// LastWord is when its last batch was handled. No two are the same: what is
	// handled at one instant is set apart by nanoseconds, so that the order stays.
	LastWord time.Time `json:"last_word"`
	Closed   bool      `json:"closed,omitempty"`
	Made     int64     `json:"made,omitempty"` // the latest that a batch of it was, see madeAt

	id    string          // its key in the state
	place *linked.Element // in the machine's roll
}

// Hearing is what the machine knows of the publishers that it has forgotten, and
// of its own ear.
type Hearing struct {
	Last  time.Time `json:"last,omitzero"`  // the last word of all
	Since time.Time `json:"since,omitzero"` // until when silence may have been an outage
	// Watermark is the latest that any batch of a forgotten publisher was made, in
	// Unix milliseconds. What an unknown publisher made until then may be a
	// redelivery of what was counted; what it made after it can't be.
	Watermark int64 `json:"watermark,omitempty"`
}

// Register remembers who has published.
type Register struct {
	known    *Known
	roll     *roll     // nil until one is heard
	forgetAt time.Time // no publisher has been silent for too long until then
	work     int64
}

// Open begins to remember in what is known.
func (t *Register) Open(known *Known) { *t = Register{known: known} }

// Work counts what was done so far, in steps of some nanoseconds.
func (t *Register) Work() int64 { return t.work }

// Sequence is the number of the last batch of a publisher that is remembered.
func (t *Register) Sequence(id string) (number int64, isKnown bool) {
	known := t.known.Publishers[id]
	if known == nil {
		return 0, false
	}
	return known.Sequence, true
}

// Refusal says why a batch can't be counted although its number is news. A
// publisher that is known, if only by a batch that was refused, has what follows
// counted: it numbers a batch only when the one before has its outcome.
func (t *Register) Refusal(batch *metric.Batch, now time.Time) error {
	made := madeAt(batch, now)
	if t.known.Publishers[batch.Publisher] != nil || made == 0 || made > t.known.Hearing.Watermark {
		return nil
	}
	text := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
	return fmt.Errorf("batch %d of publisher %q was made at %s, by its own clock; this monitor has forgotten publishers whose batches were made until %s, "+
		"so it may have counted this one before, and does not count it again; check the clock of the publisher, "+
		"and where more than %d come and go within two days, let them publish through one that stays, such as a gateway",
		batch.Sequence, batch.Publisher, text(made), text(t.known.Hearing.Watermark), maxPublishers)
}

// Hear remembers the publisher of a batch that is news, and forgets others for it. It
// returns how many batches are missing before this one.
func (t *Register) Hear(now time.Time, batch *metric.Batch) (gaps int64) {
	s := t.known
	known := s.Publishers[batch.Publisher]
	if now.Sub(s.Hearing.Last) > deafAfter {
		s.Hearing.Since = now
	}
	s.Hearing.Last = clock.Later(now, s.Hearing.Last.Add(1))
	if t.roll == nil {
		t.roll = newRoll(s)
	}
	if known == nil {
		known = &Publisher{id: batch.Publisher}
		if s.Publishers == nil {
			s.Publishers = map[string]*Publisher{}
		}
		s.Publishers[known.id] = known
	} else {
		gaps = batch.Sequence - known.Sequence - 1
		t.roll.remove(known)
	}

	known.Sequence = batch.Sequence
	known.Closed = batch.Closed
	known.LastWord = s.Hearing.Last
	known.Made = max(known.Made, madeAt(batch, now))
	t.roll.add(known)

	if now.After(t.forgetAt) { // or it is not known yet
		t.forgetSilent(now)
	}
	for len(s.Publishers) > maxPublishers {
		t.forget(t.roll.first())
	}

	return gaps
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
func (t *Register) forgetSilent(now time.Time) {
	t.forgetAt = now.Add(publisherMemory)
	for _, known := range t.known.Publishers {
		until := clock.Later(known.LastWord, t.known.Hearing.Since).Add(publisherMemory)
		if now.After(until) {
			t.forget(known)
			continue
		}
		t.forgetAt = clock.Earlier(t.forgetAt, until)
	}
	t.work += int64(len(t.known.Publishers))
}

func (t *Register) forget(known *Publisher) {
	t.roll.remove(known)
	t.known.forget(known)
}

// Forget forgets until at most so many are left.
func (k *Known) Forget(most int) {
	for _, known := range k.inOrder()[:max(0, len(k.Publishers)-most)] {
		k.forget(known)
	}
}

// forget forgets one, but for when its batches were made.
func (k *Known) forget(known *Publisher) {
	made := known.Made
	if made == 0 { // written by a worker that did not note it
		made = known.LastWord.UnixMilli() + 1
	}
	k.Hearing.Watermark = max(k.Hearing.Watermark, made)
	delete(k.Publishers, known.id)
}
