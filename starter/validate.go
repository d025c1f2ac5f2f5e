package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
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
			policy := d.Policy.WithDefaults()
			_, _ = fmt.Fprintf(out, "%s: %s is fine: %s, cooldown %s\n", d.Where, plain.Text(d.Model), plain.Count(len(policy.Rules), "rule"), policy.Cooldown.Or(0))
			for _, rule := range policy.Rules {
				_, _ = fmt.Fprintf(out, "  %s: %s\n", plain.Text(rule.Name), plain.Text(rule.String()))
			}
			for _, warning := range policy.Warnings() {
				_, _ = fmt.Fprintf(out, "  note: %s\n", plain.Text(warning))
			}
			if without := policy.Unverifiable(); len(without) > 0 {
				_, _ = fmt.Fprintf(out, "  note: a new version can't be judged within verify.within by %s\n", plain.Text(strings.Join(without, ", ")))
			}
		}

		return nil
	}

	return command
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
