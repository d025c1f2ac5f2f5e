package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/starter/bench"
)

func newBenchCommand() *cobra.Command {
	var options bench.Options
	var plot string
	var throughGateway, ofCost bool
	var policyFile string
	var output *format
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure modelvigil against your own Temporal server",
		Long: `Measure modelvigil against your own Temporal server.

In one run: a signal per event, batched signals and the hub side by side, each with
the events counted in the monitors; what a publish costs; what the server stores;
and the time from a published breach until ModelOps is called. It brings its own
worker on a task queue of its own, and ends every monitor that it has started.
Bounded: it stops by itself.

With --cost instead: what one healthy model costs your cluster, and each of a small
fleet, counted in histories and extrapolated to a day: signals, queries, timers, and
whatever else a hosted cluster bills as an action. Name the policy that you mean to
use; counting takes twice its report_every at least.`,
		Example: `  modelvigil bench                                        # about a minute
  modelvigil bench --duration 60s --breaches 1000         # the figures of the README
  modelvigil bench --monitors 10000 --breaches 500 --load 1000  # with so many monitors alive
  modelvigil bench --publishers 100 --breaches 100 --load 100000
  modelvigil bench --gateway --duration 30s               # events over HTTP, in every form
  modelvigil bench --cost --policy hourly.yaml --duration 3h  # what a model costs, in actions
  modelvigil bench --plot latency.svg -o json > bench.json`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := dial(command.Context())
			if err != nil {
				return err
			}

			defer c.Close()
			options.Progress = command.ErrOrStderr()
			if throughGateway {
				report, left := bench.RunGateway(command.Context(), c, options)
				return show(command, report, left, *output)
			}

			if ofCost {
				p := policy.Policy{}
				if policyFile != "" {
					p, err = otherPolicy(policyFile, "", command.InOrStdin())
				}
				if err != nil {
					return err
				}

				report, left := bench.RunCost(command.Context(), c, p, options)
				return show(command, report, left, *output)
			}

			report, left := bench.Run(command.Context(), c, options)
			if _, whole := errors.AsType[*bench.LeftoverError](left); plot != "" && (left == nil || whole) {
				if err := writePlot(report, plot); err != nil {
					return err
				}
			}

			return show(command, report, left, *output)
		},
	}
	output = outputFlag(command)
	flags := command.Flags()
	flags.DurationVar(&options.Duration, "duration", options.Duration, "of the hub's measurement, or the gateway's of NDJSON; the others take a third of it (default 15s; 5m of --cost)")
	flags.IntVar(&options.Models, "models", 0, "that the hub or the gateway publishes to (default 100), or the fleet of --cost (default 20)")
	flags.IntVar(&options.Breaches, "breaches", 0, "measured, each on a model of its own (default 200)")
	flags.IntVar(&options.Monitors, "monitors", 0, "alive while breaches are measured (default as many as breaches)")
	flags.IntVar(&options.Publishers, "publishers", 0, "of each of these monitors (default 1)")
	flags.IntVar(&options.Load, "load", 0, "healthy events a second that they publish meanwhile (default none)")
	flags.IntVar(&options.Clients, "clients", 0, "signalling at once without the hub (default 16)")
	flags.BoolVar(&throughGateway, "gateway", false, "measure the gateway instead: clients, gateway and hub in this process, over loopback")
	flags.BoolVar(&ofCost, "cost", false, "count what a healthy model costs your cluster instead, in actions and in bytes")
	flags.StringVar(&policyFile, "policy", "", "file with one policy, the one of --cost; - is standard input (default the default policy)")
	_ = command.MarkFlagFilename("policy", "yaml", "yml", "json")
	flags.IntVar(&options.Batch, "batch", 0, "events in a request to the gateway (default 1000)")
	flags.StringVar(&plot, "plot", "", "write the latencies as SVG to this file")
	command.MarkFlagsMutuallyExclusive("cost", "gateway")
	return command
}

// show prints a report, unless measuring has failed: then left is why, and not what
// could not be cleaned up.
func show(command *cobra.Command, report interface{ Print(io.Writer) error }, left error, output format) error {
	if _, whole := errors.AsType[*bench.LeftoverError](left); left != nil && !whole {
		return left
	}
	if output == asJSON {
		encoder := json.NewEncoder(command.OutOrStdout())
		encoder.SetIndent("", "  ")
		return errors.Join(encoder.Encode(report), left)
	}
	return errors.Join(report.Print(command.OutOrStdout()), left)
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
