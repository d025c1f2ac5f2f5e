package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// format is how a command shows what it has to say: text or json.
type format string

const (
	asText format = "text"
	asJSON format = "json"
	asHTML format = "html" // a page, of few
)

// outputFlag adds -o to a command that shows something.
func outputFlag(command *cobra.Command) *format {
	f := asText
	command.Flags().VarP(&f, "output", "o", "text, or json in the wire form")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{string(asText), string(asJSON)}, cobra.ShellCompDirectiveNoFileComp))
	return &f
}

// pageFlag adds -o to a command that makes a page, too.
func pageFlag(command *cobra.Command) *format {
	f := pageFormat{asText}
	command.Flags().VarP(&f, "output", "o", "text, json in the wire form, or html: a page with charts")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{string(asText), string(asJSON), string(asHTML)}, cobra.ShellCompDirectiveNoFileComp))
	return &f.format
}

// pageFormat is a format that may be html.
type pageFormat struct{ format }

// Set implements pflag.Value.
func (f *pageFormat) Set(text string) error {
	if format(text) == asHTML {
		f.format = asHTML
		return nil
	}
	if f.format.Set(text) != nil {
		return fmt.Errorf("must be text, json or html")
	}
	return nil
}

// Set implements pflag.Value.
func (f *format) Set(text string) error {
	switch format(text) {
	case asText, asJSON:
		*f = format(text)
		return nil
	}
	return fmt.Errorf("must be text or json")
}

func (f *format) String() string { return string(*f) }

// Type implements pflag.Value; it is what the help calls the value.
func (f *format) Type() string { return "format" }

// writeJSON writes a value for programs, and for people who look at it in a terminal.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(plain.JSONWriter(w))
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
