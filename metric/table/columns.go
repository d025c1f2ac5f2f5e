// Package table has events as the rows of a table: what they measure is in columns, whose
// names are kept once for all rows. Who reads many events looks for a metric's name once,
// and finds its reading in each row by its place.
package table

import (
	"iter"
	"slices"

	"github.com/modelvigil/modelvigil/metric"
)

// maxColumns bounds the columns that are kept for events of which each measures something
// else: it is how many metrics one event may have.
const maxColumns = metric.NamedMetrics + metric.MaxExtraMetrics

// Columns are names of metrics, ascending. The three that an event names itself are always
// among them. Columns never change: rows that share them have each metric in the same place.
type Columns struct {
	names []string

	accuracy, driftScore, latencyMS int // the places of the three
}

// Own are the three that an event names itself.
var Own = ColumnsOf(nil)

// ColumnsOf are columns of names in any order, of which some may come more than once.
func ColumnsOf(names []string) *Columns {
	c := &Columns{names: append([]string{metric.Accuracy, metric.DriftScore, metric.LatencyMS}, names...)}
	slices.Sort(c.names)
	c.names = slices.Compact(c.names)
	c.find()
	return c
}

// With are columns that have further names, too. Where these would be more than one event
// may have, it is those names alone.
func (c *Columns) With(names iter.Seq[string]) *Columns {
	all := slices.Clone(c.names)
	for name := range names {
		place, isThere := slices.BinarySearch(all, name)
		if !isThere {
			all = slices.Insert(all, place, name)
		}
	}
	if len(all) > maxColumns && len(c.names) > metric.NamedMetrics {
		return Own.With(names)
	}

	more := &Columns{names: all}
	more.find()
	return more
}

// find finds the places of the three.
func (c *Columns) find() {
	c.accuracy = c.Place(metric.Accuracy)
	c.driftScore = c.Place(metric.DriftScore)
	c.latencyMS = c.Place(metric.LatencyMS)
}

// Names are the names by place. They must not be changed.
func (c *Columns) Names() []string { return c.names }

// Nowhere is the place of a name that no column has.
const Nowhere = -1

// Place is where the column of a name is, or Nowhere.
func (c *Columns) Place(name string) int {
	place, isThere := slices.BinarySearch(c.names, name)
	if !isThere {
		return Nowhere
	}
	return place
}
