// Package usage says what is wrong with a command line, in words for who typed it.
package usage

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/modelvigil/modelvigil/internal/near"
)

// Flag says what is wrong with a command's flags: a name that there is not, with those
// that are near, or a value of the wrong form.
func Flag(command *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var known []string
		command.Flags().VisitAll(func(flag *pflag.Flag) { known = append(known, "--"+flag.Name) })
		name := "--" + unknown.GetSpecifiedName()
		hint := near.Hint(name, known)
		if hint == "" && command.Flags().Lookup("metric") != nil {
			hint = fmt.Sprintf("; a metric without a flag of its own is published by --metric %s=VALUE", unknown.GetSpecifiedName())
		}
		return fmt.Errorf("unknown flag %s%s", name, hint)
	case errors.As(err, &wrong):
		return fmt.Errorf("flag --%s: %s, got %q", wrong.GetFlag().Name, form(wrong), wrong.GetValue())
	}

	return err
}

// form is how a flag's value is written.
func form(wrong *pflag.InvalidValueError) string {
	switch wrong.GetFlag().Value.Type() {
	case "float64":
		return "must be a number"
	case "int", "int64", "uint", "uint64", "count":
		return "must be a whole number"
	case "duration":
		return "must be a duration such as 90s or 1h30m"
	case "bool":
		return "must be true or false"
	}

	return strings.TrimSuffix(wrong.Unwrap().Error(), fmt.Sprintf(", got %q", wrong.GetValue()))
}

var unknownCommand = regexp.MustCompile(`^unknown command "(.*)" for "`)

// Command says of a command that there is none of its name, with those that are near.
func Command(root *cobra.Command, err error) error {
	found := unknownCommand.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}

	var known []string
	for _, command := range root.Commands() {
		known = append(known, command.Name())
	}
	return fmt.Errorf("unknown command %q%s", found[1], near.Hint(found[1], known))
}
