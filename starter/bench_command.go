package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/starter/bench"
)

func newBenchCommand() *cobra.Command {
	var options bench.Options
	var plot string
	var output *format
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure modelvigil against your own Temporal server",
		Long: `Measure modelvigil against your own Temporal server.

In one run: a signal per event, batched signals and the hub side by side, each with
the events counted in the monitors; what a publish costs; what the server stores;
and the time from a published breach until ModelOps is called. It brings its own
worker on a task queue of its own, and ends every monitor that it has started.
Bounded: it stops by itself.`,
		Example: `  starter bench                                        # about a minute
  starter bench --duration 60s --breaches 1000         # the figures of the README
  starter bench --monitors 10000 --breaches 500 --load 1000  # with so many monitors alive
  starter bench --publishers 100 --breaches 100 --load 100000
  starter bench --plot latency.svg -o json > bench.json`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := dial(command.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			options.Progress = command.ErrOrStderr()
			report, left := bench.Run(command.Context(), c, options)
			if _, whole := errors.AsType[*bench.LeftoverError](left); left != nil && !whole {
				return left
			}
			if plot != "" {
				if err := writePlot(report, plot); err != nil {
					return err
				}
			}
			if *output == asJSON {
				encoder := json.NewEncoder(command.OutOrStdout())
				encoder.SetIndent("", "  ")
				return errors.Join(encoder.Encode(report), left)
			}
			return errors.Join(report.Print(command.OutOrStdout()), left)
		},
	}
	output = outputFlag(command)
	flags := command.Flags()
	flags.DurationVar(&options.Duration, "duration", options.Duration, "of the hub's measurement; the other two take a third of it (default 15s)")
	flags.IntVar(&options.Models, "models", 0, "that the hub publishes to (default 100)")
	flags.IntVar(&options.Breaches, "breaches", 0, "measured, each on a model of its own (default 200)")
	flags.IntVar(&options.Monitors, "monitors", 0, "alive while breaches are measured (default as many as breaches)")
	flags.IntVar(&options.Publishers, "publishers", 0, "of each of these monitors (default 1)")
	flags.IntVar(&options.Load, "load", 0, "healthy events a second that they publish meanwhile (default none)")
	flags.IntVar(&options.Clients, "clients", 0, "signalling at once without the hub (default 16)")
	flags.StringVar(&plot, "plot", "", "write the latencies as SVG to this file")
	return command
}

func writePlot(report bench.Report, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	if err := report.Latency.WritePlot(file); err != nil {
		_ = file.Close()
		return fmt.Errorf("write the plot %s: %w", path, err)
	}
	return file.Close()
}
