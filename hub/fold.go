package hub

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

const (
	// lateAfter is how long before the folding began an event must have been
	// measured to be folded apart, as late.
	lateAfter = time.Minute
	// maxVersions bounds the model versions that one model's events may name
	// between two sends, and so the memory of a hub whose server is away.
	maxVersions = 64
)

// The metrics that an event names itself, in the order of accumulator.named.
var namedMetrics = [3]string{monitor.Accuracy, monitor.LatencyMS, monitor.DriftScore}

// fold gathers one model's events between two cuts. Publishers on different
// cores fold into different shards.
type fold struct {
	shards []shard
}

// places gives each core a place of its own, nearly always: a sync.Pool keeps
// what was put last on the core that put it.
var (
	places    = sync.Pool{New: func() any { return &place{int(lastPlace.Add(1))} }}
	lastPlace atomic.Int32
)

type place struct{ number int }

// shard is one part of a fold. Its accumulators are few: one per version, and
// one more for a version's late events.
type shard struct {
	mu           sync.Mutex
	closed       bool
	since        time.Time // when folding began, by this clock
	lateBefore   time.Time // lateAfter before it
	accumulators []*accumulator
	published    int64    // events folded since the hub began
	_            [64]byte // keep shards on cache lines of their own
}

// accumulator is a digest in the making.
type accumulator struct {
	version     string
	late        bool
	events      int64
	first, last time.Time
	named       [3]monitor.MetricDigest
	further     map[string]*monitor.MetricDigest
}

func newFold(now time.Time) *fold {
	f := &fold{shards: make([]shard, runtime.GOMAXPROCS(0))}
	for i := range f.shards {
		f.shards[i].begin(now)
	}
	return f
}

func (s *shard) begin(now time.Time) { s.since, s.lateBefore = now, now.Add(-lateAfter) }

// add folds a valid event. It fails when the fold is closed or when the event
// names more versions or metrics than fit.
func (f *fold) add(event *monitor.MetricEvent, now func() time.Time) error {
	s := f.lock()
	defer s.mu.Unlock()
	if s.closed {
		return monitor.ErrHubClosed
	}
	stamp := event.Timestamp
	if stamp.IsZero() {
		stamp = now()
	}
	a, err := s.accumulator(event.ModelVersion, stamp.Before(s.lateBefore))
	if err != nil {
		return err
	}
	if err := a.add(event, stamp); err != nil {
		return err
	}
	s.published++
	return nil
}

// lock takes this core's shard, or another that is free, or waits for this one.
func (f *fold) lock() *shard {
	p := places.Get().(*place)
	own := p.number % len(f.shards)
	places.Put(p)
	for i := range f.shards {
		if s := &f.shards[(own+i)%len(f.shards)]; s.mu.TryLock() {
			return s
		}
	}
	f.shards[own].mu.Lock()
	return &f.shards[own]
}

func (s *shard) accumulator(version string, late bool) (*accumulator, error) {
	for _, a := range s.accumulators {
		if a.late == late && a.version == version {
			return a, nil
		}
	}
	if len(s.accumulators) >= 2*maxVersions {
		return nil, fmt.Errorf("model_version: more than %d versions at once; a version names a model, not a request", maxVersions)
	}
	if err := monitor.ValidateModelVersion(version); err != nil {
		return nil, err
	}
	a := &accumulator{version: version, late: late}
	s.accumulators = append(s.accumulators, a)
	return a, nil
}

func (a *accumulator) add(event *monitor.MetricEvent, stamp time.Time) error {
	if len(event.Metrics) > 0 { // before anything is folded: it may fail
		if err := a.addFurther(event.Metrics, stamp); err != nil {
			return err
		}
	}
	switch {
	case a.events == 0:
		a.first, a.last = stamp, stamp
	case stamp.Before(a.first):
		a.first = stamp
	case stamp.After(a.last):
		a.last = stamp
	}
	a.events++
	for i, reading := range [3]monitor.Reading{event.Accuracy, event.LatencyMS, event.DriftScore} {
		if value, taken := reading.Get(); taken {
			a.named[i].Add(value, stamp)
		}
	}
	return nil
}

func (a *accumulator) addFurther(metrics map[string]float64, stamp time.Time) error {
	for name := range metrics {
		if a.further[name] != nil {
			continue
		}
		if len(a.further) >= monitor.MaxExtraMetrics {
			return fmt.Errorf("metrics.%s: more than %d further metrics of one version", name, monitor.MaxExtraMetrics)
		}
		if a.further == nil {
			a.further = map[string]*monitor.MetricDigest{}
		}
		a.further[name] = &monitor.MetricDigest{}
	}
	for name, value := range metrics {
		a.further[name].Add(value, stamp)
	}
	return nil
}

// cut takes out what was folded until now, as digests, one per version and
// another for its late events. With last set nothing can be added any more.
func (f *fold) cut(now time.Time, last bool) []*monitor.Digest {
	var digests []*monitor.Digest
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		accumulators, since := s.accumulators, s.since
		s.accumulators, s.closed = nil, s.closed || last
		s.begin(now)
		s.mu.Unlock()
		for _, a := range accumulators {
			digests = mergeInto(digests, a.digest(since, now))
		}
	}
	return digests
}

// folded counts the events that are folded and not cut, and all since the hub began.
func (f *fold) folded() (pending, published int64) {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		published += s.published
		for _, a := range s.accumulators {
			pending += a.events
		}
		s.mu.Unlock()
	}
	return pending, published
}

func (a *accumulator) digest(since, until time.Time) *monitor.Digest {
	d := &monitor.Digest{
		ModelVersion: a.version, Events: a.events, Late: a.late,
		First: a.first.UTC(), Last: a.last.UTC(), FoldedFrom: since.UTC(), FoldedUntil: until.UTC(),
		Metrics: make(map[string]*monitor.MetricDigest, len(a.named)+len(a.further)),
	}
	put := func(name string, m *monitor.MetricDigest) {
		if m.Count > 0 {
			m.MinAt, m.MaxAt = m.MinAt.UTC(), m.MaxAt.UTC()
			d.Metrics[name] = m
		}
	}
	for i, name := range namedMetrics {
		put(name, &a.named[i])
	}
	for name, m := range a.further {
		put(name, m)
	}
	return d
}

// mergeInto adds a digest to the one of its version and lateness, or to the end.
func mergeInto(digests []*monitor.Digest, d *monitor.Digest) []*monitor.Digest {
	for _, known := range digests {
		if known.ModelVersion == d.ModelVersion && known.Late == d.Late {
			known.Merge(d)
			return digests
		}
	}
	return append(digests, d)
}
