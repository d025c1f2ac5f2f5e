package drift

import (
	"math"
	"slices"

	"github.com/modelvigil/modelvigil/metric"
)

// Grid are the edges of a reference's bins under their name, as those who count readings
// are told of them.
type Grid struct {
	ID    string `json:"id"` // Reference.ID
	Edges Edges  `json:"edges"`
}

// Grid are the edges of the reference.
func (r *Reference) Grid() Grid { return Grid{r.ID(), r.Edges} }

// Finder finds the bins of numbers between the edges of a grid, in a time that depends
// on neither.
type Finder struct {
	id    string
	bins  int
	edges [MaxEdges]float64 // those that the grid lacks are beyond all numbers
}

// NewFinder returns the finder of a grid; nil where the grid is none that a reference
// has: of more than MaxEdges edges, or of others than ascending ones.
func NewFinder(g *Grid) *Finder {
	if len(g.Edges) > MaxEdges || !slices.IsSorted(g.Edges) {
		return nil
	}

	f := &Finder{id: g.ID, bins: len(g.Edges) + 1}
	for i := copy(f.edges[:], g.Edges); i < MaxEdges; i++ {
		f.edges[i] = math.Inf(1)
	}
	return f
}

// Start returns bins without a reading.
func (f *Finder) Start() metric.Bins {
	return metric.Bins{Edges: f.id, Counts: make(metric.Counts, f.bins)}
}

// Bin is the bin of a finite number, as Reference.Bin is. Of the edges that divide the
// others into four parts it counts those up to the number, and then those of its part:
// ten comparisons of which none waits for a guess about another (BenchmarkFinder).
func (f *Finder) Bin(value float64) int {
	first := 8 * (from(f.edges[7], value) + from(f.edges[15], value) + from(f.edges[23], value))
	part := f.edges[first : first+7]
	return first + from(part[0], value) + from(part[1], value) + from(part[2], value) + from(part[3], value) +
		from(part[4], value) + from(part[5], value) + from(part[6], value)
}

// from is 1 where a number is an edge or above it, and 0 below.
func from(edge, value float64) (above int) {
	if edge <= value {
		above = 1
	}
	return above
}
