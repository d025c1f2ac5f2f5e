// Package document reads the files that policies are kept in: YAML or JSON, many
// documents to a file, whole folders of them, and documents of defaults from which
// others inherit. Each fault is named with its file and line.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"unicode/utf8"

	yamlv3 "go.yaml.in/yaml/v3"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/yaml"
	"github.com/modelvigil/modelvigil/policy"
)

// maxFileBytes bounds a file of policies.
const maxFileBytes = 64 << 20

// Document is one model and the policy that it is to be watched by.
type Document struct {
	Where  string // the file, and the document's number in it
	File   string // as messages call it
	Number int    // of the document in its file, from 1
	Model  string // empty where it is for any
	Policy policy.Policy

	part   part
	fields map[string]json.RawMessage // as they are written, without model_name
}

// Read reads all files and folders, `-` being standard input, and names
// every fault of every document. What documents of defaults say is merged in.
func Read(paths []string, stdin io.Reader) ([]Document, error) {
	documents, all, faults := readParts(paths, stdin, modelOf)
	first := map[string]string{}
	for i := range documents {
		d := &documents[i]
		if d.Model == "" {
			continue
		}

		if before, taken := first[d.Model]; taken {
			faults = append(faults, d.faults(fmt.Errorf("model_name: %q has a policy already, in %s", d.Model, before), all))
		} else {
			first[d.Model] = d.Where
		}
	}

	return documents, errors.Join(append(faults, decode(documents, all)...)...)
}

// ReadForAny reads them as Read does, but that a document may be for
// any model, and that a model may have any number of policies.
func ReadForAny(paths []string, stdin io.Reader) ([]Document, error) {
	documents, all, faults := readParts(paths, stdin, func(fields map[string]json.RawMessage) (string, error) {
		if _, named := fields["model_name"]; !named {
			return "", nil
		}
		return modelOf(fields)
	})
	return documents, errors.Join(append(faults, decode(documents, all)...)...)
}

// decode reads each document's policy, with what it inherits.
func decode(documents []Document, all []defaults) (faults []error) {
	for i := range documents {
		d := &documents[i]
		if d.fields == nil {
			continue
		}
		rest, err := json.Marshal(inherit(d.fields, all, d.Model))
		if err == nil {
			rest, err = embedProfiles(rest, d.File)
		}
		if err == nil {
			d.Policy, err = policy.Decode(rest)
		}
		faults = append(faults, d.faults(err, all))
	}

	return faults
}

// readParts reads the documents, and apart from them those of defaults.
func readParts(paths []string, stdin io.Reader, modelOf func(map[string]json.RawMessage) (string, error)) (
	documents []Document, all []defaults, faults []error,
) {
	files, err := expand(paths)
	faults = append(faults, err)
	for _, file := range files {
		text, err := ReadFile(file, stdin)
		if err != nil {
			faults = append(faults, err)
			continue
		}

		parts, err := split(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", Called(file), err))
		} else if len(parts) == 0 {
			faults = append(faults, fmt.Errorf("%s: has no document; {} is the default policy", Called(file)))
		}

		for i := range parts {
			d := Document{Where: fmt.Sprintf("%s: document %d", Called(file), i+1), File: Called(file), Number: i + 1, part: parts[i]}
			fields, err := fieldsOf(parts[i])
			if _, isDefaults := fields["defaults"]; isDefaults {
				inherited, err := parseDefaults(d.Where, fields)
				faults = append(faults, d.faults(err, nil))
				all = append(all, inherited)
				continue
			}

			if err == nil {
				d.Model, err = modelOf(fields)
				delete(fields, "model_name")
				d.fields = fields
			}

			faults = append(faults, d.faults(err, nil))
			documents = append(documents, d)
		}
	}

	return documents, all, faults
}

// faults puts in front of each line of an error where it is: the file, the line,
// and the document's number.
func (d *Document) faults(err error, all []defaults) error {
	if err == nil {
		return nil
	}

	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSuffix(line, "\n")
		number := lineOf(d.part.text, fieldOf(line))
		where := d.File
		if number > 0 && !strings.HasPrefix(line, "not YAML") { // which counts lines itself
			where = fmt.Sprintf("%s:%d", d.File, d.part.line+number)
		}
		where += strings.TrimPrefix(d.Where, d.File)
		if from := inheritedFrom(d.fields, all, d.Model, fieldOf(line)); from != "" {
			line += " (inherited from " + from + ")"
		}
		lines = append(lines, where+": "+line)
	}

	return errors.New(strings.Join(lines, "\n"))
}

// Called is what a file is called in messages.
func Called(file string) string {
	if file == "-" {
		return "standard input"
	}
	return plain.Text(file)
}

// ReadFile reads a file of bounded size, `-` being standard input.
func ReadFile(file string, stdin io.Reader) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = opened.Close() }()
		stdin = opened
	}

	text, err := io.ReadAll(io.LimitReader(stdin, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", Called(file), err)
	case len(text) > maxFileBytes:
		return nil, fmt.Errorf("%s: is larger than %d MiB; give the policies in several files", Called(file), maxFileBytes>>20)
	case !utf8.Valid(text):
		return nil, fmt.Errorf("%s: is not UTF-8 text", Called(file))
	}

	return text, nil
}

// part is one document of a file, as it stands there.
type part struct {
	text []byte
	line int // of the file, from 0, on which it begins
}

// split returns the documents of a file that are not empty: YAML between the
// lines `---` and `...`, or JSON values one after the other.
func split(text []byte) ([]part, error) {
	var parts []part
	var current part
	number := 0
	end := func() error {
		values, err := splitJSON(current)
		parts = append(parts, values...)
		current = part{line: number}
		return err
	}

	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\uFEFF"))) {
		marker := string(line[:min(3, len(line))])
		if (marker == "---" || marker == "...") && (len(line) == 3 || strings.ContainsRune(" \t\r\n", rune(line[3]))) {
			if err := end(); err != nil {
				return parts, err
			}
			line = line[3:] // a document may begin on the line of its marker
		}

		current.text = append(current.text, line...)
		number++
	}

	return parts, end()
}

// splitJSON takes a document apart where it is several JSON values, and leaves
// out one that holds nothing but comments.
func splitJSON(document part) ([]part, error) {
	if isBlank(document.text) {
		return nil, nil
	}

	var values []part
	for decoder := json.NewDecoder(bytes.NewReader(document.text)); ; {
		var value json.RawMessage
		switch err := decoder.Decode(&value); {
		case err == nil:
			before := document.text[:int(decoder.InputOffset())-len(value)]
			values = append(values, part{value, document.line + bytes.Count(before, []byte("\n"))})
		case errors.Is(err, io.EOF):
			return values, nil
		case len(values) == 0: // it is YAML
			return []part{document}, nil
		default:
			line := 1 + document.line + bytes.Count(document.text[:decoder.InputOffset()], []byte("\n"))
			return values, fmt.Errorf("what follows its JSON document %d on line %d: %w", len(values), line, err)
		}
	}
}

func isBlank(document []byte) bool {
	for line := range bytes.Lines(document) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

// fieldsOf reads a document's fields.
func fieldsOf(p part) (fields map[string]json.RawMessage, err error) {
	object, err := toJSON(p)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(object, &fields); err != nil || fields == nil {
		return nil, errors.New("must be a mapping with model_name and the fields of a policy")
	}
	return fields, nil
}

// modelOf is the model that a document is about.
func modelOf(fields map[string]json.RawMessage) (model string, err error) {
	name, given := fields["model_name"]
	if !given {
		return "", contract.ValidateModelName("")
	}
	if err := json.Unmarshal(name, &model); err != nil || string(name) == "null" {
		return "", fmt.Errorf("model_name: must be a string, got %s; put it in quotes", plain.Text(string(name)))
	}
	return model, contract.ValidateModelName(model)
}

// toJSON turns a document into JSON. A key that is there twice is a fault in
// either form.
func toJSON(p part) ([]byte, error) {
	if !json.Valid(p.text) {
		object, err := yaml.ToJSON(p.text)
		if err != nil { // once more, to have it count the lines of the file
			if err := notFinite(p.text); err != nil {
				return nil, err
			}
			_, err = yaml.ToJSON(append(bytes.Repeat([]byte("\n"), p.line), p.text...))
			return nil, errors.New(plain.Text(err.Error()))
		}
		return object, nil
	}

	// JSON is YAML, but for tabs and surrogate pairs.
	var compact bytes.Buffer
	_ = json.Compact(&compact, p.text) // it is valid
	if _, err := yaml.ToJSON(compact.Bytes()); err != nil && strings.Contains(err.Error(), yaml.Twice) {
		_, what, _ := strings.Cut(plain.Text(err.Error()), "key ")
		return nil, errors.New("key " + what)
	}

	return p.text, nil
}

// notFinite names the numbers that YAML can write and JSON can't, or returns nil.
func notFinite(text []byte) error {
	var root yamlv3.Node
	if yamlv3.Unmarshal(text, &root) != nil {
		return nil
	}

	var faults []error
	var walk func(node *yamlv3.Node, path string)
	walk = func(node *yamlv3.Node, path string) {
		for i, child := range node.Content {
			switch node.Kind {
			case yamlv3.MappingNode:
				if i%2 == 1 {
					walk(child, strings.TrimPrefix(path+"."+node.Content[i-1].Value, "."))
				}
			case yamlv3.SequenceNode:
				walk(child, fmt.Sprintf("%s[%d]", path, i))
			default:
				walk(child, path)
			}
		}

		var value float64
		if node.Kind == yamlv3.ScalarNode && node.Tag == "!!float" && node.Decode(&value) == nil && (math.IsNaN(value) || math.IsInf(value, 0)) {
			faults = append(faults, fmt.Errorf("%s: must be a finite number, got %s", plain.Text(path), plain.Text(node.Value)))
		}
	}

	walk(&root, "")
	return errors.Join(faults...)
}
