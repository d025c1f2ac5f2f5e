package contrast

import (
	"encoding/json"

	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// HoldProfile lets periods be held against training data, where the rule is: a state
// has that once, in its policy, and the features of no version have it again.
func (c *Comparison) HoldProfile(r *policy.Rule, profiles map[string]*drift.Profile) {
	if r.Drift.Reference.From != policy.ReferenceProfile {
		return
	}
	for _, f := range c.Features {
		f.compareWith(profiles[r.Drift.Reference.Profile].Reference(f.Name, f.Category), 0)
	}
}

// isOfProfile says that the reference is training data, which was there from the
// beginning.
func (f *Feature) isOfProfile() bool { return f.Against != nil && f.Since == 0 }

// MarshalJSON writes the feature without what the policy has of it.
func (f *Feature) MarshalJSON() ([]byte, error) {
	type plainly Feature
	written := plainly(*f)
	if f.isOfProfile() {
		written.Against = nil
	}
	return json.Marshal(&written)
}
