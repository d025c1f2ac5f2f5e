package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/workflows/index"
)

func newSetupCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "setup",
		Short: "Create the search attributes by which monitors are found",
		Long: `Create the search attributes by which monitors are found in the Temporal UI. It needs
an administrator's rights, once for each namespace; what is there already stays. A worker
that has these rights does the same by itself.

On Temporal Cloud, where they are made in its UI or by tcld, --print says which.`,
		Example: `  modelvigil setup
  modelvigil setup --print`,
		Args: noArguments,
	}
	timeout := timeoutFlag(command)
	onlyPrint := command.Flags().Bool("print", false, "print the commands instead, for whoever has the rights")
	command.RunE = func(command *cobra.Command, _ []string) error {
		out := command.OutOrStdout()
		if *onlyPrint {
			for _, key := range index.Keys() {
				_, _ = fmt.Fprintf(out, "temporal operator search-attribute create --name %s --type %s\n", key.GetName(), key.GetValueType())
			}
			return nil
		}
		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}

		defer s.Close()
		bounded, cancel := s.bounded(command.Context())
		defer cancel()
		created, err := index.Ensure(bounded, s.Client, s.namespace)
		switch {
		case err != nil:
			return fmt.Errorf("%w; `modelvigil setup --print` says what an administrator can do", s.explain(command.Context(), "", "", err))
		case len(created) == 0:
			_, _ = fmt.Fprintf(out, "namespace %s: all search attributes are there\n", s.namespace)
		default:
			_, _ = fmt.Fprintf(out, "namespace %s: created %s\n", s.namespace, strings.Join(created, ", "))
		}

		return nil
	}

	return command
}
