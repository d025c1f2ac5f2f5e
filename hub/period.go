package hub

import (
	"math"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	// lastCall is how long before a grace ends those that came late are handed
	// over at the latest, or half the grace where that is shorter.
	lastCall = 5 * time.Second
	// settledAfter is how long after its grace a period is over for any clock.
	settledAfter = time.Minute
)

// periods are what the rules of a monitor put events into, and the end of its
// cooldown: what digests must not cross. They are never changed.
type periods struct {
	spans    []span
	cooldown time.Time // the end of the one last learnt; zero if there was none
}

// span is one length of periods, aligned to the Unix epoch or to an offset after it.
type span struct {
	seconds int64
	offset  int64         // seconds
	arrival bool          // by when events are published, not by their timestamps
	grace   time.Duration // the smallest of its rules
	judged  time.Duration // and the largest
}

func newPeriods(g contract.Guidance) *periods {
	p := &periods{cooldown: g.CooldownUntil}
	for i := range g.Rules {
		r := &g.Rules[i]
		seconds := int64(r.PeriodLength() / time.Second)
		if seconds < 1 {
			continue
		}

		added := span{
			seconds: seconds, offset: int64(time.Duration(r.Offset.Or(0)) / time.Second), arrival: r.Time == policy.TimeOfArrival,
			grace: r.GraceLength(), judged: r.GraceLength(),
		}
		same := func(s span) bool {
			return s.seconds == added.seconds && s.offset == added.offset && s.arrival == added.arrival
		}
		if i := slices.IndexFunc(p.spans, same); i >= 0 {
			known := &p.spans[i]
			known.grace, known.judged = min(known.grace, added.grace), max(known.judged, added.judged)
			continue
		}

		p.spans = append(p.spans, added)
	}

	return p
}

// start is the beginning of the period that a second is in.
func (s *span) start(second int64) int64 {
	start := (second-s.offset)/s.seconds*s.seconds + s.offset
	if start > second { // before 1970
		start -= s.seconds
	}
	return start
}

// end is the end of the period that an instant is in.
func (s *span) end(at time.Time) time.Time { return time.Unix(s.start(at.Unix())+s.seconds, 0) }

// around returns the seconds that lie in the same period as one does, of every
// length by timestamp; until is exclusive.
func (p *periods) around(second int64) (from, until int64) {
	from = math.MinInt64
	until = math.MaxInt64
	for i := range p.spans {
		if s := &p.spans[i]; !s.arrival {
			start := s.start(second)
			from = max(from, start)
			until = min(until, start+s.seconds)
		}
	}
	return from, until
}

// boundaryAfter is the first instant after another at which folding must be cut:
// a period's end by arrival, or the cooldown's. It is zero when there is none.
func (p *periods) boundaryAfter(at time.Time) (boundary time.Time) {
	if at.Before(p.cooldown) {
		boundary = p.cooldown
	}
	for i := range p.spans {
		if s := &p.spans[i]; s.arrival {
			boundary = earliest(boundary, s.end(at))
		}
	}
	return boundary
}

// due is when what was folded since an instant, with its last timestamp, is to
// be handed over so that it is there before the graces of its periods end. share
// is the publisher's own, in [0,1), so that not all come at once. What came after
// that is called a second time shortly before the grace ends, and from then on
// goes as often as again says. It is zero when there is no hurry any more.
func (p *periods) due(since, last time.Time, share float64, again time.Time) (due time.Time) {
	for i := range p.spans {
		s := &p.spans[i]
		at := last
		if s.arrival {
			at = since
		}
		end := s.end(at)
		first := end.Add(time.Duration(share / 2 * float64(s.grace)))
		second := end.Add(s.grace - time.Duration((1+share)/2*float64(min(s.grace/2, lastCall))))
		switch {
		case since.Before(first):
			due = earliest(due, first)
		case since.Before(second):
			due = earliest(due, second)
		case since.Before(end.Add(s.grace)):
			due = earliest(due, again)
		}
	}

	return due
}

// The prices of merging two digests: nothing while the monitor would put both
// into the same periods.
const (
	settledPrice  = 1         // for each period that was judged long ago: both are late
	openPrice     = 1000      // for each other period
	cooldownPrice = 1_000_000 // what breached in cooldown would trigger after it
)

// price is what merging two digests of one kind costs.
func (p *periods) price(a, b *metric.Digest, now time.Time) (price int) {
	for i := range p.spans {
		s := &p.spans[i]
		x, y := s.start(s.instant(a).Unix()), s.start(s.instant(b).Unix())
		switch later := time.Unix(max(x, y)+s.seconds, 0).Add(s.judged + settledAfter); {
		case x == y:
		case later.Before(now):
			price += settledPrice
		default:
			price += openPrice
		}
	}

	if a.FoldedUntil.After(p.cooldown) != b.FoldedUntil.After(p.cooldown) {
		price += cooldownPrice
	}
	return price
}

// instant is what puts a digest into its period, as the monitor has it.
func (s *span) instant(d *metric.Digest) time.Time {
	switch {
	case !s.arrival:
		return d.Last
	case d.FoldedFrom.Before(d.FoldedUntil):
		return d.FoldedUntil.Add(-1) // the end of folding is exclusive
	}
	return d.FoldedUntil
}

// earliest is the earlier of two instants of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
