package hub

import (
	"math"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
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
	grids    []grid
	cooldown time.Time // the end of the one last learnt; zero if there was none
}

// grid are the periods that some rules have alike.
type grid struct {
	calendar.Periods
	like   alike
	grace  time.Duration // the smallest of the rules
	judged time.Duration // and the largest
}

// alike is what rules have alike whose periods begin together.
type alike struct {
	period, offset metric.Optional[policy.Duration]
	zone           string
	arrival        bool // by when events are published, not by their timestamps
}

func newPeriods(g contract.Guidance) *periods {
	p := &periods{cooldown: g.CooldownUntil}
	for i := range g.Rules {
		r := &g.Rules[i]
		if r.PeriodLength() < time.Second {
			continue
		}

		like := alike{r.Period, r.Offset, r.Zone, r.Time == policy.TimeOfArrival}
		if i := slices.IndexFunc(p.grids, func(s grid) bool { return s.like == like }); i >= 0 {
			known := &p.grids[i]
			known.grace = min(known.grace, r.GraceLength())
			known.judged = max(known.judged, r.GraceLength())
			continue
		}

		p.grids = append(p.grids, grid{r.Periods(g.Zones), like, r.GraceLength(), r.GraceLength()})
	}

	return p
}

// end is the end of the period that an instant is in.
func (s *grid) end(at time.Time) time.Time { return time.Unix(s.End(s.Of(at)), 0) }

// around returns the seconds that lie in the same period as one does, of every
// length by timestamp; until is exclusive.
func (p *periods) around(second int64) (from, until int64) {
	from = math.MinInt64
	until = math.MaxInt64
	for i := range p.grids {
		if s := &p.grids[i]; !s.like.arrival {
			start := s.Of(time.Unix(second, 0))
			from = max(from, start)
			until = min(until, s.End(start))
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
	for i := range p.grids {
		if s := &p.grids[i]; s.like.arrival {
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
	for i := range p.grids {
		s := &p.grids[i]
		at := last
		if s.like.arrival {
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
	for i := range p.grids {
		s := &p.grids[i]
		x, y := s.Of(s.instant(a)), s.Of(s.instant(b))
		switch later := time.Unix(s.End(max(x, y)), 0).Add(s.judged + settledAfter); {
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
func (s *grid) instant(d *metric.Digest) time.Time {
	switch {
	case !s.like.arrival:
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
