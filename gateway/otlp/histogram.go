package otlp

import (
	"errors"
	"math"

	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/modelvigil/modelvigil/metric"
)

// readings are values, each as often as it was measured.
type readings []reading

type reading struct {
	value float64
	times uint64
}

func once(value float64) readings { return readings{{value, 1}} }

func number(p *metrics.NumberDataPoint) float64 {
	if integer, ok := p.GetValue().(*metrics.NumberDataPoint_AsInt); ok {
		return float64(integer.AsInt)
	}
	return p.GetAsDouble()
}

// distribution is what a histogram tells of its observations.
type distribution struct {
	count         uint64
	sum, min, max metric.Optional[float64]
	buckets       []bucket // those that are not empty, ascending
}

// bucket holds the observations in (low, high], low being the smallest float
// above the boundary.
type bucket struct {
	low, high float64 // may be infinite
	count     uint64
}

func optional(value *float64) metric.Optional[float64] {
	if value == nil || math.IsNaN(*value) {
		return metric.Optional[float64]{}
	}
	return metric.Some(*value)
}

func explicit(p *metrics.HistogramDataPoint) distribution {
	d := distribution{count: p.GetCount(), sum: optional(p.Sum), min: optional(p.Min), max: optional(p.Max)}
	bounds := p.GetExplicitBounds()
	if len(p.GetBucketCounts()) != len(bounds)+1 {
		return d
	}

	for i, count := range p.GetBucketCounts() {
		low, high := math.Inf(-1), math.Inf(1)
		if i > 0 {
			low = bounds[i-1]
		}
		if i < len(bounds) {
			high = bounds[i]
		}
		d.add(low, high, count)
	}

	return d
}

func exponential(p *metrics.ExponentialHistogramDataPoint) distribution {
	d := distribution{count: p.GetCount(), sum: optional(p.Sum), min: optional(p.Min), max: optional(p.Max)}
	boundary := func(index int) float64 { return math.Exp2(math.Ldexp(float64(index), -int(p.GetScale()))) }
	negative, positive := p.GetNegative(), p.GetPositive()
	for i := len(negative.GetBucketCounts()) - 1; i >= 0; i-- {
		index := int(negative.GetOffset()) + i
		d.add(-boundary(index+1), -boundary(index), negative.GetBucketCounts()[i])
	}

	zero := p.GetZeroThreshold()
	d.add(math.Nextafter(-zero, math.Inf(-1)), zero, p.GetZeroCount())
	for i, count := range positive.GetBucketCounts() {
		index := int(positive.GetOffset()) + i
		d.add(boundary(index), boundary(index+1), count)
	}

	return d
}

func (d *distribution) add(boundary, high float64, count uint64) {
	if count == 0 {
		return
	}
	if !math.IsInf(boundary, 0) {
		boundary = math.Nextafter(boundary, math.Inf(1))
	}
	d.buckets = append(d.buckets, bucket{boundary, high, count})
}

var (
	errEmpty = errors.New("the histogram tells neither a sum nor buckets nor min and max")
	errCount = errors.New("the histogram's bucket counts must add up to its count")
)

// unfold makes of a histogram as many readings as it has observations, at most
// some most: its min and its max once each, the others in their buckets, all at
// the one relative position at which they have the histogram's sum. So count, sum,
// min and max stay what they are, and quantiles are right to a bucket.
func (d distribution) unfold(most uint64) (readings, error) {
	if d.count == 0 {
		return nil, nil
	}
	if !d.addsUp() {
		return nil, errCount
	}

	sum, hasSum := d.sum.Get()
	if d.count == 1 && hasSum {
		return once(sum), nil
	}

	d.clamp()
	var all readings
	least, hasLeast := d.min.Get()
	greatest, hasGreatest := d.max.Get()
	if hasLeast {
		all = append(all, reading{least, 1})
		sum -= least
		d.takeFrom(0)
	}
	if hasGreatest && d.count > 0 {
		all = append(all, reading{greatest, 1})
		sum -= greatest
		d.takeFrom(len(d.buckets) - 1)
	}

	switch {
	case d.count == 0:
		return all, nil
	case len(d.buckets) == 0 && hasSum:
		d.buckets = []bucket{{sum / float64(d.count), sum / float64(d.count), d.count}}
	case len(d.buckets) == 0 && len(all) < 2:
		return nil, errEmpty
	case len(d.buckets) == 0:
		d.buckets = []bucket{{least, greatest, d.count}}
	}

	return append(all, d.spread(sum, hasSum, most)...), nil
}

func (d *distribution) addsUp() bool {
	left := d.count
	for _, b := range d.buckets {
		if b.count > left {
			return false
		}
		left -= b.count
	}
	return left == 0 || len(d.buckets) == 0
}

// clamp narrows the outer buckets to what is known of min and max.
func (d *distribution) clamp() {
	if len(d.buckets) == 0 {
		return
	}

	first, last := &d.buckets[0], &d.buckets[len(d.buckets)-1]
	least, hasLeast := d.min.Get()
	switch {
	case hasLeast:
		first.low = min(max(first.low, least), first.high)
	case math.IsInf(first.low, -1) && math.IsInf(first.high, 1):
		d.buckets = nil // a single one without bounds says nothing
		return
	case math.IsInf(first.low, -1):
		first.low = min(0, first.high) // durations and shares begin at 0
	}

	if greatest, known := d.max.Get(); known {
		last.high = max(min(last.high, greatest), last.low)
	}
}

// takeFrom takes one observation out of a bucket.
func (d *distribution) takeFrom(i int) {
	d.count--
	if i < 0 || i >= len(d.buckets) {
		return
	}
	if d.buckets[i].count--; d.buckets[i].count == 0 {
		d.buckets = append(d.buckets[:i], d.buckets[i+1:]...)
	}
}

// spread places the observations in their buckets. The last may be open: what
// the others, in the middle of theirs, leave of the sum is in it.
func (d *distribution) spread(sum float64, hasSum bool, most uint64) readings {
	var lows, widths float64 // of the closed buckets, each as often as it has observations
	for _, b := range d.buckets {
		if !math.IsInf(b.high, 1) {
			lows += b.low * float64(b.count)
			widths += (b.high - b.low) * float64(b.count)
		}
	}

	position := 0.5
	last := &d.buckets[len(d.buckets)-1]
	if math.IsInf(last.high, 1) {
		last.high = last.low
		if hasSum {
			last.low = max(last.low, (sum-lows-widths*position)/float64(last.count))
			last.high = last.low
			lows += last.low * float64(last.count)
		}
	}
	if hasSum && widths > 0 {
		position = min(max((sum-lows)/widths, 0), 1)
	}
	all := make(readings, 0, len(d.buckets))
	for _, b := range d.buckets {
		times := b.count
		if d.count > most {
			times = uint64(max(1, math.Round(float64(b.count)/float64(d.count)*float64(most))))
		}
		all = append(all, reading{b.low + position*(b.high-b.low), times})
	}

	return all
}
