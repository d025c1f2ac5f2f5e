package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/internal/near"
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
		return At(path, fmt.Errorf("must be a JSON object, got %s", kindOf(data)))
	case err != nil:
		return At(path, Got(err, data))
	}

	var faults Faults
	var known []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		where := Join(path, plain.Cut(name, MaxPathBytes))
		target, isKnown := into[name]
		if !isKnown {
			if known == nil {
				known = slices.Sorted(maps.Keys(into))
			}
			faults.Add(where, UnknownField(name, known))
			continue
		}

		faults.Add("", decodeField(object[name], where, target))
	}

	return faults.Err()
}

// UnknownField says that there is no field of a name. Where others are near they are
// asked for, else all are told.
func UnknownField(name string, known []string) error {
	if hint := near.Hint(name, known); hint != "" {
		return errors.New("unknown field" + hint)
	}
	return fmt.Errorf("unknown field; the fields are %s", strings.Join(known, ", "))
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
			return At(path, Got(err, data))
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
