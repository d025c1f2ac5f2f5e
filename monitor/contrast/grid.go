package contrast

import (
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// Metrics are the names of the metrics, without categories, that are watched.
func (c *Comparison) Metrics() (names []string) {
	for _, f := range c.Features {
		if !f.Category {
			names = append(names, f.Name)
		}
	}
	return names
}

// Wants says between which edges the readings of a metric are counted, where they are
// known, and whether a sketch is wanted of them: there is something to learn yet.
func (c *Comparison) Wants(r *policy.Rule, name string) (grid *drift.Grid, sketch bool) {
	if c.Dropped || !r.Watches(name, false) {
		return nil, false
	}

	for _, f := range c.Features {
		if f.Category || f.Name != name {
			continue
		}
		if f.Against == nil {
			return nil, true
		}
		f.edgesID()
		return &f.grid, f.Own != nil
	}
	return nil, !c.Closed
}

// bin is the bin of a number in the reference that the feature is held against.
func (f *Feature) bin(value float64) int {
	if f.finder == nil {
		f.edgesID()
		f.finder = drift.NewFinder(&f.grid)
	}
	return f.finder.Bin(value)
}

// edgesID names the edges of the reference that the feature is held against.
func (f *Feature) edgesID() string {
	if f.grid.ID == "" {
		f.grid = f.Against.Grid()
	}
	return f.grid.ID
}
