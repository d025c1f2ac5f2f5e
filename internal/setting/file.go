package setting

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/internal/yaml"
)

// name is what a policy can call a backend, or a channel.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckName says what is wrong with the name of an instance.
func CheckName(text string) error {
	if !name.MatchString(text) {
		return fmt.Errorf("must be 1 to 100 of A-Z a-z 0-9 . _ - and begin with a letter or digit, got %q", text)
	}
	return nil
}

// ErrNoMapping is that of a file with something other than a mapping.
var ErrNoMapping = errors.New("must be a mapping")

// ReadMapping reads a YAML file that holds a mapping, no key of it twice. Its error
// begins with the path.
func ReadMapping(path string) (map[string]json.RawMessage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	object, err := yaml.ToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}

	var mapping map[string]json.RawMessage
	if err := json.Unmarshal(object, &mapping); err != nil || len(mapping) == 0 {
		return nil, fmt.Errorf("%s: %w", path, ErrNoMapping)
	}

	return mapping, nil
}

// KindOf takes the field kind out of an instance's fields; it must be one of those
// known.
func KindOf(instance json.RawMessage, known []string) (kind string, fields map[string]json.RawMessage, err error) {
	if json.Unmarshal(instance, &fields) != nil || json.Unmarshal(fields["kind"], &kind) != nil || !slices.Contains(known, kind) {
		return "", nil, fmt.Errorf("kind: must be one of %s", strings.Join(known, ", "))
	}
	delete(fields, "kind")
	return kind, fields, nil
}

// Decode sets the fields of a struct, which settings points to, and looks its
// secrets up. Each fault begins with a field.
func Decode(settings any, fields map[string]json.RawMessage, environment map[string]string) (faults []error) {
	value := reflect.ValueOf(settings).Elem()
	places := map[string]reflect.Value{}
	for i := range value.NumField() {
		places[value.Type().Field(i).Tag.Get("json")] = value.Field(i)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		place, known := places[name]
		if !known {
			faults = append(faults, strict.At(name, strict.UnknownField(name, slices.Sorted(maps.Keys(places)))))
			continue
		}

		if err := strict.Struct(fields[name], name, place.Addr().Interface()); err != nil {
			faults = append(faults, Each(err)...)
		}
	}

	secrets := Secrets(settings)
	for _, field := range slices.Sorted(maps.Keys(secrets)) {
		if err := secrets[field].Look(environment); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", field, err))
		}
	}

	return faults
}

// Each is what errors.Join has joined.
func Each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
