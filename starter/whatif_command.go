package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/backtest/whatif"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/policy"
)

func newWhatIfCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "whatif MODEL --policy FILE",
		Short: "Show what another policy would have decided",
		Long: `Show what another policy would have decided, from the monitor's own history: what
its machine was given, and when, is read from the server and given to the same
machine once more, with the other policy in force from the start. Both lists of
decisions are shown side by side. No worker is needed, and nothing is changed.

It is open loop: the metrics are those of the models that were in service, whatever
the other policy would have made of them. Policies applied during the recording are
passed over; what operators did is done again where the machine allows it. A
retraining that is asked for at another time than in the recording gets the answer
that the one of the same number got, after the same time; one that the recording has
none for is accepted, or succeeds, whichever was more frequent, after the median
time, and names no new version.

The history goes back as far as the server retains the monitor's runs; what an
earlier run has handed on is where both begin. Without --policy the policies are
those that were in force, which must give the decisions that were recorded.`,
		Example: `  modelvigil whatif fraud --policy stricter.yaml
  modelvigil whatif fraud --policy - -o json < stricter.yaml | jq '.whatif[] | select(.kind == "triggered")'`,
		Args:              oneModel,
		ValidArgsFunction: completeModels,
	}
	timeout, output := timeoutFlag(command), outputFlag(command)
	file := command.Flags().String("policy", "", "file with the other policy; of several the model's own counts, - is standard input")
	_ = command.MarkFlagFilename("policy", "yaml", "yml", "json")
	command.RunE = func(command *cobra.Command, args []string) error {
		question := whatif.Question{ModelName: args[0]}
		if command.Flags().Changed("policy") {
			policy, err := otherPolicy(*file, args[0], command.InOrStdin())
			if err != nil {
				return err
			}
			question.Policy = &policy
		}

		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}

		defer s.Close()
		found, err := s.find(command.Context(), args[0])
		if err != nil {
			return err
		}

		question.RunID = found.GetExecution().GetRunId()
		question.Codec = s.codec()
		if isTerminal(command.ErrOrStderr()) {
			question.Progress = func(run, runs, events int) {
				_, _ = fmt.Fprintf(command.ErrOrStderr(), "\rrun %d of %d, %d events read\x1b[K", run, runs, events)
			}
		}

		answer, err := whatif.Decide(command.Context(), s, question)
		if question.Progress != nil {
			_, _ = fmt.Fprint(command.ErrOrStderr(), "\r\x1b[K")
		}
		if errors.Is(err, whatif.ErrNoHistory) {
			return fmt.Errorf("monitor of %q: %w; the namespace's retention is over", args[0], err)
		} else if err != nil {
			return s.explain(command.Context(), args[0], found.GetTaskQueue(), err)
		}

		if *output == asJSON {
			return writeJSON(command.OutOrStdout(), answer)
		}

		_, err = io.WriteString(command.OutOrStdout(), answer.Text())
		return err
	}

	return command
}

// otherPolicy reads the policy from a file: the model's own, or the only one.
func otherPolicy(file, model string, stdin io.Reader) (policy.Policy, error) {
	documents, err := document.ReadForAny([]string{file}, stdin)
	if err != nil {
		return policy.Policy{}, err
	}
	for _, d := range documents {
		if d.Model == model || len(documents) == 1 {
			return d.Policy, nil
		}
	}
	return policy.Policy{}, fmt.Errorf("%s: none of its %d policies is for %q", document.Called(file), len(documents), model)
}
