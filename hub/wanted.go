package hub

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// want is what a digest carries of one metric beside its count, sum and extremes.
type want struct {
	distribution bool            // a sketch
	times        bool            // when the extremes were measured
	finders      []*drift.Finder // counts in these bins
}

// wanted is what a monitor wants of each metric, of one model version where it was made
// for one. It is never changed.
type wanted struct {
	everything    bool // nothing was learnt of the monitor yet: it may want anything
	distributions policy.Distributions
	instants      map[string]bool // metrics that a rule judges at each event
	guidance      contract.Guidance
	named         [3]want
	binned        map[string]want // metrics whose edges are known
}

func newWanted(g *contract.Guidance) *wanted {
	w := &wanted{distributions: policy.DistributionsFor(g.Rules, g.KeepDistributions), instants: map[string]bool{}, guidance: *g}
	for i := range g.Rules {
		if r := &g.Rules[i]; r.IsInstant() {
			w.instants[r.Metric] = true
		}
	}
	return w
}

// forVersion is what is wanted of a model version.
func (w *wanted) forVersion(version string) *wanted {
	own := *w
	own.binned = map[string]want{}
	for name, bins := range w.guidance.BinsOf(version) {
		own.binned[name] = w.ofBinned(name, &bins)
	}
	for i, name := range namedMetrics {
		own.named[i] = own.of(name)
	}
	return &own
}

func (w *wanted) of(name string) want {
	binned, isBinned := w.binned[name]
	if isBinned {
		return binned
	}
	return want{
		distribution: w.everything || w.distributions.Has(name) || w.distributions.Compares(name),
		times:        w.everything || w.instants[name],
	}
}

func (w *wanted) ofBinned(name string, bins *contract.MetricBins) want {
	wants := want{distribution: w.distributions.Has(name) || bins.Sketch, times: w.instants[name]}
	for i := range bins.Grids[:min(len(bins.Grids), metric.MaxBinned)] {
		finder := drift.NewFinder(&bins.Grids[i])
		if finder == nil {
			wants.distribution = true
			continue
		}
		wants.finders = append(wants.finders, finder)
	}
	return wants
}

// tally is one metric of a digest in the making.
type tally struct {
	metric.Summary
	want    want
	isPlain bool // it has begun, and has neither bins nor a sketch
}

// add folds a reading, and returns by how many bytes that grew.
func (t *tally) add(value float64, stamp time.Time) (grown int) {
	if t.isPlain && value > t.Min && value < t.Max { // nearly each reading of most models
		t.Count++
		t.Sum += value
		return 0
	}
	return t.addAny(value, stamp)
}

// addAny is add for every reading.
func (t *tally) addAny(value float64, stamp time.Time) (grown int) {
	if t.Count == 0 {
		grown = t.start(value, stamp)
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

	for i, finder := range t.want.finders {
		t.Bins[i].Counts[finder.Bin(value)]++
	}
	if t.Sketch != nil {
		before := t.Bytes()
		t.Sketch.Add(value)
		grown += t.Bytes() - before
	}
	return grown
}

// start begins with the first reading, and returns by how many bytes that grew.
func (t *tally) start(value float64, stamp time.Time) int {
	before := t.Bytes()
	t.Min = value
	t.Max = value
	if t.want.times {
		t.MinAt = stamp
		t.MaxAt = stamp
	}
	for _, finder := range t.want.finders {
		t.Bins = append(t.Bins, finder.Start())
	}
	if t.want.distribution {
		t.Sketch = metric.NewSketch()
	}
	t.isPlain = len(t.Bins) == 0 && t.Sketch == nil
	return t.Bytes() - before
}

// lighten lets go of the sketch, the bins and the times that nobody wants any more, and
// returns how many bytes that was. Where bins are wanted the sketch stays: it tells of what
// came before them. What stays is counted on as it was.
func (t *tally) lighten(wants want) (freed int) {
	switch {
	case t.Count == 0:
		t.want = wants
		return 0
	case t.isPlain || wants.distribution || len(wants.finders) > 0:
		return 0
	}

	before := t.Bytes()
	t.Sketch = nil
	t.Bins = nil
	t.want = wants
	t.isPlain = true
	if !wants.times {
		t.MinAt = time.Time{}
		t.MaxAt = time.Time{}
	}
	return before - t.Bytes()
}
