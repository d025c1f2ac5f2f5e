package strict

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

// Fields names where each field of a JSON object goes.
type Fields map[string]any

// Bounds of what is decoded into maps and lists. What has more is refused by a
// count of its commas, before anything is built of it.
const (
	maxObjectMembers = 1000
	maxListElements  = 1000
	MaxPathBytes     = 60 // of a name in the path of a fault
)

// Decode reads a JSON object into fields, and names its faults with their
// paths, ten at most: a field that is unknown, one of the wrong type, and all that a
// field that decodes itself has to say.
func Decode(data []byte, path string, into Fields) error {
	if n := CountMembers(data); n > maxObjectMembers {
		return At(path, fmt.Errorf("must be a JSON object of at most %d fields, got %d", maxObjectMembers, n))
	}

	var object map[string]json.RawMessage
	err := json.Unmarshal(data, &object)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return At(path, fmt.Errorf("must be a JSON object, got a %s", wrongType.Value))
	case err != nil:
		return At(path, Got(err, data))
	}

	var faults Faults
	known := ""
	for _, name := range slices.Sorted(maps.Keys(object)) {
		where := Join(path, plain.Cut(name, MaxPathBytes))
		target, isKnown := into[name]
		if !isKnown {
			if known == "" {
				known = strings.Join(slices.Sorted(maps.Keys(into)), ", ")
			}
			faults.Add(where, fmt.Errorf("unknown field; the fields are %s", known))
			continue
		}

		faults.Add("", decodeField(object[name], where, target))
	}

	return faults.Err()
}

// decodeField reads one value into its target.
func decodeField(data []byte, where string, target any) error {
	if decode, isNested := target.(Nested); isNested {
		return decode(data, where)
	}
	if n := CountMembers(data); n > maxObjectMembers {
		return At(where, fmt.Errorf("must have at most %d fields, got %d", maxObjectMembers, n))
	}
	if err := json.Unmarshal(data, target); err != nil {
		return At(where, Got(err, data))
	}
	return nil
}

// Nested decodes a value that has fields of its own, and names its faults below path.
type Nested func(data []byte, path string) error

// List decodes a JSON array whose elements decode themselves.
func List[T any](into *[]T, decode func(element *T, data []byte, path string) error) Nested {
	return func(data []byte, path string) error {
		if n := CountMembers(data); n > maxListElements {
			return At(path, fmt.Errorf("must be a JSON array of at most %d elements, got %d", maxListElements, n))
		}
		var raw []json.RawMessage
		if err := json.Unmarshal(data, &raw); err != nil {
			return At(path, fmt.Errorf("must be a JSON array, %w", Got(err, data)))
		}
		if raw == nil {
			return nil
		}

		var faults Faults
		*into = make([]T, len(raw))
		for i := range raw {
			faults.Add("", decode(&(*into)[i], raw[i], fmt.Sprintf("%s[%d]", path, i)))
		}
		return faults.Err()
	}
}

// Object decodes a JSON object that may be left out, or be null.
func Object[T any](into **T, decode func(object *T, data []byte, path string) error) Nested {
	return func(data []byte, path string) error {
		if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
			return nil
		}
		*into = new(T)
		return decode(*into, data, path)
	}
}

// Got turns an error of encoding/json into one that says what was there.
func Got(err error, data []byte) error {
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

// At puts the path in front of an error; a nil error stays nil.
func At(path string, err error) error {
	if err == nil || path == "" {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// Join is the path of a field below another path.
func Join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
