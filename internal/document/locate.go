package document

import (
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// lineOf is the line, from 1, on which a document's text has a field, such as
// `rules[2].above`; where it is left out, that of what it would be in. 0 means
// that the text can't be read.
func lineOf(text []byte, field string) int {
	var root yamlv3.Node
	if yamlv3.Unmarshal(text, &root) != nil || len(root.Content) == 0 {
		return 0
	}

	node := root.Content[0]
	line := node.Line
	for _, step := range steps(field) {
		key, next := child(node, step)
		if next == nil {
			break
		}

		node = next
		line = next.Line
		if key != nil {
			line = key.Line
		}
	}

	return line
}

// steps takes a field's path apart: `rules[2].above` is rules, 2, above.
func steps(field string) []string {
	return strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// child is the value in a mapping or a list, and its key in a mapping.
func child(node *yamlv3.Node, step string) (key, value *yamlv3.Node) {
	switch node.Kind {
	case yamlv3.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i], node.Content[i+1]
			}
		}
	case yamlv3.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return nil, node.Content[i]
		}
	}

	return nil, nil
}

// fieldOf is the path that a fault begins with, or "".
func fieldOf(fault string) string {
	path, _, found := strings.Cut(fault, ": ")
	if !found || strings.ContainsAny(path, " \t") {
		return ""
	}
	return path
}
