package backends

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/activities"
)

// instanceName is what a policy can call a backend.
var instanceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// readFile makes the instances of a file: a mapping of names to settings with
// their kind.
func readFile(path string, p Process) (map[string]activities.ModelOps, error) {
	if path == "" {
		return nil, nil
	}
	fail := func(err error) error { return fmt.Errorf("MODELOPS_BACKENDS_FILE: %s: %w", path, err) }
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("MODELOPS_BACKENDS_FILE: %w", err)
	}
	object, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, fail(errors.New("not YAML: " + strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " ")))
	}
	var instances map[string]json.RawMessage
	if err := json.Unmarshal(object, &instances); err != nil || len(instances) == 0 {
		return nil, fail(errors.New("must be a mapping of names to settings, such as `nightly: {kind: webhook, url: …}`"))
	}
	backends := map[string]activities.ModelOps{}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(instances)) {
		backend, err := readInstance(name, instances[name], p)
		for _, fault := range each(err) {
			faults = append(faults, fail(fmt.Errorf("%s.%w", name, fault)))
		}
		backends[name] = backend
	}
	return backends, errors.Join(faults...)
}

// readInstance makes one backend. Each of its faults begins with a field.
func readInstance(name string, text json.RawMessage, p Process) (activities.ModelOps, error) {
	if !instanceName.MatchString(name) {
		return nil, fmt.Errorf("name: must be 1 to 100 of A-Z a-z 0-9 . _ - and begin with a letter or digit, got %q", name)
	}
	if kinds[name] != nil {
		return nil, errors.New("name: is a kind's, which the environment sets; give the instance another one")
	}
	var fields map[string]json.RawMessage
	var of string
	if json.Unmarshal(text, &fields) != nil || json.Unmarshal(fields["kind"], &of) != nil || kinds[of] == nil {
		return nil, fmt.Errorf("kind: must be one of %s", strings.Join(Kinds(), ", "))
	}
	delete(fields, "kind")
	settings := kinds[of]()
	faults := decodeFields(settings, fields)
	secrets := secretsOf(settings)
	for _, field := range slices.Sorted(maps.Keys(secrets)) {
		if err := secrets[field].look(p.Environment); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", field, err))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return settings.open(p)
}

// decodeFields sets an instance's settings, and names every field that is wrong.
func decodeFields(settings kind, fields map[string]json.RawMessage) (faults []error) {
	value := reflect.ValueOf(settings).Elem()
	places := map[string]reflect.Value{}
	for i := range value.NumField() {
		places[value.Type().Field(i).Tag.Get("json")] = value.Field(i)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		place, known := places[name]
		if !known {
			faults = append(faults, fmt.Errorf("%s: unknown field; the fields are %s", name, strings.Join(slices.Sorted(maps.Keys(places)), ", ")))
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(fields[name]))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(place.Addr().Interface())
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrong):
			faults = append(faults, fmt.Errorf("%s: must be a %s, got a %s", name, wrong.Type, wrong.Value))
		case err != nil:
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return faults
}
