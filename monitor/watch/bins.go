package watch

import (
	"reflect"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor/contrast"
)

// Bins are the edges between which drift rules want readings counted: those of profiles
// for any version, and for the versions that are tracked what was learnt besides.
func (w *Watch) Bins() (all []contract.Bins) {
	if !w.hasDrift {
		return nil
	}
	if w.ofProfiles == nil {
		w.ofProfiles = w.compareProfiles()
	}

	others := w.binsOf(w.ofProfiles)
	if len(others) > 0 {
		all = append(all, contract.Bins{Others: true, Metrics: others})
	}
	for _, seen := range w.tracked {
		compared := make([]*contrast.Comparison, len(w.policy.Rules))
		for i, t := range seen.Rules {
			compared[i] = w.ofProfiles[i]
			if t.Window != nil && t.Window.Compare != nil {
				compared[i] = t.Window.Compare
			}
		}
		own := w.binsOf(compared)
		if len(own) > 0 && !reflect.DeepEqual(own, others) {
			all = append(all, contract.Bins{ModelVersion: seen.name, Metrics: own})
		}
	}
	return all
}

// compareProfiles makes for each rule that is held against training data what a version
// begins with.
func (w *Watch) compareProfiles() []*contrast.Comparison {
	compared := make([]*contrast.Comparison, len(w.policy.Rules))
	for i := range w.policy.Rules {
		if r := &w.policy.Rules[i]; w.policy.ProfileOf(r) != nil {
			compared[i] = contrast.New(r, w.policy.Profiles)
		}
	}
	return compared
}

// binsOf are the edges that are known by what the rules compare, each in its place; nil
// where nothing was compared yet.
func (w *Watch) binsOf(compared []*contrast.Comparison) (metrics map[string]contract.MetricBins) {
	for _, c := range compared {
		if c == nil {
			continue
		}
		for _, name := range c.Metrics() {
			if _, isDone := metrics[name]; isDone {
				continue
			}
			bins := w.binsOfMetric(name, compared)
			if len(bins.Grids) == 0 {
				continue
			}
			if metrics == nil {
				metrics = map[string]contract.MetricBins{}
			}
			metrics[name] = bins
		}
	}

	return metrics
}

func (w *Watch) binsOfMetric(name string, compared []*contrast.Comparison) (bins contract.MetricBins) {
	isKnown := map[string]bool{}
	for i := range w.policy.Rules {
		r := &w.policy.Rules[i]
		if !r.IsDrift() {
			continue
		}

		var grid *drift.Grid
		sketch := r.Watches(name, false)
		if compared[i] != nil {
			grid, sketch = compared[i].Wants(r, name)
		}
		if grid != nil && !isKnown[grid.ID] {
			isKnown[grid.ID] = true
			if len(bins.Grids) < metric.MaxBinned {
				bins.Grids = append(bins.Grids, *grid)
			} else {
				sketch = true
			}
		}
		bins.Sketch = bins.Sketch || sketch
	}
	return bins
}
