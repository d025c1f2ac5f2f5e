package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// fields names where each field of a JSON object goes.
type fields map[string]any

// Bounds of what is decoded into maps and lists. What has more is refused by a
// count of its commas, before anything is built of it.
const (
	maxObjectMembers = 1000
	maxListElements  = 1000
	maxPathBytes     = 60 // of a name in the path of a fault
)

// decodeFields reads a JSON object into fields, and names its faults with their
// paths, ten at most: a field that is unknown, one of the wrong type, and all that a
// field that decodes itself has to say.
func decodeFields(data []byte, path string, into fields) error {
	if n := countMembers(data); n > maxObjectMembers {
		return at(path, fmt.Errorf("must be a JSON object of at most %d fields, got %d", maxObjectMembers, n))
	}
	var object map[string]json.RawMessage
	err := json.Unmarshal(data, &object)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return at(path, fmt.Errorf("must be a JSON object, got a %s", wrongType.Value))
	case err != nil:
		return at(path, got(err, data))
	}

	var faults faultList
	known := ""
	for _, name := range slices.Sorted(maps.Keys(object)) {
		where := join(path, plain.Cut(name, maxPathBytes))
		target, isKnown := into[name]
		if !isKnown {
			if known == "" {
				known = strings.Join(slices.Sorted(maps.Keys(into)), ", ")
			}
			faults.add(where, fmt.Errorf("unknown field; the fields are %s", known))
			continue
		}
		faults.add("", decodeField(object[name], where, target))
	}
	return faults.err()
}

// decodeField reads one value into its target.
func decodeField(data []byte, where string, target any) error {
	nested, decodes := target.(pathDecoder)
	if decodes {
		return nested.decodeAt(data, where)
	}
	if n := countMembers(data); n > maxObjectMembers {
		return at(where, fmt.Errorf("must have at most %d fields, got %d", maxObjectMembers, n))
	}
	if err := json.Unmarshal(data, target); err != nil {
		return at(where, got(err, data))
	}
	return nil
}

// pathDecoder is a value that decodes itself and names its faults below path.
type pathDecoder interface {
	decodeAt(data []byte, path string) error
}

// list decodes a JSON array whose elements decode themselves.
type list[T any, P interface {
	*T
	pathDecoder
}] struct{ into *[]T }

func (l list[T, P]) decodeAt(data []byte, path string) error {
	if n := countMembers(data); n > maxListElements {
		return at(path, fmt.Errorf("must be a JSON array of at most %d elements, got %d", maxListElements, n))
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return at(path, fmt.Errorf("must be a JSON array, %w", got(err, data)))
	}
	if raw == nil {
		return nil
	}
	var faults faultList
	*l.into = make([]T, len(raw))
	for i := range raw {
		faults.add("", P(&(*l.into)[i]).decodeAt(raw[i], fmt.Sprintf("%s[%d]", path, i)))
	}
	return faults.err()
}

// got turns an error of encoding/json into one that says what was there.
func got(err error, data []byte) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var badTime *time.ParseError
	switch {
	case errors.As(err, &badTime):
		return fmt.Errorf("must be an RFC 3339 time such as 2006-01-02T15:04:05Z, got %s", plain.Cut(string(data), 60))
	case errors.As(err, &wrongType) && strings.HasPrefix(wrongType.Value, "number "):
		return fmt.Errorf("%s is out of range", wrongType.Value)
	case errors.As(err, &wrongType):
		return fmt.Errorf("must be a %s, got a %s", typeWord(wrongType.Type.Kind().String()), wrongType.Value)
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("not JSON: %w, in %s", err, plain.Cut(string(bytes.TrimSpace(data)), 60))
	}
	return err
}

func typeWord(kind string) string {
	switch kind {
	case "float64", "int64", "int":
		return "number"
	case "map", "struct":
		return "object"
	case "slice":
		return "list"
	}
	return kind
}

// at puts the path in front of an error; a nil error stays nil.
func at(path string, err error) error {
	if err == nil || path == "" {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
