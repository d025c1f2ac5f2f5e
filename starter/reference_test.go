package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

// docs/cli.md is what the commands themselves say: `make reference` writes it.
func TestTheReferenceIsWhatTheCommandsSay(t *testing.T) {
	const path = "../docs/cli.md"
	said := reference(newRootCommand())
	if *update {
		require.NoError(t, os.WriteFile(path, said, 0o644))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(said), string(written), "run `make reference`")
}

func reference(root *cobra.Command) []byte {
	var page bytes.Buffer
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&page, format+"\n", args...) }
	line("# The commands of modelvigil\n\nMade by `make reference` from what `modelvigil COMMAND -h` says.\n\n%s\n", root.Long)
	line("| command | |\n|---|---|")
	commands := documented(root)
	for _, c := range commands {
		line("| [%s](#%s) | %s |", c.Name(), anchor(c), c.Short)
	}
	for _, c := range commands {
		line("\n## modelvigil %s\n\n```text\n%s\n```", c.Name(), strings.TrimSpace(c.Long))
		if c.Example != "" {
			line("\n```sh\n%s\n```", strings.Trim(unindent(c.Example), "\n"))
		}
		line("\n`%s`", c.UseLine())
		rows := 0
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			if rows++; rows == 1 {
				line("\n| flag | |\n|---|---|")
			}
			line("| `%s` | %s |", flagName(f), cell(flagMeaning(f)))
		})
	}
	for _, c := range chapters() {
		line("\n## %s\n\n| variable | default | meaning |\n|---|---|---|", c.title)
		for _, v := range c.variables {
			line("| `%s` | %s | %s |", v.Name, code(v.Default), cell(v.Meaning))
		}
	}
	line("\nSettings are environment variables; one that is empty counts as not set. Exit codes: 0 done, 1 it failed, 2 wrong usage.")
	return page.Bytes()
}

func documented(root *cobra.Command) (commands []*cobra.Command) {
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "completion" && c.Name() != "help" {
			commands = append(commands, c)
		}
	}
	return commands
}

func anchor(c *cobra.Command) string { return "modelvigil-" + c.Name() }

func flagName(f *pflag.Flag) string {
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	if kind, _ := pflag.UnquoteUsage(f); kind != "" {
		name += " " + kind
	}
	return name
}

func flagMeaning(f *pflag.Flag) string {
	_, meaning := pflag.UnquoteUsage(f)
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" {
		meaning += " (default " + f.DefValue + ")"
	}
	return meaning
}

func unindent(text string) string { return strings.ReplaceAll("\n"+text, "\n  ", "\n") }

func cell(text string) string { return strings.NewReplacer("|", `\|`, "<", `\<`).Replace(text) }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
