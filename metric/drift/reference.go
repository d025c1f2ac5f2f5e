package drift

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"

	"github.com/modelvigil/modelvigil/metric"
)

// Bounds of a reference.
const (
	// MaxEdges is how many inner edges the bins of numbers have, at the quantiles i/32.
	MaxEdges = 31
	// maxKeptValues is how many values of a category have a bin of their own.
	maxKeptValues = 99
)

// Reference is the distribution that periods are held against, frozen into bins: of a
// metric, with Edges between them; of a category, one for each of Values and a last
// one for all others.
type Reference struct {
	Edges  Edges    `json:"edges,omitempty"`  // ascending; bin i holds Edges[i-1] <= x < Edges[i]
	Values []string `json:"values,omitempty"` // the most frequent first
	Counts Counts   `json:"counts"`           // by bin
	// Mean is that of the readings, and Deviation their standard deviation, 0 where they
	// are all alike: as they were when the edges were frozen.
	Mean      float64 `json:"mean,omitempty"`
	Deviation float64 `json:"deviation,omitempty"`
	Missing   int64   `json:"missing,omitempty"` // events that had no reading
}

// MissingShare is the share of events that had no reading.
func (r *Reference) MissingShare() float64 {
	total := r.Counts.Total() + r.Missing
	if total == 0 {
		return 0
	}
	return float64(r.Missing) / float64(total)
}

// IsOneBin says that all readings of a metric are in one bin though they differ: they
// are nearer to each other than a sketch tells apart, and so is what comes later.
func (r *Reference) IsOneBin() bool {
	return r.Deviation > 0 && slices.Max(r.Counts) == r.Counts.Total()
}

// Bin is the bin of a number.
func (r *Reference) Bin(value float64) int {
	bin, isEdge := slices.BinarySearch(r.Edges, value)
	if isEdge {
		return bin + 1
	}
	return bin
}

// BinOf is the bin of a category's value.
func (r *Reference) BinOf(value string) int {
	if bin := slices.Index(r.Values, value); bin >= 0 {
		return bin
	}
	return len(r.Values)
}

// Bins is how many bins there are.
func (r *Reference) Bins() int {
	if len(r.Values) > 0 {
		return len(r.Values) + 1
	}
	return len(r.Edges) + 1
}

// CountValues counts readings of a category in the reference's bins.
func (r *Reference) CountValues(values *metric.Values) *Tally {
	counts := make(Counts, r.Bins())
	for i, value := range r.Values {
		counts[i] = values.Counts[value]
	}
	counts[len(counts)-1] = values.Count() - counts.Total()
	return &Tally{Counts: counts}
}

// CountSpread counts a spread in the reference's bins, with what is in doubt where an
// edge lies within one of the spread's bins.
func (r *Reference) CountSpread(spread *Spread) *Tally {
	tally := &Tally{Counts: make(Counts, len(r.Edges)+1)}
	for _, bin := range spread.bins {
		low, high := bin.bounds()
		first, last := r.Bin(low), r.Bin(math.Nextafter(high, math.Inf(-1)))
		between := int64(last - first)
		if between == 0 {
			tally.Counts[first] += bin.Count
			continue
		}

		if tally.Doubt == nil {
			tally.Doubt = make(Counts, len(r.Edges))
		}
		below := int64(0) // of the bin, below the edge
		for i := int64(0); i <= between; i++ {
			upTo := bin.Count * (i + 1) / (between + 1)
			tally.Counts[int64(first)+i] += upTo - below
			below = upTo
			if i < between {
				tally.Doubt[int64(first)+i] += max(below, bin.Count-below)
			}
		}
	}
	return tally
}

// ID names the reference's edges: counts under other edges are never added.
func (r *Reference) ID() string {
	hash := sha256.New()
	for _, edge := range r.Edges {
		hash.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(edge)))
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:5])
}

// ReferenceOfValues freezes the readings of a category.
func ReferenceOfValues(values *metric.Values, missing int64) *Reference {
	r := &Reference{Values: values.Frequent(), Missing: missing}
	r.Values = r.Values[:min(len(r.Values), maxKeptValues)]
	r.Counts = r.CountValues(values).Counts
	return r
}
