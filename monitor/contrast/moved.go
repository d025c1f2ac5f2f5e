package contrast

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric/drift"
)

// tellMoved tells of the features that are furthest beyond their bounds, or nearest.
func tellMoved(judged []found) (all []Moved) {
	for i := range judged[:min(len(judged), mostMoved)] {
		f := &judged[i]
		all = append(all, Moved{
			Name: f.feature.Name, Value: f.value, Threshold: f.bound,
			Readings: f.tally.Counts.Total(), Reference: f.feature.Against.Counts.Total(),
			Bins: movedBins(f.feature.Against, f.tally.Counts),
		})
	}
	return all
}

// Picture is a feature of what was found last as it was counted, bin by bin.
type Picture struct {
	Name      string
	Value     float64
	Threshold float64
	Bins      []string // in words
	Reference drift.Counts
	Period    drift.Counts
}

// Pictures are the features that Moved tells of.
func (c *Comparison) Pictures() (all []Picture) {
	for i := range c.judged[:min(len(c.judged), mostMoved)] {
		f := &c.judged[i]
		made := Picture{Name: f.feature.Name, Value: f.value, Threshold: f.bound, Reference: f.reference, Period: f.tally.Counts}
		for bin := range f.reference {
			made.Bins = append(made.Bins, binWords(f.feature.Against, bin))
		}
		all = append(all, made)
	}
	return all
}

// movedBins are the bins whose share has changed most, in words: `18 to 24 up from 3 %
// to 11 %`.
func movedBins(reference *drift.Reference, counts drift.Counts) (words []string) {
	n, m := float64(reference.Counts.Total()), float64(counts.Total())
	if n == 0 || m == 0 {
		return nil
	}
	moved := make([]int, len(counts))
	change := make([]float64, len(counts))
	for i := range counts {
		moved[i] = i
		change[i] = float64(counts[i])/m - float64(reference.Counts[i])/n
	}
	slices.SortStableFunc(moved, func(a, b int) int { return cmp.Compare(math.Abs(change[b]), math.Abs(change[a])) })

	for _, bin := range moved[:min(len(moved), mostMoved)] {
		if change[bin] == 0 {
			break
		}
		way := "up"
		if change[bin] < 0 {
			way = "down"
		}
		words = append(words, fmt.Sprintf("%s %s from %s to %s", binWords(reference, bin), way,
			percent(float64(reference.Counts[bin])/n), percent(float64(counts[bin])/m)))
	}
	return words
}

func binWords(reference *drift.Reference, bin int) string {
	edges := reference.Edges
	switch {
	case len(reference.Values) > 0 && bin < len(reference.Values):
		return plain.Cut(reference.Values[bin], 40)
	case len(reference.Values) > 0:
		return "all others"
	case len(edges) == 0:
		return "all"
	case bin == 0:
		return "below " + edgeWords(edges[0])[0]
	case bin == len(edges):
		return edgeWords(edges[bin-1])[0] + " and above"
	}

	words := edgeWords(edges[bin-1], edges[bin])
	if words[0] == words[1] {
		return "exactly " + words[0]
	}
	return words[0] + " to " + words[1]
}

// edgeWords are edges with as few digits as tell them apart, of three to six.
func edgeWords(edges ...float64) (words []string) {
	for digits := 3; digits <= 6; digits++ {
		words = words[:0]
		for _, edge := range edges {
			integers := 0 // so many digits are before the point, and none of them is cut off
			for x := math.Abs(edge); x >= 1 && integers < 6; x /= 10 {
				integers++
			}
			words = append(words, strconv.FormatFloat(edge, 'g', max(digits, integers), 64))
		}
		if len(words) < 2 || words[0] != words[1] {
			break
		}
	}

	return words
}

func percent(share float64) string {
	return strconv.FormatFloat(100*share, 'g', 3, 64) + " %"
}
