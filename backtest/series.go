package backtest

import (
	"math"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/backtest/recording"
)

// buckets is how many points a chart has at most: more than a page is wide.
const buckets = 1200

// series is one metric over time, each point standing for the readings of one
// bucket, so that no extreme is lost. Buckets without readings have no point.
type series struct {
	Metric string      `json:"metric"`
	At     []int64     `json:"at"` // Unix seconds of the middle of each bucket
	Min    []shortened `json:"min"`
	Max    []shortened `json:"max"`
	Mean   []shortened `json:"mean"`
}

// shortened is a number of which a chart needs six digits; NaN where there is none.
type shortened float64

// MarshalJSON writes six digits, and null where there is no number.
func (s shortened) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(s), 'g', 6, 64), nil
}

// bucket sums up readings.
type bucket struct {
	count         int64
	min, max, sum float64
}

func (b *bucket) add(value float64) {
	if b.count == 0 {
		b.min = value
		b.max = value
	}
	b.count++
	b.min, b.max, b.sum = math.Min(b.min, value), math.Max(b.max, value), b.sum+value
}

// mean is NaN where there is no reading.
func (b *bucket) mean() shortened { return shortened(b.sum / float64(b.count)) }

// downsample makes the series of those of a model's metrics that are drawn: the three
// of the event first, then further ones by name.
func downsample(model *recording.Model, drawn map[string]bool) []series {
	made := []series{}
	if model.Len() == 0 {
		return made
	}

	first, last := model.Time(0), model.Time(0)
	for i := range model.Len() {
		at := model.Time(i)
		if at.Before(first) {
			first = at
		}
		last = latest(last, at)
	}
	width := max(last.Sub(first)/buckets+1, time.Second)
	for _, column := range model.Columns() {
		if !drawn[column.Name] {
			continue
		}
		all := make([]bucket, buckets+1)
		for i := range model.Len() {
			if value, measured := column.At(i); measured {
				all[min(int(model.Time(i).Sub(first)/width), buckets)].add(value)
			}
		}

		s := series{Metric: column.Name}
		for i, b := range all {
			if b.count == 0 {
				continue
			}
			s.At = append(s.At, first.Add(time.Duration(i)*width+width/2).Unix())
			s.Min = append(s.Min, shortened(b.min))
			s.Max = append(s.Max, shortened(b.max))
			s.Mean = append(s.Mean, b.mean())
		}

		made = append(made, s)
	}

	return made
}
