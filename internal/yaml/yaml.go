// Package yaml turns YAML into JSON for whatever reads files of people: a key that is
// written twice is a fault, and one that overrides a merged one (`<<: *base`) is not.
package yaml

import (
	"bytes"
	"fmt"
	"slices"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// maxMerged bounds how many fields merge keys may bring into one text: a few hundred
// bytes that merge each other could make gigabytes.
const maxMerged = 100_000

var errTooMany = fmt.Errorf("merge keys must bring at most %d fields", maxMerged)

// ToJSON reads one document. Its error says line by line what is no YAML, and begins
// with `not YAML`.
func ToJSON(text []byte) ([]byte, error) {
	object, err := toJSON(text)
	return object, said(err)
}

func toJSON(text []byte) ([]byte, error) {
	object, err := yaml.YAMLToJSONStrict(text)
	if err == nil || !bytes.Contains(text, []byte("<<")) {
		return object, err
	}

	// What overrides a merged field is called a duplicate, too: without merge keys the
	// true ones are left.
	var root yamlv3.Node
	if yamlv3.Unmarshal(text, &root) != nil {
		return nil, err
	}
	m := merging{}
	if err := m.flatten(&root); err != nil {
		return nil, err
	}

	flat, encodeErr := yamlv3.Marshal(&root)
	if encodeErr != nil {
		return nil, err
	}

	return yaml.YAMLToJSONStrict(flat)
}

// merging puts the fields of merge keys where these stand.
type merging struct{ merged int } // fields, and what was looked at for them

// flatten takes the merge keys out of a node and of all in it. An alias is not
// followed: what it stands for is flattened where it is written.
func (m *merging) flatten(node *yamlv3.Node) error {
	if node.Kind == yamlv3.MappingNode {
		if err := m.merge(node); err != nil {
			return err
		}
	}
	for _, child := range node.Content {
		if err := m.flatten(child); err != nil {
			return err
		}
	}

	return nil
}

// merge replaces the merge keys of one mapping by the fields that it does not have.
func (m *merging) merge(node *yamlv3.Node) error {
	var own, next, later []*yamlv3.Node // next are sources of fields, the first of them last
	has := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Tag == "!!merge" {
			later = append(later, value)
			continue
		}
		own = append(own, key, value)
		has[key.Value] = true
	}

	for len(next)+len(later) > 0 {
		if m.merged++; m.merged > maxMerged { // a list may be of lists, and bring no field
			return errTooMany
		}
		if len(next) == 0 {
			next = append(next, later[0])
			later = later[1:]
		}
		source := next[len(next)-1]
		next = next[:len(next)-1]
		if source.Kind == yamlv3.AliasNode {
			source = source.Alias
		}
		if source.Kind == yamlv3.SequenceNode {
			for _, one := range slices.Backward(source.Content) {
				next = append(next, one)
			}
			continue
		}

		for i := 0; i+1 < len(source.Content); i += 2 {
			key, value := source.Content[i], source.Content[i+1]
			if m.merged++; m.merged > maxMerged {
				return errTooMany
			}
			if key.Tag == "!!merge" { // not flattened yet
				later = append(later, value)
				continue
			}
			if !has[key.Value] {
				has[key.Value] = true
				own = append(own, key, value)
			}
		}
	}

	node.Content = own
	return nil
}
