// Package backends makes the backends of a process from its environment and from a
// file of named instances. It is the one place that knows every kind.
//
// To add one of your own, implement modelops.ModelOps in one Go file (the
// example of package activities is a whole one), and add its kind to kinds.go:
// its settings then come from the environment and from the file like any other's.
package backends

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/activities/logging"
	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/modelops"
)

// Log is the backend that is always there: it writes requests to the log.
const Log = "log"

// Process is what backends need of the process that they run in.
type Process struct {
	Environment map[string]string // where secrets are looked up
	Temporal    client.Options    // the monitors' own cluster
	Logger      *slog.Logger
}

// Kinds are the names of all kinds, in order.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Open makes all backends that are set, by the names that policies use: a kind's
// own name for what the environment says, and the names of the file. Its error
// joins every fault, with its variable or its file first.
func (s Settings) Open(p Process) (map[string]modelops.ModelOps, error) {
	backends := map[string]modelops.ModelOps{Log: logging.Backend{Logger: p.Logger}}
	var faults []error
	value := reflect.ValueOf(&s).Elem()
	for i := range value.NumField() {
		prefix, isKind := value.Type().Field(i).Tag.Lookup("envPrefix")
		if !isKind {
			continue
		}

		name := kindOf(prefix)
		settings := value.Field(i).Addr().Interface().(kind)
		secretFaults := readSecretFiles(settings, prefix, p.Environment)
		faults = append(faults, secretFaults...)
		if value.Field(i).IsZero() && s.Default != name {
			continue
		}

		backend, err := settings.open(p)
		faults = append(faults, variablesOf(prefix, err)...)
		backends[name] = backend
	}

	named, err := readFile(s.File, p)
	faults = append(faults, err)
	maps.Copy(backends, named)
	if _, known := backends[s.Default]; !known && err == nil {
		faults = append(faults, fmt.Errorf("MODELOPS_BACKEND: %q is no backend of this process; it has %s, and could have %s",
			s.Default, strings.Join(slices.Sorted(maps.Keys(backends)), ", "), strings.Join(Kinds(), ", ")))
	}

	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	return backends, nil
}

// SettingOf is the worker's variable by which it gets a backend of that name: a kind's
// own, or that of the file for any other name.
func SettingOf(name string) string {
	settings := reflect.TypeFor[Settings]()
	for i := range settings.NumField() {
		field := settings.Field(i)
		if prefix, isKind := field.Tag.Lookup("envPrefix"); isKind && kindOf(prefix) == name {
			return prefix + field.Type.Field(0).Tag.Get("env")
		}
	}
	return "MODELOPS_BACKENDS_FILE"
}

// kindOf is the kind whose variables begin with a prefix: webhook for
// MODELOPS_WEBHOOK_.
func kindOf(prefix string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(prefix, "MODELOPS_"), "_"))
}

// variablesOf turns the faults of an instance's settings, which begin with a
// field, into faults of the variables that the fields are set by.
func variablesOf(prefix string, err error) (faults []error) {
	for _, fault := range setting.Each(err) {
		field, what, _ := strings.Cut(fault.Error(), ": ")
		faults = append(faults, fmt.Errorf("%s%s: %s", prefix, strings.ToUpper(field), strings.ReplaceAll(what, "\n", "; ")))
	}
	return faults
}

// readSecretFiles reads the secrets whose variables end in _FILE.
func readSecretFiles(settings kind, prefix string, environment map[string]string) (faults []error) {
	for field, secret := range setting.Secrets(settings) {
		variable := prefix + strings.ToUpper(field)
		path := environment[variable+"_FILE"]
		switch {
		case path == "":
		case secret.Value() != "":
			faults = append(faults, fmt.Errorf("%s_FILE: %s is set too; set one of them", variable, variable))
		default:
			if err := secret.Read(path); err != nil {
				faults = append(faults, fmt.Errorf("%s_FILE: %w", variable, err))
			}
		}
	}

	return faults
}
