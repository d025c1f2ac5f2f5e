package certify

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// pool is what is resampled: the recording's readings on a circle of whole seasons,
// without what is left out.
type pool struct {
	modelName string
	readings  []placed
	begins    time.Time     // of the recording, at the beginning of a granule
	length    time.Duration // of the circle: whole seasons
	season    time.Duration // blocks keep their place in it
	granule   time.Duration // blocks are as long as several of these
	block     time.Duration // their mean length
}

// placed is an event at its place on the circle.
type placed struct {
	at     time.Duration
	event  *metric.Event
	digest *metric.Digest // in place of an event: those of a granule, at the last of them
}

const (
	day  = 24 * time.Hour
	week = 7 * day
	// A season must have been seen so often that resamples can be unlike each other.
	minDays  = 14
	minWeeks = 8
)

// newPool makes the pool of a model's recording, for a policy.
func newPool(model *Model, wanted policy.Policy, options *Options) (*pool, error) {
	const fewest = 10
	p := &pool{modelName: model.Name}
	events := keep(model.Events, options.Drifts)
	if len(events) < fewest || !events[0].Timestamp.Before(events[len(events)-1].Timestamp) {
		return nil, errTooShort
	}

	p.granule = granuleOf(wanted, events)
	first := events[0].Timestamp
	p.begins = first.Add(-(time.Duration(first.UnixNano()) % p.granule))
	p.place(events, options.Drifts)
	p.season = p.seasonOf(wanted)
	seasons := max(1, p.length/p.season)
	p.length = seasons * p.season
	p.readings = p.readings[:sort.Search(len(p.readings), func(i int) bool { return p.readings[i].at >= p.length })]
	if len(p.readings) < fewest {
		return nil, errTooShort
	}

	p.block = options.Block
	if p.block == 0 {
		p.block = p.blockOf(wanted)
	}
	return p, nil
}

// keep leaves drifts out: each until its end or, where it has none, until another version
// than the one that had it.
func keep(events []metric.Event, drifts []backtest.Drift) []*metric.Event {
	kept := make([]*metric.Event, 0, len(events))
	next, isLeftOut, drifted := 0, false, ""
	until := time.Time{} // of what is left out up to an instant
	for i := range events {
		e := &events[i]
		for next < len(drifts) && !e.Timestamp.Before(drifts[next].At) {
			if end := drifts[next].Until; !end.IsZero() {
				until = clock.Later(until, end)
			} else {
				isLeftOut = true
				drifted = e.ModelVersion
			}
			next++
		}

		if isLeftOut && e.ModelVersion != drifted {
			isLeftOut = false
		}
		if !until.IsZero() && !e.Timestamp.After(until) {
			continue
		}
		if !isLeftOut {
			kept = append(kept, e)
		}
	}
	return kept
}

// granuleOf is what blocks are made of: the longest period of the rules, so that a
// datapoint is of one block; without any, the usual distance between two events.
func granuleOf(wanted policy.Policy, events []*metric.Event) time.Duration {
	longest := time.Duration(0)
	for i := range wanted.Rules {
		longest = max(longest, wanted.Rules[i].PeriodLength())
	}
	if longest > 0 {
		return longest
	}

	gaps := make([]time.Duration, 0, len(events)-1)
	for i := 1; i < len(events); i++ {
		if gap := events[i].Timestamp.Sub(events[i-1].Timestamp); gap > 0 {
			gaps = append(gaps, gap)
		}
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// place puts events onto the circle. What is left out, or was silent for a very long
// time, leaves no hole: whole granules are taken out.
func (p *pool) place(events []*metric.Event, drifts []backtest.Drift) {
	hole := time.Duration(0)
	last := p.begins
	for _, e := range events {
		at := e.Timestamp.Sub(p.begins)
		if gap := e.Timestamp.Sub(last); gap > p.unit() && isBetween(drifts, last, e.Timestamp) {
			hole += gap / p.unit() * p.unit()
		}
		last = e.Timestamp
		p.readings = append(p.readings, placed{at: at - hole, event: e})
	}

	p.length = (p.readings[len(p.readings)-1].at/p.granule + 1) * p.granule
}

// unit is what holes are whole numbers of: granules and, if that can be, days.
func (p *pool) unit() time.Duration {
	if p.granule < day && day%p.granule == 0 {
		return day
	}
	return p.granule
}

func isBetween(drifts []backtest.Drift, from, until time.Time) bool {
	return slices.ContainsFunc(drifts, func(d backtest.Drift) bool { return d.At.After(from) && !d.At.After(until) })
}

// seasonOf is what blocks keep their time of: the week where a rule has a season of
// weeks or the recording shows one, else the day, where there are enough of them;
// else a granule, which is no season.
func (p *pool) seasonOf(wanted policy.Policy) time.Duration {
	weekly := false
	for i := range wanted.Rules {
		if b := wanted.Rules[i].Baseline; b != nil && time.Duration(b.Season.Or(0)) > day {
			weekly = true
		}
	}

	switch {
	case week%p.granule == 0 && p.length >= minWeeks*week && (weekly || p.hasWeeks(wanted)):
		return week
	case day%p.granule == 0 && p.length >= minDays*day:
		return day
	}
	return p.granule
}

// measuresAny says that the recording has readings that a policy judges.
func (p *pool) measuresAny(wanted policy.Policy) bool {
	const looked = 10_000
	step := max(1, len(p.readings)/looked)
	for i := 0; i < len(p.readings); i += step {
		for j := range wanted.Rules {
			if _, measured := p.readings[i].event.Reading(wanted.Rules[j].Metric); measured {
				return true
			}
		}
	}
	return false
}

// walk makes a resample of a length and hands out those of its readings that are
// among some, in order: which of the pool's, and when, from the resample's beginning.
// It ends early where it is told to.
func (p *pool) walk(random *rand.Rand, length time.Duration, among []placed, visit func(reading *placed, at time.Duration) bool) {
	seasons := int64(p.length / p.season)
	more := 1 - float64(p.granule)/float64(max(p.block, p.granule)) // the chance that a block goes on
	for at := time.Duration(0); at < length; {
		granules := 1 + time.Duration(geometric(random, more))
		block := min(granules*p.granule, length-at)
		from := at%p.season + time.Duration(random.Int64N(seasons))*p.season
		for block > 0 { // over the circle's end, it may be
			part := min(block, p.length-from)
			i := sort.Search(len(among), func(i int) bool { return among[i].at >= from })
			for ; i < len(among) && among[i].at < from+part; i++ {
				if !visit(&among[i], at+among[i].at-from) {
					return
				}
			}
			at += part
			block -= part
			from = 0
		}
	}
}

// geometric is how often something of a chance happens in a row.
func geometric(random *rand.Rand, chance float64) float64 {
	if chance <= 0 {
		return 0
	}
	return min(math.Floor(math.Log(1-random.Float64())/math.Log(chance)), 1e6)
}
