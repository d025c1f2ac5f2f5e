package hub

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// want is what a digest carries of one metric beside its count, sum and extremes.
type want struct {
	distribution bool // a sketch
	times        bool // when the extremes were measured
}

// wanted is what a monitor wants of each metric. It is never changed.
type wanted struct {
	everything    bool // nothing was learnt of the monitor yet: it may want anything
	distributions policy.Distributions
	instants      map[string]bool // metrics that a rule judges at each event
	named         [3]want
}

func newWanted(g *contract.Guidance) *wanted {
	w := &wanted{distributions: policy.DistributionsFor(g.Rules, g.KeepDistributions), instants: map[string]bool{}}
	for i := range g.Rules {
		if r := &g.Rules[i]; r.IsInstant() {
			w.instants[r.Metric] = true
		}
	}
	return w.withNamed()
}

func (w *wanted) withNamed() *wanted {
	for i, name := range namedMetrics {
		w.named[i] = w.of(name)
	}
	return w
}

func (w *wanted) of(name string) want {
	return want{distribution: w.everything || w.distributions.Has(name), times: w.everything || w.instants[name]}
}

// tally is one metric of a digest in the making.
type tally struct {
	metric.Summary
	want want
}

// add folds a reading, and returns by how many bytes that grew.
func (t *tally) add(value float64, stamp time.Time) (grown int) {
	if t.Count == 0 {
		t.start(value, stamp)
	}

	t.Count++
	t.Sum += value
	if value <= t.Min && (value < t.Min || stamp.Before(t.MinAt)) {
		t.Min = value
		if t.want.times {
			t.MinAt = stamp
		}
	}
	if value >= t.Max && (value > t.Max || stamp.Before(t.MaxAt)) {
		t.Max = value
		if t.want.times {
			t.MaxAt = stamp
		}
	}

	if t.Sketch == nil {
		return 0
	}
	before := t.Bytes()
	t.Sketch.Add(value)
	return t.Bytes() - before
}

// start begins with the first reading.
func (t *tally) start(value float64, stamp time.Time) {
	t.Min = value
	t.Max = value
	if t.want.times {
		t.MinAt = stamp
		t.MaxAt = stamp
	}
	if t.want.distribution {
		t.Sketch = metric.NewSketch()
	}
}
