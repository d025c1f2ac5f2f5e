package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy"
)

func newValidateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "validate FILE…",
		Short: "Check files of policies, without a server",
		Long: `Check files of policies, without a server: what modelvigil apply would refuse is named with
its file, line and field, and the exit code is 1. Folders are all their policies.

Of a policy that is fine it says what it does, and what it can't: rules that have no say
in its verification, since they can't be judged of a new version in that time.`,
		Example: `  modelvigil validate policies/
  modelvigil validate policy.yaml && modelvigil apply policy.yaml`,
		Args:              policyFiles,
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	command.RunE = func(command *cobra.Command, files []string) error {
		documents, err := document.Read(files, command.InOrStdin())
		if err != nil {
			return fmt.Errorf("%w\n%s named above", err, plain.Count(1+strings.Count(err.Error(), "\n"), "fault"))
		}

		out := command.OutOrStdout()
		for _, d := range documents {
			p := d.Policy.WithDefaults()
			_, _ = fmt.Fprintf(out, "%s: %s is fine: %s, cooldown %s\n", d.Where, plain.Text(d.Model), plain.Count(len(p.Rules), "rule"), p.Cooldown.Or(0))
			for _, rule := range p.Rules {
				_, _ = fmt.Fprintf(out, "  %s: %s\n", plain.Text(rule.Name), plain.Text(rule.String()))
			}
			printNotes(out, notesOf(d.Policy))
		}

		return nil
	}

	return command
}

// notesOf are what a valid policy says and hardly means, and what it can't do.
func notesOf(p policy.Policy) []string {
	p = p.WithDefaults()
	notes := p.Warnings()
	if without := p.Unverifiable(); len(without) > 0 {
		notes = append(notes, "a new version can't be judged within verify.within by "+strings.Join(without, ", "))
	}

	return notes
}

// printNotes prints the notes below what is said of their policy.
func printNotes(out io.Writer, notes []string) {
	for _, note := range notes {
		_, _ = fmt.Fprintf(out, "  note: %s\n", plain.Text(note))
	}
}

// policyFiles takes at least one file or folder, and standard input once.
func policyFiles(_ *cobra.Command, files []string) error {
	if len(files) == 0 {
		return errors.New("takes at least one FILE; - is standard input")
	}

	stdin := 0
	for _, file := range files {
		if file == "-" {
			stdin++
		}
	}

	if stdin > 1 {
		return errors.New("- is given twice, but standard input can be read only once")
	}

	return nil
}
