package drift

import "github.com/modelvigil/modelvigil/metric"

// Counts are how many readings are in each bin.
type Counts = metric.Counts

// Tally is what was counted of a period in the bins of a reference.
type Tally struct {
	Counts Counts `json:"counts"`
	// Doubt is, for each inner edge, how many readings may be on the other side of it
	// than they were counted on, since a sketch says no better; nil where none may.
	Doubt Counts `json:"doubt,omitempty"`
}

// Add adds another tally in the same bins.
func (t *Tally) Add(other *Tally) {
	if t.Counts == nil {
		t.Counts = make(Counts, len(other.Counts))
	}
	t.Counts.Add(other.Counts)
	if other.Doubt == nil {
		return
	}
	if t.Doubt == nil {
		t.Doubt = make(Counts, len(other.Doubt))
	}
	t.Doubt.Add(other.Doubt)
}

// IsApproximate says that some reading may have been counted in another bin.
func (t *Tally) IsApproximate() bool { return t.Doubt != nil && t.Doubt.Total() > 0 }
