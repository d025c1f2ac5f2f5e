package metric

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/internal/strict"
)

const (
	// maxBins bounds the bins that readings of a metric are counted in.
	maxBins = 32
	// MaxBinned bounds the lists of edges that the readings of one metric are counted
	// between at once.
	MaxBinned     = 4
	maxEdgesBytes = 64 // of a name of edges
)

// Bins are readings counted between the edges of a reference.
type Bins struct {
	// Edges names them: counts under other edges are never added. 1 to 64 bytes.
	Edges string `json:"edges"`
	// Counts are below the first edge, from each to the next, and from the last on; an
	// edge belongs to what is above it.
	Counts Counts `json:"counts"`
}

// BinsOf are the counts between the edges of a name; nil where there are none.
func (m *Summary) BinsOf(edges string) Counts {
	for i := range m.Bins {
		if m.Bins[i].Edges == edges {
			return m.Bins[i].Counts
		}
	}
	return nil
}

// mergeBins adds those of another digest between edges that both know: of others only a
// part would be counted.
func (m *Summary) mergeBins(other *Summary) {
	m.Bins = slices.DeleteFunc(m.Bins, func(b Bins) bool { return len(other.BinsOf(b.Edges)) != len(b.Counts) })
	for i := range m.Bins {
		m.Bins[i].Counts.Add(other.BinsOf(m.Bins[i].Edges))
	}
}

// cloneBins returns a copy that shares nothing that changes.
func cloneBins(bins []Bins) []Bins {
	copied := slices.Clone(bins)
	for i := range copied {
		copied[i].Counts = slices.Clone(copied[i].Counts)
	}
	return copied
}

// KeepsAll says that a digest of both, merged, has each distribution that either has:
// nothing is counted in one of them alone.
func (d *Digest) KeepsAll(other *Digest) bool {
	for name, mine := range d.Metrics {
		theirs := other.Metrics[name]
		if theirs == nil {
			continue
		}
		if (mine.Sketch == nil) != (theirs.Sketch == nil) || len(mine.Bins) != len(theirs.Bins) {
			return false
		}
		for i := range mine.Bins {
			if theirs.BinsOf(mine.Bins[i].Edges) == nil {
				return false
			}
		}
	}

	return true
}

// validateBins names the first fault of what was counted in bins.
func (m *Summary) validateBins() error {
	if len(m.Bins) > MaxBinned {
		return fmt.Errorf("must be between at most %d lists of edges, got %d", MaxBinned, len(m.Bins))
	}
	for i := range m.Bins {
		err := m.validateBinsOf(&m.Bins[i])
		if err != nil {
			return strict.At(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (m *Summary) validateBinsOf(b *Bins) error {
	if !isName(b.Edges, 1, maxEdgesBytes) {
		return fmt.Errorf("edges: must be a name of 1 to %d bytes", maxEdgesBytes)
	}
	if n := len(b.Counts); n < 1 || n > maxBins {
		return fmt.Errorf("counts: must be of 1 to %d bins, got %d", maxBins, n)
	}

	err := b.Counts.Check()
	if err != nil {
		return fmt.Errorf("counts: %w", err)
	}
	if total := b.Counts.Total(); total != m.Count {
		return fmt.Errorf("counts: must add up to the %d readings, got %d", m.Count, total)
	}
	return nil
}

// packBins writes each bins as a text: the packed counts, whose total is the summary's
// count, a space, and the name of the edges.
func packBins(bins []Bins) (packed []string) {
	for i := range bins {
		if counts := bins[i].Counts; len(counts) > 0 {
			packed = append(packed, base64.RawStdEncoding.EncodeToString(counts.pack(nil))+" "+bins[i].Edges)
		}
	}
	return packed
}

// unpackBins reads what packBins wrote of so many readings.
func unpackBins(packed []string, count int64) (bins []Bins, err error) {
	for _, text := range packed {
		counts, edges, _ := strings.Cut(text, " ")
		data, err := base64.RawStdEncoding.DecodeString(counts)
		if err != nil {
			return nil, errPacked
		}
		b := Bins{Edges: edges}
		err = b.Counts.unpack(data, count)
		if err != nil {
			return nil, err
		}
		bins = append(bins, b)
	}

	return bins, nil
}

// texts reads a list of them.
func (c *cursor) texts() (all []string) {
	for more := c.Open('[', ']'); more; more = c.More(']') {
		all = append(all, string(c.Text()))
	}
	return all
}

// bins reads them as encoding/json writes them.
func (c *cursor) bins() (bins []Bins) {
	if c.Null() {
		return nil
	}
	c.Bad = json.Unmarshal(c.Element(), &bins) != nil || c.Bad
	return bins
}
