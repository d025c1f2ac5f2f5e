package contrast

import (
	"fmt"

	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// Awaited is a feature whose reference is not full yet.
type Awaited struct {
	Name     string `json:"name"`
	Category bool   `json:"category,omitempty"`
	Rule     string `json:"rule"`
	Has      string `json:"has"` // how much of what it wants: "312 of 5000 readings"
}

// AddTo adds to a profile what the rule has learnt of the version's own readings, and
// returns the features of which it has nothing yet. Of training data it learns nothing.
func (c *Comparison) AddTo(profile *drift.Profile, r *policy.Rule) (awaited []Awaited) {
	if r.Drift.Reference.From == policy.ReferenceProfile {
		return nil
	}

	for _, f := range c.Features {
		if learnt := f.learnt(r); learnt != nil {
			profile.Put(f.Name, f.Category, learnt)
			continue
		}
		awaited = append(awaited, Awaited{f.Name, f.Category, r.Name, f.has(r)})
	}
	return awaited
}

// OneBin are metrics, eight at most, whose reference has all readings in one bin, so
// that the rule sees nothing of a change within it.
func (c *Comparison) OneBin() (names []string) {
	for _, f := range c.Features {
		if f.Against != nil && f.Against.IsOneBin() && len(names) < mostNamed {
			names = append(names, f.Name)
		}
	}
	return names
}

// learnt is the reference that the version's own readings have made; nil where they
// have made none yet.
func (f *Feature) learnt(r *policy.Rule) *drift.Reference {
	if r.Drift.Reference.From == policy.ReferencePrevious { // what it is held against is another version's
		return f.Full
	}
	return f.Against
}

// has says how much there is of what makes the reference.
func (f *Feature) has(r *policy.Rule) string {
	reference := &r.Drift.Reference
	if reference.From == policy.ReferenceTrailing {
		return fmt.Sprintf("%d of %d periods", len(f.Trail), reference.PeriodCount())
	}
	readings := int64(0)
	if f.Own != nil {
		readings = f.Own.count()
	}
	return fmt.Sprintf("%d of %d readings", readings, reference.SampleCount())
}
