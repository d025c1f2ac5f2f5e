package hub

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelvigil/modelvigil/hub/baseline"
	"github.com/modelvigil/modelvigil/metric"
)

const (
	// lateAfter is how long before the folding began an event must have been
	// measured to be folded apart, as late.
	lateAfter = time.Minute
	// maxVersions bounds the model versions that one model's events may name
	// between two sends, and so the memory of a hub whose server is away.
	maxVersions = 64
	// maxOpen bounds the compartments that are folded into at once, over all
	// shards. Beyond it, which takes late events of that many periods, an event is
	// folded into the nearest compartment of its version; only a version's first one,
	// and its first one of late events, open another. Each takes some 4 KiB a shard.
	maxOpen = 64
	// crowded is from how many on they are cut soon, so that maxOpen is not reached.
	crowded = maxOpen / 2
)

// fold gathers one model's events between two cuts. Publishers on different
// cores fold into different shards.
type fold struct {
	account *Account // that what is folded is counted on
	shards  []shard

	mu       sync.Mutex // taken inside a shard's, to open an accumulator
	periods  *periods
	wanted   *wanted
	wantedOf map[string]*wanted  // by version, of those heard of since the last send
	versions map[string]struct{} // heard of since the last send
	counts   baseline.Counts
	open     map[compartment]struct{} // since the last cut
}

// places gives each core a place of its own, nearly always: a sync.Pool keeps
// what was put last on the core that put it.
var (
	places    = sync.Pool{New: func() any { return &place{int(lastPlace.Add(1))} }}
	lastPlace atomic.Int32
)

type place struct{ number int }

// shard is one part of a fold. Its accumulators are few: one for each
// compartment that is open.
type shard struct {
	mu           sync.Mutex
	closed       bool
	lateBefore   int64 // the second that was lateAfter before the last cut
	accumulators []*accumulator
	published    int64    // events folded since the hub began
	_            [64]byte // keep shards on cache lines of their own
}

func newFold(of *Account, now time.Time) *fold {
	f := &fold{
		account: of, shards: make([]shard, runtime.GOMAXPROCS(0)), periods: &periods{},
		wanted: &wanted{everything: true}, wantedOf: map[string]*wanted{}, versions: map[string]struct{}{}, open: map[compartment]struct{}{},
	}
	for i := range f.shards {
		f.shards[i].lateBefore = now.Add(-lateAfter).Unix()
	}
	return f
}

// add folds an event, and says whether it opened an accumulator. It fails when the fold is
// closed, when the event is not valid, or when it names more versions, metrics or
// categories than fit: then the fold is as it was.
func (f *fold) add(event *metric.Event, now func() time.Time) (opened bool, err error) {
	s := f.lock()
	opened, isElsewhere, err := f.addIn(s, event, now)
	s.mu.Unlock()
	if isElsewhere {
		first := &f.shards[0]
		first.mu.Lock()
		defer first.mu.Unlock()
		opened, _, err = f.addIn(first, event, now)
	}
	return opened, err
}

// addIn folds an event into a shard that is locked, unless its version is counted: in the
// first shard alone.
func (f *fold) addIn(s *shard, event *metric.Event, now func() time.Time) (opened, isElsewhere bool, err error) {
	if s.closed {
		return false, false, ErrClosed
	}

	stamp := event.Timestamp
	if stamp.IsZero() {
		stamp = now()
	}
	second := stamp.Unix()
	late := second < s.lateBefore
	a := s.find(event.ModelVersion, late, second)
	if a == nil {
		isFilling := f.counts.IsOpen(event.ModelVersion)
		if isFilling && s != &f.shards[0] {
			return false, true, nil
		}

		err = event.Validate(stamp) // before anything is opened: a new accumulator takes what is valid
		if err != nil {
			return false, false, err
		}
		a, err = f.openIn(s, event.ModelVersion, late, second, now())
		if err != nil {
			return false, false, err
		}
		a.isFilling = isFilling
		opened = a.events == 0
	}

	grown, err := a.add(event, stamp)
	if err != nil {
		return false, false, err
	}
	a.bytes += grown
	f.account.hold(int64(grown))
	if a.isFilling {
		isFull, isOpen := f.counts.Add(event)
		a.isFilling = isOpen
		if isFull {
			s.seal(event.ModelVersion)
		}
	}
	s.published++
	return opened, false, nil
}

// lock takes this core's shard, or another that is free, or waits for this one. A core
// keeps to a shard that it found free: two that were given the same one part.
func (f *fold) lock() *shard {
	p := places.Get().(*place)
	defer places.Put(p)
	own := &f.shards[p.number%len(f.shards)]
	if own.mu.TryLock() {
		return own
	}

	for range f.shards {
		p.number = (p.number + 1) % len(f.shards)
		if s := &f.shards[p.number]; s.mu.TryLock() {
			return s
		}
	}
	own.mu.Lock()
	return own
}

// find returns the accumulator of an event, or nil if there is none yet.
func (s *shard) find(version string, late bool, second int64) *accumulator {
	for _, a := range s.accumulators {
		if second >= a.from && second < a.until && a.late == late && a.version == version && !a.isSealed {
			return a
		}
	}
	return nil
}

// seal lets what follows of a version be folded apart: a baseline is full. s.mu is held.
func (s *shard) seal(version string) {
	for _, a := range s.accumulators {
		a.isSealed = a.isSealed || a.version == version
	}
}

// openIn opens an accumulator in a shard, or finds the nearest of its kind where
// no further one fits.
func (f *fold) openIn(s *shard, version string, late bool, second int64, now time.Time) (*accumulator, error) {
	c, wanted, err := f.compartment(version, late, second)
	if err != nil {
		return nil, err
	}

	for _, a := range s.accumulators {
		if a.compartment == c {
			return a, nil
		}
	}

	a := newAccumulator(c, now, wanted)
	f.account.hold(accumulatorBytes)
	s.accumulators = append(s.accumulators, a)
	return a, nil
}

// compartment returns where an event is folded, and counts it among the open, and what
// is wanted of its metrics.
func (f *fold) compartment(version string, late bool, second int64) (compartment, *wanted, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.versions[version]; !known {
		if len(f.versions) >= maxVersions {
			return compartment{}, nil, fmt.Errorf("model_version: more than %d versions at once; a version names a model, not a request", maxVersions)
		}
		f.versions[version] = struct{}{}
	}

	own := compartment{late: late, version: version, part: f.counts.Part(version)}
	own.from, own.until = f.periods.around(second)
	if _, isOpen := f.open[own]; isOpen {
		return own, f.wantedFor(version), nil
	}

	if len(f.open) >= maxOpen {
		found, nearest := false, own
		for c := range f.open {
			if c.version == version && c.late == late && c.part == own.part && (!found || c.isNearer(&nearest, second)) {
				found = true
				nearest = c
			}
		}
		own = nearest
	}

	f.open[own] = struct{}{}
	return own, f.wantedFor(version), nil
}

// wantedFor is what is wanted of a version. f.mu is held.
func (f *fold) wantedFor(version string) *wanted {
	own := f.wantedOf[version]
	if own == nil {
		own = f.wanted.forVersion(version)
		f.wantedOf[version] = own
	}
	return own
}

func (c *compartment) isNearer(other *compartment, second int64) bool {
	mine, others := c.distance(second), other.distance(second)
	return mine < others || mine == others && c.from < other.from
}

// isCrowded says that it is time for a cut.
func (f *fold) isCrowded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open) >= crowded
}

// setPeriods makes every accumulator that is opened from now on keep to periods;
// those that are open already go with the next cut.
func (f *fold) setPeriods(p *periods) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.periods = p
}

// setWanted says what accumulators hold that are opened from now on, and whether they
// have to end with other readings than before. Those that are open let go of what is not
// wanted any more: the first ones of a model hold everything, until something is learnt.
func (f *fold) setWanted(w *wanted) (areOther bool) {
	f.mu.Lock()
	f.wanted = w
	clear(f.wantedOf)
	areOther = f.counts.SetRules(w.guidance.Rules)
	f.mu.Unlock()

	f.eachOpen(func(a *accumulator) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.account.hold(int64(-a.lighten(f.wantedFor(a.version))))
	})
	return areOther
}

// forgetVersions forgets those that were heard of since the last send.
func (f *fold) forgetVersions() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.versions)
	clear(f.wantedOf)
}

// rememberVersions counts those that wait, be it in the batch that is under way.
func (f *fold) rememberVersions(waiting []parcel) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range waiting {
		f.versions[p.ModelVersion] = struct{}{}
	}
}

// folded is a digest, and how many of its version's baselines were full before it.
type folded struct {
	*metric.Digest
	part int
}

// cut takes out what was folded until now, as digests, one per compartment, in
// the order of their last events, those before a baseline was full first. until says when folding ended that began at an
// instant. With last set nothing can be added any more.
func (f *fold) cut(now time.Time, last bool, until func(since time.Time) time.Time) []folded {
	var whole []*accumulator
	var digests []folded
	for _, a := range f.take(now, last) {
		d := a.digest(until(a.since))
		same := slices.IndexFunc(whole, func(b *accumulator) bool { return b.compartment == a.compartment })
		if same >= 0 && digests[same].FoldedUntil.Equal(d.FoldedUntil) && digests[same].KeepsAll(d) {
			digests[same].Merge(d)
			continue
		}

		whole = append(whole, a)
		digests = append(digests, folded{d, a.part})
	}

	slices.SortStableFunc(digests, func(a, b folded) int { return cmp.Or(cmp.Compare(a.part, b.part), a.Last.Compare(b.Last)) })
	return digests
}

// take empties all shards at one instant, so that no more than maxOpen is open.
func (f *fold) take(now time.Time, last bool) (taken []*accumulator) {
	for i := range f.shards {
		f.shards[i].mu.Lock()
	}
	f.mu.Lock()
	clear(f.open)
	f.mu.Unlock()
	for i := range f.shards {
		s := &f.shards[i]
		taken = append(taken, s.accumulators...)
		s.accumulators = nil
		s.closed = s.closed || last
		s.lateBefore = now.Add(-lateAfter).Unix()
		s.mu.Unlock()
	}

	for _, a := range taken {
		f.account.hold(-int64(a.bytes))
	}
	return taken
}

// closeIfEmpty takes nothing any more from now on, unless something is folded.
func (f *fold) closeIfEmpty() (isClosed bool) {
	isClosed = true
	for i := range f.shards {
		f.shards[i].mu.Lock()
		defer f.shards[i].mu.Unlock()
		isClosed = isClosed && len(f.shards[i].accumulators) == 0
	}
	for i := range f.shards {
		f.shards[i].closed = f.shards[i].closed || isClosed
	}
	return isClosed
}

// due is when something that is folded is to be handed over, see periods.due.
func (f *fold) due(p *periods, share float64, again time.Time) (due time.Time) {
	f.eachOpen(func(a *accumulator) { due = earliest(due, p.due(a.since, a.last, share, again)) })
	return due
}

// eachOpen looks at what is folded and not cut, while nothing is added to it.
func (f *fold) eachOpen(look func(a *accumulator)) {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		for _, a := range s.accumulators {
			look(a)
		}
		s.mu.Unlock()
	}
}
