package backtest

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/metric"
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

// shortened is a number of which a chart needs six digits.
type shortened float64

// MarshalJSON writes six digits.
func (s shortened) MarshalJSON() ([]byte, error) {
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

// downsample makes the series of a model's metrics: the three of the event
// first, then further ones by name.
func downsample(events []metric.Event) []series {
	if len(events) == 0 {
		return []series{}
	}

	first := events[0].Timestamp
	width := max(events[len(events)-1].Timestamp.Sub(first)/buckets+1, time.Second)
	all := map[string][]bucket{}
	add := func(metric string, at int, value float64) {
		if all[metric] == nil {
			all[metric] = make([]bucket, buckets+1)
		}
		all[metric][at].add(value)
	}

	for i := range events {
		e := &events[i]
		at := min(int(e.Timestamp.Sub(first)/width), buckets)
		if value, taken := e.Accuracy.Get(); taken {
			add(metric.Accuracy, at, value)
		}
		if value, taken := e.LatencyMS.Get(); taken {
			add(metric.LatencyMS, at, value)
		}
		if value, taken := e.DriftScore.Get(); taken {
			add(metric.DriftScore, at, value)
		}
		for name, value := range e.Metrics {
			add(name, at, value)
		}
	}

	own := []string{metric.Accuracy, metric.LatencyMS, metric.DriftScore}
	names := slices.DeleteFunc(sortedKeys(all), func(name string) bool { return slices.Contains(own, name) })
	own = slices.DeleteFunc(own, func(name string) bool { return all[name] == nil })
	made := make([]series, 0, len(all))
	for _, name := range append(own, names...) {
		s := series{Metric: name}
		for i, b := range all[name] {
			if b.count == 0 {
				continue
			}
			s.At = append(s.At, first.Add(time.Duration(i)*width+width/2).Unix())
			s.Min = append(s.Min, shortened(b.min))
			s.Max = append(s.Max, shortened(b.max))
			s.Mean = append(s.Mean, shortened(b.sum/float64(b.count)))
		}

		made = append(made, s)
	}

	return made
}
