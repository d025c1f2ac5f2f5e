package metric_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/metric"
)

func TestAMetricsDigestTakesNoMoreThanItSays(t *testing.T) {
	const digests = 2000
	now := time.Now()
	for name, readings := range map[string][]float64{
		"one reading":                 {1},
		"near ones":                   {0.91, 0.92, 0.95, 0.97},
		"a factor of ten":             {1, 2, 3, 5, 7, 10},
		"a factor of a thousand":      {1, 10, 100, 1000},
		"as far apart as they may be": {1e-100, 1, 1e100},
		"of both signs":               {-1e100, -1, -1e-100, 1e-100, 1, 1e100},
		"a factor of ten thousand":    {1, 10, 100, 1000, 10_000, 15_000},
		"growing step by step":        steps(1.3, 500),
		"of both signs, step by step": append(steps(1.05, 700), steps(-1.05, 700)...),
		"nothing but zero":            {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			all := map[string]*metric.Summary{}
			before, counted := inUse(), int64(0)
			for i := range digests {
				metric := &metric.Summary{}
				for _, reading := range readings {
					metric.Add(reading, now)
				}
				all[fmt.Sprintf("%s%d", strings.Repeat("m", 92), i)] = metric
				counted += int64(metric.Bytes())
			}
			takes := inUse() - before
			t.Logf("%d bytes, of which %d are counted", takes/digests, counted/digests)
			assert.LessOrEqual(t, takes, counted)
			assert.Less(t, counted, 3*takes+digests*1000, "what is counted is near to what it takes")

			merged := int64(0)
			before = inUse()
			for name, summary := range all {
				sum := &metric.Summary{}
				sum.Add(readings[0], now)
				sum.Merge(summary)
				all[name] = sum
				merged += int64(sum.Bytes())
			}
			assert.LessOrEqual(t, inUse()-before+takes, merged, "merged")
			runtime.KeepAlive(all)
		})
	}
}

func TestValuesTakeNoMoreThanTheySayHoweverManyCame(t *testing.T) {
	const categories = 100
	for name, came := range map[string]int{"a few": 5, "as many as are told": metric.MaxValues, "as many as are folded": 2 * metric.MaxValues, "one more": 2*metric.MaxValues + 1, "thousands": 5000} {
		t.Run(name, func(t *testing.T) {
			all := make([]*metric.Values, categories)
			before, counted := inUse(), int64(0)
			for i := range all {
				all[i] = &metric.Values{}
				for value := range came {
					all[i].Add(fmt.Sprintf("%036d", value), 1)
				}
				counted += int64(all[i].Bytes())
			}
			takes := inUse() - before
			t.Logf("%d bytes, of which %d are counted", takes/categories, counted/categories)
			assert.LessOrEqual(t, takes, counted)
			assert.Less(t, counted, 3*takes, "what is counted is near to what it takes")
			runtime.KeepAlive(all)
		})
	}
}

// steps are readings each further than the one before.
func steps(factor float64, n int) (readings []float64) {
	for i := range n {
		readings = append(readings, math.Copysign(math.Pow(math.Abs(factor), float64(i)), factor))
	}
	return readings
}

// inUse is how many bytes of the heap are reachable.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
