package learner

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/modelvigil/modelvigil/demo/stream"
)

// The usual reading of a population stability index, from credit scoring: below
// MinorShift nothing of note has changed, from MajorShift on the population is
// another. E. M. Lewis, "An introduction to credit scoring", 1994; N. Siddiqi,
// "Intelligent credit scoring", 2nd ed., Wiley, 2017, p. 369.
const (
	MinorShift = 0.10
	MajorShift = 0.25
)

// referenceBins is how many bins of equal share a reference has, as is usual.
const referenceBins = 10

// emptyBin is counted into every bin of both distributions, so that an empty one
// has a logarithm; half a sample is Jeffreys' prior.
const emptyBin = 0.5

// Reference is the distribution of each input that later ones are compared to.
type Reference struct {
	Inputs []Histogram `json:"inputs"`
}

// Histogram counts the values of one input in bins.
type Histogram struct {
	// Edges are the bins' upper bounds, inclusive and ascending; the last bin has
	// none.
	Edges  []float64 `json:"edges"`
	Counts []int     `json:"counts"` // one more than Edges
}

// NewReference takes each input's deciles as bins. A value that fills a bin of
// its own, such as a constant, gets one, so that a change either way is seen.
func NewReference(samples []stream.Sample) (Reference, error) {
	if len(samples) == 0 {
		return Reference{}, errors.New("drift reference: samples: must not be empty")
	}
	if err := stream.Check(samples, 0); err != nil {
		return Reference{}, fmt.Errorf("drift reference: %w", err)
	}
	reference := Reference{Inputs: make([]Histogram, len(samples[0].X))}
	for input := range reference.Inputs {
		edges := decileEdges(samples, input)
		reference.Inputs[input] = Histogram{Edges: edges, Counts: count(edges, samples, input)}
	}
	return reference, nil
}

// PSI returns the population stability index of each input in the window, 0 for
// one that is distributed as in the reference:
//
//	sum over bins of (window - reference) * ln(window / reference)
//
// of the bins' shares. It has no upper bound, and a small window alone raises it:
// without any shift its mean is about 9/window + 9/reference (in samples, for ten
// bins; B. Yurdakul, "Statistical properties of population stability index",
// Western Michigan University, 2018), so that a window of 100 samples reads
// MinorShift by chance, and one of 500 hardly ever does.
func (r Reference) PSI(window []stream.Sample) ([]float64, error) {
	if len(window) == 0 {
		return nil, errors.New("psi: needs at least one sample")
	}
	if len(r.Inputs) == 0 {
		return nil, errors.New("psi: the reference is empty")
	}
	if err := stream.Check(window, len(r.Inputs)); err != nil {
		return nil, fmt.Errorf("psi: %w", err)
	}

	psi := make([]float64, len(r.Inputs))
	for input, reference := range r.Inputs {
		psi[input] = index(reference.Counts, count(reference.Edges, window, input))
	}
	return psi, nil
}

// DriftScore returns the largest population stability index of all inputs.
func (r Reference) DriftScore(window []stream.Sample) (float64, error) {
	psi, err := r.PSI(window)
	if err != nil {
		return 0, err
	}
	return slices.Max(psi), nil
}

func index(reference, window []int) float64 {
	referenceShares, windowShares := shares(reference), shares(window)
	sum := 0.0
	for bin, expected := range referenceShares {
		sum += (windowShares[bin] - expected) * math.Log(windowShares[bin]/expected)
	}
	return sum
}

func shares(counts []int) []float64 {
	total := 0.0
	shares := make([]float64, len(counts))
	for bin, count := range counts {
		shares[bin] = float64(count) + emptyBin
		total += shares[bin]
	}
	for bin := range shares {
		shares[bin] /= total
	}
	return shares
}

func count(edges []float64, samples []stream.Sample, input int) []int {
	counts := make([]int, len(edges)+1)
	for _, sample := range samples {
		bin, _ := slices.BinarySearch(edges, sample.X[input])
		counts[bin]++
	}
	return counts
}

// decileEdges returns the inner deciles. One that is met twice is a value that
// fills a bin: it gets an edge just below it and one at it.
func decileEdges(samples []stream.Sample, input int) []float64 {
	column := make([]float64, len(samples))
	for i, sample := range samples {
		column[i] = sample.X[input]
	}
	slices.Sort(column)
	var edges []float64
	for bin := 1; bin < referenceBins; bin++ {
		edge := stat.Quantile(float64(bin)/referenceBins, stat.Empirical, column, nil)
		if len(edges) == 0 || edge > edges[len(edges)-1] {
			edges = append(edges, edge)
			continue
		}

		below := math.Nextafter(edge, math.Inf(-1))
		if len(edges) == 1 || edges[len(edges)-2] < below {
			edges = slices.Insert(edges, len(edges)-1, below)
		}
	}

	return edges
}

func (r Reference) validate() error {
	var faults []error
	for i, input := range r.Inputs {
		path := fmt.Sprintf("reference.inputs[%d]", i)
		if len(input.Edges) == 0 {
			faults = append(faults, fmt.Errorf("%s.edges: must not be empty", path))
		}
		faults = append(faults, checkFinite(path+".edges", input.Edges))
		if !slices.IsSorted(input.Edges) {
			faults = append(faults, fmt.Errorf("%s.edges: must be ascending", path))
		}
		if len(input.Counts) != len(input.Edges)+1 {
			faults = append(faults, fmt.Errorf("%s.counts: must be %d for %d edges, got %d", path, len(input.Edges)+1, len(input.Edges), len(input.Counts)))
		}
		for bin, count := range input.Counts {
			if count < 0 {
				faults = append(faults, fmt.Errorf("%s.counts[%d]: must not be below 0, got %d", path, bin, count))
			}
		}
	}

	return errors.Join(faults...)
}
