package otlp

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/modelvigil/modelvigil/internal/share"
)

const (
	// maxStreamBytes bounds the memory of the cumulative streams whose last point is
	// held, over all senders: as many streams as docs/feeding.md says.
	maxStreamBytes = 48 << 20
	// streamBytes is what a stream takes beside its buckets, and bucketBytes each of
	// those; TestAStreamTakesNoMoreThanIsCounted measures both.
	streamBytes = 640
	bucketBytes = 8
	// streamIdle is when one that is not heard of may be forgotten.
	streamIdle = 30 * time.Minute
)

var (
	// errUnseen says that of a cumulative point it is not known how much is new.
	errUnseen = errors.New("the stream began before")
	// errFell says that a stream has fallen, and so began anew without saying so.
	errFell = fmt.Errorf("%w, and has fallen since", errUnseen)
	errFull = errors.New("too many cumulative streams; export deltas, or fewer attributes")
)

// streams turn cumulative points into what is new since the last of their stream.
// Each sender has its own: what one sends can neither move another's streams nor take
// their room.
type streams struct {
	born time.Time
	room *share.Pool // bytes

	mu sync.Mutex
	by map[string]*streamsOf
}

func newStreams(born time.Time) *streams {
	return &streams{born: born, room: share.New(maxStreamBytes), by: map[string]*streamsOf{}}
}

// of returns the streams of a sender.
func (s *streams) of(sender string) *streamsOf {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.by[sender]
	if own == nil {
		own = &streamsOf{all: s, sender: sender, last: map[identity]*last{}}
		s.by[sender] = own
	}
	return own
}

// streamsOf are the streams of one sender.
type streamsOf struct {
	all    *streams
	sender string

	mu     sync.Mutex
	last   map[identity]*last
	forgot time.Time // when the idle ones were last looked for
}

// last is the last point of a stream.
type last struct {
	point any
	time  uint64 // of the point
	heard time.Time
	bytes int64

	falls, rises uint8
}

// advance replaces the last point of a stream by p, which has so many buckets, and
// returns the one before. It is zero where all of p is new. Of redeliveries and of a
// stream's unknown past nothing is, which is errUnseen.
func advance[P any](s *streamsOf, stream identity, p streamPoint, point P, buckets int) (before P, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	known := s.last[stream]
	isNew := known == nil
	if isNew {
		known = &last{}
	}
	known.heard = now
	if !isNew && p.GetTimeUnixNano() <= known.time {
		return before, errUnseen
	}
	if !s.fits(known, streamBytes+int64(buckets)*bucketBytes, now) {
		return before, errFull
	}

	before, _ = known.point.(P)
	known.point = point
	known.time = p.GetTimeUnixNano()
	if !isNew {
		return before, nil
	}
	s.last[stream] = known
	if start := p.GetStartTimeUnixNano(); start == 0 || start < uint64(s.all.born.UnixNano()) {
		return before, errUnseen
	}

	return before, nil
}

// fits takes the bytes that a stream is about to hold, if need be by forgetting idle
// ones, and says whether there was room.
func (s *streamsOf) fits(l *last, bytes int64, now time.Time) bool {
	more := bytes - l.bytes
	isTaken := s.all.room.Take(s.sender, more)
	if !isTaken && now.Sub(s.forgot) > time.Second { // it looks at all of them
		s.forgot = now
		s.forget(now)
		isTaken = s.all.room.Take(s.sender, more)
	}
	if isTaken {
		l.bytes = bytes
	}

	return isTaken
}

func (s *streamsOf) forget(now time.Time) {
	for stream, l := range s.last {
		if now.Sub(l.heard) > streamIdle {
			s.all.room.Give(s.sender, l.bytes)
			delete(s.last, stream)
		}
	}
}

// number is by how much a cumulative count has grown.
func (s *streamsOf) number(stream identity, p *metrics.NumberDataPoint, value float64) (float64, error) {
	before, err := advance(s, stream, p, value, 0)
	if err == nil && value < before {
		err = errFell
	}
	return value - before, s.judge(stream, err)
}

// histogram is what a cumulative histogram has counted since its last point. Its
// min and max are known only where they are new.
func (s *streamsOf) histogram(stream identity, p *metrics.HistogramDataPoint) (*metrics.HistogramDataPoint, error) {
	since, err := s.histogramSince(stream, p)
	return since, s.judge(stream, err)
}

func (s *streamsOf) histogramSince(stream identity, p *metrics.HistogramDataPoint) (*metrics.HistogramDataPoint, error) {
	kept := &metrics.HistogramDataPoint{ // without exemplars and attributes
		Count: p.GetCount(), Sum: p.Sum, Min: p.Min, Max: p.Max, //nolint:protogetter // what is not there stays so
		BucketCounts: slices.Clone(p.GetBucketCounts()), ExplicitBounds: slices.Clone(p.GetExplicitBounds()),
	}
	before, err := advance(s, stream, p, kept, len(kept.GetBucketCounts())+len(kept.GetExplicitBounds()))
	if err != nil || before == nil {
		return p, err
	}

	since := &metrics.HistogramDataPoint{ExplicitBounds: p.GetExplicitBounds()}
	since.Count, err = less(p.GetCount(), before.GetCount())
	if err != nil {
		return nil, err
	}
	if !slices.Equal(p.GetExplicitBounds(), before.GetExplicitBounds()) {
		return nil, errUnseen
	}
	since.BucketCounts, err = lessEach(p.GetBucketCounts(), before.GetBucketCounts())
	if err != nil {
		return nil, err
	}

	since.Sum = minus(p.Sum, before.Sum)
	since.Min = ifNew(p.Min, before.Min)
	since.Max = ifNew(p.Max, before.Max)
	return since, nil
}

// exponential is histogram for exponential ones. A stream's scale only shrinks:
// buckets of the last point are merged to those of this one.
func (s *streamsOf) exponential(stream identity, p *metrics.ExponentialHistogramDataPoint) (*metrics.ExponentialHistogramDataPoint, error) {
	since, err := s.exponentialSince(stream, p)
	return since, s.judge(stream, err)
}

func (s *streamsOf) exponentialSince(stream identity, p *metrics.ExponentialHistogramDataPoint) (*metrics.ExponentialHistogramDataPoint, error) {
	kept := proto.CloneOf(p)
	kept.Attributes = nil
	kept.Exemplars = nil
	before, err := advance(s, stream, p, kept, len(p.GetPositive().GetBucketCounts())+len(p.GetNegative().GetBucketCounts()))
	if err != nil || before == nil {
		return p, err
	}

	shrunk := before.GetScale() - p.GetScale()
	since := proto.CloneOf(kept)
	since.Count, err = less(p.GetCount(), before.GetCount())
	if err != nil {
		return nil, err
	}
	if shrunk < 0 {
		return nil, errUnseen
	}
	since.ZeroCount, err = less(p.GetZeroCount(), before.GetZeroCount())
	if err != nil {
		return nil, err
	}

	for _, side := range []struct {
		since, before *metrics.ExponentialHistogramDataPoint_Buckets
	}{
		{since.GetPositive(), before.GetPositive()}, {since.GetNegative(), before.GetNegative()},
	} {
		for i, count := range side.before.GetBucketCounts() {
			at := (int(side.before.GetOffset())+i)>>shrunk - int(side.since.GetOffset())
			if count == 0 {
				continue
			}
			if at < 0 || at >= len(side.since.GetBucketCounts()) {
				return nil, errUnseen
			}

			side.since.BucketCounts[at], err = less(side.since.BucketCounts[at], count)
			if err != nil {
				return nil, err
			}
		}
	}

	since.Sum = minus(p.Sum, before.Sum)
	since.Min = ifNew(p.Min, before.Min)
	since.Max = ifNew(p.Max, before.Max)
	return since, nil
}

func less(now, before uint64) (uint64, error) {
	if now < before {
		return 0, errFell
	}
	return now - before, nil
}

func lessEach(now, before []uint64) (since []uint64, err error) {
	if len(now) != len(before) {
		return nil, errUnseen
	}

	since = make([]uint64, len(now))
	for i := range now {
		since[i], err = less(now[i], before[i])
		if err != nil {
			return nil, err
		}
	}
	return since, nil
}

func minus(now, before *float64) *float64 {
	if now == nil || before == nil {
		return nil
	}
	return proto.Float64(*now - *before)
}

// ifNew is an extreme that has moved, and so is of the latest observations.
func ifNew(now, before *float64) *float64 {
	if now == nil || before == nil || *now == *before {
		return nil
	}
	return now
}
