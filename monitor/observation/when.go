package observation

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/policy"
)

// When is the time of an observation: of its events, and of their folding.
type When struct {
	First, Last             time.Time // the earliest and the latest event's timestamp
	FoldedFrom, FoldedUntil time.Time // by the publisher's clock; the end is exclusive
}

// longestDelivery is how long before it is handled an observation may have been
// folded, by its publisher's clock. A hub delivers one for up to a day, and after it
// another's worker may have been away; what claims to be older comes from a clock that
// is wrong, and says nothing of when it was.
const longestDelivery = 48 * time.Hour

// EndsBefore says that all of an observation handled at now was folded before an
// instant. The end of folding is exclusive, so a digest that was cut at the very
// instant was folded before it; a single event handled then was not.
func (w *When) EndsBefore(instant, now time.Time) bool {
	if now.Before(instant) { // even where the publisher's clock is ahead
		return true
	}
	if now.Sub(w.FoldedUntil) > longestDelivery {
		return false
	}
	return w.FoldedUntil.Before(instant) || w.FoldedUntil.Equal(instant) && w.FoldedFrom.Before(instant)
}

// Instant is what puts an observation into its period. One that is ahead of the
// clock goes to the next period at most.
func (w *When) Instant(r *policy.Rule, now time.Time) time.Time {
	at := w.Last
	if r.Time == policy.TimeOfArrival {
		at = w.FoldedUntil
		if w.FoldedFrom.Before(at) {
			at = at.Add(-1) // the end of folding is exclusive
		}
	}
	if !at.After(now) { // nearly always, and quicker said
		return at
	}

	return clock.Earlier(at, now.Add(r.PeriodLength()))
}

// Began is when an observation began, by what puts it into its period.
func (w *When) Began(r *policy.Rule, now time.Time) time.Time {
	if r.Time == policy.TimeOfArrival {
		return clock.Earlier(w.FoldedFrom, now)
	}
	return clock.Earlier(w.First, now)
}

// BeganBefore says that part of an observation was in a period before the one that
// begins at start.
func (w *When) BeganBefore(r *policy.Rule, start int64) bool {
	first := w.First
	if r.Time == policy.TimeOfArrival {
		first = w.FoldedFrom
	}
	return first.Before(time.Unix(start, 0))
}
