package main

import (
	"fmt"
	"io"
	"reflect"

	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

// variable is one setting, as -h prints it.
type variable struct{ name, defaultValue, meaning string }

const usage = `worker runs the monitors of modelvigil and their calls to ModelOps backends, until SIGTERM.

  worker          run; a Temporal server that is away is waited for
  worker -ready   ask the worker on LISTEN_ADDRESS whether it is ready: exit code 0, else 1
  worker -h       this help

Exit codes: 0 stopped as asked, 1 it failed, 2 wrong arguments or settings.
All settings are environment variables; one that is empty counts as not set.
`

func printUsage(w io.Writer) {
	_, _ = fmt.Fprint(w, usage)
	printVariables(w, "Settings of modelvigil:", ownVariables())
	printVariables(w, "Temporal's own settings, as for the temporal CLI:", temporalVariables)
	printVariables(w, "OpenTelemetry's own settings:", traceVariables())
}

func printVariables(w io.Writer, title string, variables []variable) {
	_, _ = fmt.Fprintf(w, "\n%s\n\n", title)
	for _, v := range variables {
		if v.defaultValue != "" {
			v.defaultValue = " (default " + v.defaultValue + ")"
		}
		_, _ = fmt.Fprintf(w, "  %s%s\n      %s\n", v.name, v.defaultValue, v.meaning)
	}
}

// traceVariables are OpenTelemetry's.
func traceVariables() (variables []variable) {
	for _, s := range telemetry.TraceSettings {
		variables = append(variables, variable{s.Name, s.Default, s.Meaning})
	}
	return variables
}

// ownVariables are the fields of the settings.
func ownVariables() []variable { return variablesOf(reflect.TypeFor[settings](), "") }

func variablesOf(structure reflect.Type, prefix string) (variables []variable) {
	for _, field := range reflect.VisibleFields(structure) {
		name, isVariable := field.Tag.Lookup("env")
		switch {
		case isVariable:
			variables = append(variables, variable{prefix + name, field.Tag.Get("envDefault"), field.Tag.Get("meaning")})
			if field.Type == reflect.TypeFor[setting.Secret]() {
				variables = append(variables, variable{prefix + name + "_FILE", "", "file that holds it"})
			}
		case field.Type.Kind() == reflect.Struct:
			variables = append(variables, variablesOf(field.Type, prefix+field.Tag.Get("envPrefix"))...)
		}
	}
	return variables
}
