package otlp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// maxStreams bounds the cumulative streams whose last point is held; a
	// histogram takes some 2 KiB.
	maxStreams = 20_000
	// streamIdle is when one that is not heard of may be forgotten.
	streamIdle = 30 * time.Minute
)

var (
	// errUnseen says that of a cumulative point it is not known how much is new.
	errUnseen = errors.New("the stream began before")
	errFull   = fmt.Errorf("more than %d cumulative streams; export deltas, or fewer attributes", maxStreams)
)

// streams turn cumulative points into what is new since the last of their stream.
type streams struct {
	born time.Time
	mu   sync.Mutex
	last map[string]*last
}

type last struct {
	point any
	time  uint64 // of the point
	heard time.Time
}

func newStreams(born time.Time) *streams { return &streams{born: born, last: map[string]*last{}} }

// streamPoint is what all kinds of points have.
type streamPoint interface {
	GetAttributes() []*common.KeyValue
	GetStartTimeUnixNano() uint64
	GetTimeUnixNano() uint64
	GetFlags() uint32
}

// source is where a metric came from.
type source struct {
	around        []attributes // of scope and resource
	scope, metric string
}

// stream identifies a point's stream. Its start is part of it: processes that
// have all attributes in common, or one that began anew, differ by it.
func (s source) stream(p streamPoint) string {
	var key strings.Builder
	fmt.Fprintf(&key, "%T %q %q %d", p, s.scope, s.metric, p.GetStartTimeUnixNano())
	for _, list := range append([]attributes{p.GetAttributes()}, s.around...) {
		pairs := make([]string, 0, len(list))
		for _, attribute := range list {
			pairs = append(pairs, fmt.Sprintf("%q=%q", attribute.GetKey(), textOf(attribute.GetValue())))
		}
		slices.Sort(pairs)
		fmt.Fprintf(&key, " %v", pairs)
	}
	return key.String()
}

// advance replaces the last point of a stream by p, and returns the one before.
// It is zero where all of p is new. Of redeliveries and of a stream's unknown past
// nothing is, which is errUnseen.
func advance[P any](s *streams, stream string, p streamPoint, point P) (before P, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	known := s.last[stream]
	if known == nil {
		if len(s.last) >= maxStreams {
			s.forget(now)
		}
		if len(s.last) >= maxStreams {
			return before, errFull
		}
		s.last[stream] = &last{point, p.GetTimeUnixNano(), now}
		if start := p.GetStartTimeUnixNano(); start == 0 || start < uint64(s.born.UnixNano()) {
			return before, errUnseen
		}
		return before, nil
	}
	known.heard = now
	if p.GetTimeUnixNano() <= known.time {
		return before, errUnseen
	}
	before, _ = known.point.(P)
	known.point, known.time = point, p.GetTimeUnixNano()
	return before, nil
}

func (s *streams) forget(now time.Time) {
	for stream, l := range s.last {
		if now.Sub(l.heard) > streamIdle {
			delete(s.last, stream)
		}
	}
}

// number is by how much a cumulative count has grown.
func (s *streams) number(stream string, p *metrics.NumberDataPoint, value float64) (float64, error) {
	before, err := advance(s, stream, p, value)
	if err == nil && value < before {
		err = errUnseen // it began anew, and did not say so
	}
	return value - before, err
}

// histogram is what a cumulative histogram has counted since its last point. Its
// min and max are known only where they are new.
func (s *streams) histogram(stream string, p *metrics.HistogramDataPoint) (*metrics.HistogramDataPoint, error) {
	before, err := advance(s, stream, p, p)
	if err != nil || before == nil {
		return p, err
	}
	since := proto.CloneOf(p)
	if since.Count, err = less(p.GetCount(), before.GetCount()); err != nil || !slices.Equal(p.GetExplicitBounds(), before.GetExplicitBounds()) {
		return nil, errUnseen
	}
	if since.BucketCounts, err = lessEach(p.GetBucketCounts(), before.GetBucketCounts()); err != nil {
		return nil, err
	}
	since.Sum = minus(p.Sum, before.Sum)
	since.Min, since.Max = ifNew(p.Min, before.Min), ifNew(p.Max, before.Max)
	return since, nil
}

// exponential is histogram for exponential ones. A stream's scale only shrinks:
// buckets of the last point are merged to those of this one.
func (s *streams) exponential(stream string, p *metrics.ExponentialHistogramDataPoint) (*metrics.ExponentialHistogramDataPoint, error) {
	before, err := advance(s, stream, p, p)
	if err != nil || before == nil {
		return p, err
	}
	shrunk := before.GetScale() - p.GetScale()
	since := proto.CloneOf(p)
	if since.Count, err = less(p.GetCount(), before.GetCount()); err != nil || shrunk < 0 {
		return nil, errUnseen
	}
	if since.ZeroCount, err = less(p.GetZeroCount(), before.GetZeroCount()); err != nil {
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
			if side.since.BucketCounts[at], err = less(side.since.BucketCounts[at], count); err != nil {
				return nil, err
			}
		}
	}
	since.Sum = minus(p.Sum, before.Sum)
	since.Min, since.Max = ifNew(p.Min, before.Min), ifNew(p.Max, before.Max)
	return since, nil
}

func less(now, before uint64) (uint64, error) {
	if now < before {
		return 0, errUnseen
	}
	return now - before, nil
}

func lessEach(now, before []uint64) (since []uint64, err error) {
	if len(now) != len(before) {
		return nil, errUnseen
	}
	since = make([]uint64, len(now))
	for i := range now {
		if since[i], err = less(now[i], before[i]); err != nil {
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
