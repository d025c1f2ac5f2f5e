package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/starter/explain"
)

func newExplainCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "explain MODEL",
		Short: "Say of each rule how far it is from triggering, and what holds it back",
		Long: `Say of each rule of a model's policy how far it is from triggering, with its
datapoints as a small chart, and what holds a trigger back now. It asks the monitor
itself, so a worker must be running. All times are UTC.

In a chart each bar is a datapoint, the oldest first: · is a missing one, ? one that
could not be judged, and ^ under a bar says that it breaches.`,
		Example: `  modelvigil explain fraud
  modelvigil explain fraud -o json | jq '.versions[].rules[] | select(.verdict == "breaching")'`,
		Args:              oneModel,
		ValidArgsFunction: completeModels,
	}
	timeout, output := timeoutFlag(command), outputFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}

		defer s.Close()
		answer, err := s.status(command.Context(), args[0])
		if err != nil {
			return err
		}
		var status monitor.Status
		if err := json.Unmarshal(answer.wire, &status); err != nil {
			return fmt.Errorf("read the status of %q: %w; the worker is newer than this modelvigil: upgrade it", args[0], err)
		}
		explained := explain.Status(status, answer.Ended, time.Now())
		if answer.Word != "" {
			explained.Notes = append(explained.Notes, "the backend's latest word: "+plain.Text(answer.Word))
		}
		if f := status.LastFailure; f != nil {
			explained.Notes = append(explained.Notes, fmt.Sprintf("last failure on %s: %s", plain.Time(f.At), plain.Text(f.Reason)))
		}
		if *output == asJSON {
			return writeJSON(command.OutOrStdout(), explained)
		}

		return explained.Print(command.OutOrStdout())
	}

	return command
}
