package main

import (
	"fmt"
	"io"
	"reflect"
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

// ownVariables are the fields of the settings.
func ownVariables() []variable {
	var variables []variable
	for _, field := range reflect.VisibleFields(reflect.TypeFor[settings]()) {
		variables = append(variables, variable{field.Tag.Get("env"), field.Tag.Get("envDefault"), field.Tag.Get("meaning")})
	}
	return variables
}
