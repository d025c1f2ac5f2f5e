package window

import (
	"math/big"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/policy"
)

// Bucket is what was measured in one period.
type Bucket struct {
	Start  int64          `json:"start"` // Unix seconds
	Count  int64          `json:"count"`
	Sum    float64        `json:"sum"`
	Min    float64        `json:"min"`
	Max    float64        `json:"max"`
	Sketch *metric.Sketch `json:"sketch,omitempty"` // for a percentile
	// Approximate says that a digest crossed the period's boundary.
	Approximate bool `json:"approximate,omitempty"`
	// Coarse says that a digest came without a sketch: there is no percentile.
	Coarse bool `json:"coarse,omitempty"`
	// Compared is what a drift rule has counted.
	Compared *contrast.Period `json:"compared,omitempty"`
}

// keptBins bounds the bins of a period's sketch: those around its percentile, which may
// move by a factor of ten either way while more is counted.
const keptBins = 384

// add counts readings into a bucket.
func (b *Bucket) add(summary *metric.Summary, stat policy.Stat, crosses bool) {
	if b.Count == 0 || summary.Min < b.Min {
		b.Min = summary.Min
	}
	if b.Count == 0 || summary.Max > b.Max {
		b.Max = summary.Max
	}

	b.Count += summary.Count
	b.Sum += summary.Sum
	b.Approximate = b.Approximate || crosses
	if !stat.IsPercentile() || b.Coarse {
		return
	}

	if b.Sketch == nil {
		b.Sketch = metric.NewSketch()
	}
	switch {
	case summary.Count == 1:
		b.Sketch.Add(summary.Min)
	case summary.Sketch == nil || b.Sketch.Merge(summary.Sketch) != nil:
		b.Sketch = nil
		b.Coarse = true
		return
	}

	if b.Sketch.Len() > keptBins {
		percent, _ := stat.Percentile()
		_ = b.Sketch.Keep(nearestRank(percent, b.Count), keptBins) // one that is broken has no bins
	}
}

// value is a statistic of what was measured; absent where there is none.
func (b *Bucket) value(stat policy.Stat) metric.Reading {
	switch stat {
	case policy.StatCount:
		return metric.Some(float64(b.Count))
	case policy.StatSum:
		return metric.Some(b.Sum)
	}

	if b.Count == 0 {
		return metric.Reading{}
	}

	switch stat {
	case policy.StatMin:
		return metric.Some(b.Min)
	case policy.StatMax:
		return metric.Some(b.Max)
	case policy.StatMean:
		return metric.Some(min(max(b.Sum/float64(b.Count), b.Min), b.Max)) // rounding must not push it beyond
	}

	percent, _ := stat.Percentile()
	if b.Sketch == nil {
		return metric.Reading{}
	}

	value, err := b.Sketch.AtRank(nearestRank(percent, b.Count))
	if err != nil {
		return metric.Reading{}
	}

	return metric.Some(min(max(value, b.Min), b.Max))
}

// nearestRank is which of n readings in order of size, counted from 1, is a
// percentile: the first that at least so many per cent of all do not exceed. It is
// computed in integers: in floating point 99.9 / 100 * 1000 is above 999, and the
// rank after it would be taken.
func nearestRank(percent *big.Rat, n int64) int64 {
	share := new(big.Int).Mul(percent.Num(), big.NewInt(n))
	hundredth := new(big.Int).Mul(percent.Denom(), big.NewInt(100))
	rank, rest := new(big.Int).QuoRem(share, hundredth, new(big.Int))
	if rest.Sign() > 0 {
		return rank.Int64() + 1
	}
	return max(1, rank.Int64())
}
