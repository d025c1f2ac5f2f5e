package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/policy"
)

// defaults is a document from which others inherit: those of its teams, those
// whose model's name fits one of its patterns, or all where it names neither.
type defaults struct {
	where  string
	teams  []string
	models []string // patterns of path.Match
	fields map[string]json.RawMessage
}

// parseDefaults reads a document that has `defaults`. Its fields are validated as
// far as they go by themselves.
func parseDefaults(where string, fields map[string]json.RawMessage) (d defaults, err error) {
	d.where = where
	var scope map[string]json.RawMessage
	faults := []error{}
	if err := json.Unmarshal(fields["defaults"], &scope); err != nil || scope == nil {
		faults = append(faults, errors.New("defaults: must be a mapping with teams, models, or neither, for all"))
	}
	for _, name := range slices.Sorted(maps.Keys(scope)) {
		into := map[string]*[]string{"teams": &d.teams, "models": &d.models}[name]
		if into == nil {
			faults = append(faults, strict.At("defaults."+plain.Text(name), strict.UnknownField(name, []string{"models", "teams"})))
		} else if err := json.Unmarshal(scope[name], into); err != nil {
			faults = append(faults, fmt.Errorf("defaults.%s: must be a list of names", name))
		}
	}

	for i, pattern := range d.models {
		if _, err := path.Match(pattern, ""); err != nil {
			faults = append(faults, fmt.Errorf("defaults.models[%d]: must be a pattern such as fraud-*, got %q", i, pattern))
		}
	}

	d.fields = maps.Clone(fields)
	delete(d.fields, "defaults")
	if _, named := d.fields["model_name"]; named {
		faults = append(faults, errors.New("model_name: has no place in a document of defaults; name models in defaults.models"))
		delete(d.fields, "model_name")
	}

	rest, err := json.Marshal(d.fields)
	if err == nil {
		_, err = policy.Decode(rest)
	}
	return d, errors.Join(append(faults, err)...)
}

// fits says that a document inherits from the defaults.
func (d *defaults) fits(model, team string) bool {
	if d.teams == nil && d.models == nil {
		return true
	}
	return slices.Contains(d.teams, team) && team != "" || slices.ContainsFunc(d.models, func(pattern string) bool {
		matched, err := path.Match(pattern, model)
		return err == nil && matched
	})
}

// inherit adds what a document leaves out: later defaults win over earlier ones,
// the document's own fields over all. A field replaces as a whole, but for
// `retraining`, whose fields do so one by one.
func inherit(own map[string]json.RawMessage, all []defaults, model string) map[string]json.RawMessage {
	var team string
	_ = json.Unmarshal(own["team"], &team) // what is no string is a fault elsewhere
	merged := map[string]json.RawMessage{}
	put := func(fields map[string]json.RawMessage) {
		for name, value := range fields {
			if name == "retraining" {
				value = mergeObjects(merged[name], value)
			}
			merged[name] = value
		}
	}

	for i := range all {
		if all[i].fits(model, team) {
			put(all[i].fields)
		}
	}

	put(own)
	return merged
}

// mergeObjects puts an object's fields over another's; what is no object replaces.
func mergeObjects(under, over json.RawMessage) json.RawMessage {
	var below, above map[string]json.RawMessage
	if json.Unmarshal(under, &below) != nil || json.Unmarshal(over, &above) != nil || below == nil || above == nil {
		return over
	}
	maps.Copy(below, above)
	merged, err := json.Marshal(below)
	if err != nil {
		return over
	}
	return merged
}

// inheritedFrom names the defaults that a fault's field comes from, or is "".
func inheritedFrom(own map[string]json.RawMessage, all []defaults, model, field string) string {
	first := steps(field)
	if len(first) == 0 {
		return ""
	}
	if _, has := own[first[0]]; has {
		return ""
	}

	var team string
	_ = json.Unmarshal(own["team"], &team)
	for _, d := range slices.Backward(all) {
		if _, has := d.fields[first[0]]; has && d.fits(model, team) {
			return strings.TrimSpace(d.where)
		}
	}

	return ""
}
