package backends

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/modelops"
)

// readFile makes the instances of a file: a mapping of names to settings with
// their kind.
func readFile(path string, p Process) (map[string]modelops.ModelOps, error) {
	if path == "" {
		return nil, nil
	}

	instances, err := setting.ReadMapping(path)
	if errors.Is(err, setting.ErrNoMapping) {
		err = fmt.Errorf("%w of names to settings, such as `nightly: {kind: webhook, url: …}`", err)
	}
	if err != nil {
		return nil, fmt.Errorf("MODELOPS_BACKENDS_FILE: %w", err)
	}

	backends := map[string]modelops.ModelOps{}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(instances)) {
		backend, err := readInstance(name, instances[name], p)
		for _, fault := range setting.Each(err) {
			faults = append(faults, fmt.Errorf("MODELOPS_BACKENDS_FILE: %s: %s.%w", path, name, fault))
		}
		backends[name] = backend
	}

	return backends, errors.Join(faults...)
}

// readInstance makes one backend. Each of its faults begins with a field.
func readInstance(name string, text json.RawMessage, p Process) (modelops.ModelOps, error) {
	if err := setting.CheckName(name); err != nil {
		return nil, fmt.Errorf("name: %w", err)
	}
	if kinds[name] != nil {
		return nil, errors.New("name: is a kind's, which the environment sets; give the instance another one")
	}

	of, fields, err := setting.KindOf(text, Kinds())
	if err != nil {
		return nil, err
	}

	settings := kinds[of]()
	if faults := setting.Decode(settings, fields, p.Environment); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	return settings.open(p)
}
