package setting

import (
	"errors"
	"fmt"
	"iter"
	"reflect"

	"github.com/caarlos0/env/v10"
)

// Variable is one environment variable, as -h and the reference show it.
type Variable struct{ Name, Default, Meaning string }

// Parse reads settings from an environment, by the tags of the fields of S: `env` is
// the variable's name and `envDefault` its default; a variable that is empty counts
// as not set. The error joins one fault for each wrong variable, its name first.
func Parse[S any](environment map[string]string) (S, error) {
	var settings S
	err := env.ParseWithOptions(&settings, env.Options{Environment: environment})
	var all env.AggregateError
	if !errors.As(err, &all) {
		return settings, err
	}

	var faults []error
	for _, fault := range all.Errors {
		faults = append(faults, named[S](fault))
	}
	return settings, errors.Join(faults...)
}

// named puts the variable's name before a fault of its value.
func named[S any](fault error) error {
	var parse env.ParseError
	if !errors.As(fault, &parse) {
		return fault
	}

	for name, field := range variables(reflect.TypeFor[S](), "") {
		if field.Name != parse.Name || field.Type != parse.Type {
			continue
		}
		var wrong *wrongValue
		if example := field.Tag.Get("envDefault"); errors.As(parse.Err, &wrong) && example != "" {
			wrong.example = example
		}
		return fmt.Errorf("%s: %w", name, parse.Err)
	}

	return fault
}

// Variables are those that Parse reads, in the order of the fields. A tag `meaning`
// says what each is for; that of a secret may end in _FILE, too.
func Variables[S any]() (all []Variable) {
	for name, field := range variables(reflect.TypeFor[S](), "") {
		all = append(all, Variable{name, field.Tag.Get("envDefault"), field.Tag.Get("meaning")})
		if field.Type == reflect.TypeFor[Secret]() {
			all = append(all, Variable{name + "_FILE", "", "file that holds it"})
		}
	}
	return all
}

// variables are the fields that are read from variables, by the variables' names, also
// those of structures in the structure, whose tag `envPrefix` comes before their names.
func variables(structure reflect.Type, prefix string) iter.Seq2[string, reflect.StructField] {
	return func(yield func(string, reflect.StructField) bool) {
		for _, field := range reflect.VisibleFields(structure) {
			if name, isVariable := field.Tag.Lookup("env"); isVariable {
				if !yield(prefix+name, field) {
					return
				}
				continue
			}
			if field.Type.Kind() != reflect.Struct {
				continue
			}

			for name, inner := range variables(field.Type, prefix+field.Tag.Get("envPrefix")) {
				if !yield(name, inner) {
					return
				}
			}
		}
	}
}
