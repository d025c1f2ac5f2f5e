// Package difference says what becomes of each field of a policy when another one is
// put in force.
package difference

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy"
)

// Change is what becomes of one field of a policy; empty is left out.
type Change struct {
	Field  string          `json:"field"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// String is `cooldown: "1h" → "2h"`.
func (c Change) String() string {
	switch {
	case c.Before == nil:
		return fmt.Sprintf("%s: %s is added", plain.Text(c.Field), plain.Text(string(c.After)))
	case c.After == nil:
		return fmt.Sprintf("%s: %s is dropped", plain.Text(c.Field), plain.Text(string(c.Before)))
	}
	return fmt.Sprintf("%s: %s → %s", plain.Text(c.Field), plain.Text(string(c.Before)), plain.Text(string(c.After)))
}

// Of returns the changes from a policy as the wire has it to another, by field. Rules
// are told apart by their names.
func Of(before []byte, policy policy.Policy) ([]Change, error) {
	after, err := json.Marshal(policy.WithDefaults())
	if err != nil {
		return nil, err
	}
	old, oldRules, err := flatten(before)
	if err != nil {
		return nil, err
	}

	new, newRules, err := flatten(after)
	if err != nil {
		return nil, err
	}

	var found []Change
	for _, field := range slices.Sorted(maps.Keys(merged(old, new))) {
		if string(old[field]) != string(new[field]) {
			found = append(found, Change{field, old[field], new[field]})
		}
	}

	kept := func(names, others []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(others, name) })
	}
	if left, right := kept(oldRules, newRules), kept(newRules, oldRules); !slices.Equal(left, right) {
		beforeOrder, _ := json.Marshal(left)
		afterOrder, _ := json.Marshal(right)
		found = append(found, Change{"order of rules", beforeOrder, afterOrder})
	}

	return found, nil
}

func merged(a, b map[string]json.RawMessage) map[string]json.RawMessage {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// flatten is a policy by field: `retraining.timeout`, `rule slow` with all of a
// rule's own in one, and the names of its rules in order.
func flatten(policy []byte) (flat map[string]json.RawMessage, rules []string, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(policy, &fields); err != nil {
		return nil, nil, fmt.Errorf("read the policy in force: %w", err)
	}

	flat = map[string]json.RawMessage{}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(fields["rules"], &list); err != nil {
		return nil, nil, fmt.Errorf("read the rules in force: %w", err)
	}

	delete(fields, "rules")
	for _, rule := range list {
		var name string
		if err := json.Unmarshal(rule["name"], &name); err != nil {
			return nil, nil, fmt.Errorf("read the rules in force: %w", err)
		}

		rules = append(rules, name)
		delete(rule, "name")
		for field, value := range rule {
			flat["rule "+name+": "+field] = canonical(value)
		}
	}

	for field, value := range fields {
		var object map[string]json.RawMessage
		if field == "retraining" && json.Unmarshal(value, &object) == nil {
			for name, inner := range object {
				flat[field+"."+name] = canonical(inner)
			}
			continue
		}
		flat[field] = canonical(value)
	}

	return flat, rules, nil
}

// canonical is JSON whose keys are sorted and whose spaces are gone.
func canonical(value json.RawMessage) json.RawMessage {
	var any any
	decoder := json.NewDecoder(strings.NewReader(string(value)))
	decoder.UseNumber()
	if decoder.Decode(&any) != nil {
		return value
	}
	encoded, err := json.Marshal(any)
	if err != nil {
		return value
	}

	return encoded
}
