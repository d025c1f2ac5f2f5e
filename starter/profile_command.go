package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/starter/input"
)

func newProfileCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "profile [DATA…]",
		Short: "Make a profile of training data, or of what a monitor has seen, for drift rules",
		Long: `Make a profile of training data, for drift rules to hold a model against: of each column of
numbers edges at the quantiles i/32 with the counts between them, mean, standard deviation
and how many rows have none; of each other column how often its most frequent values come.

DATA is CSV with a header, or JSON, one event to a line; - is standard input. A column
named category:NAME is a category, whatever it holds, and so is one whose first cell is no
number; timestamp, model_name and model_version are passed over.

With --from-model the profile is what the drift rules of a model's monitor have learnt of
its own readings, first, previous or trailing: to hold the next version against what this
one saw. Edges of numbers are then at a sketch's boundaries, 2 % apart, with exact counts
between them; mean and standard deviation are those of when the edges were frozen, the
latter within 1 %; names are kept as far as they fit the monitor's state.`,
		Example: `  modelvigil profile train.csv -o fraud-v7.profile.json
  modelvigil profile january.ndjson february.ndjson -o fraud-v7.profile.json
  modelvigil profile --from-model fraud --model-version v7 -o fraud-v7.profile.json`,
		ValidArgsFunction: cobra.FixedCompletions([]string{"csv", "ndjson", "jsonl"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	output := command.Flags().StringP("output", "o", "-", "`FILE` to write the profile to; - is standard output")
	var live liveProfile
	live.addTo(command)
	command.Args = live.arguments
	command.RunE = func(command *cobra.Command, files []string) error {
		var profile *drift.Profile
		var err error
		if live.model == "" {
			profile, err = profileFiles(command, files)
		} else {
			profile, err = live.ask(command)
		}
		if err != nil {
			return err
		}

		encoded, err := json.MarshalIndent(profile, "", " ")
		if err != nil {
			return err
		}
		encoded = append(encoded, '\n')
		if *output == "-" {
			_, err = command.OutOrStdout().Write(encoded)
			return err
		}
		return os.WriteFile(*output, encoded, 0o644) //nolint:gosec // a profile is no secret
	}
	return command
}

// profileFiles makes a profile of files of training data.
func profileFiles(command *cobra.Command, files []string) (*drift.Profile, error) {
	var profiler drift.Profiler
	for _, file := range files {
		err := profileFile(command.Context(), &profiler, file, command.InOrStdin(), command.ErrOrStderr())
		if err != nil {
			return nil, err
		}
	}

	profile := profiler.Profile()
	err := profile.Validate()
	if err != nil {
		return nil, fmt.Errorf("the data make no profile: %s", plain.Faults(err))
	}
	return profile, nil
}

// profileFile reads one file of training data.
func profileFile(ctx context.Context, into *drift.Profiler, file string, stdin io.Reader, stderr io.Writer) error {
	source := stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { _ = opened.Close() }()
		size := int64(0)
		if info, err := opened.Stat(); err == nil {
			size = info.Size()
		}
		progress := input.ShowProgress(stderr, "reading", size)
		defer progress.End()
		source = progress.Counted(opened)
	}

	err := into.Read(input.Interruptible(ctx, source))
	if err != nil {
		return fmt.Errorf("%s: %w", document.Called(file), err)
	}
	return nil
}
