package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/backtest/tune"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/starter/input"
)

// tuning is one call of tune.
type tuning struct {
	certifying
	falseAlarms float64 // that are allowed
}

func newTuneCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "tune POLICY… --events FILE…",
		Short: "Find the thresholds that cry wolf no more often than you allow, and find changes soonest",
		Long: `Find the thresholds that cry wolf no more often than you allow, and find changes soonest,
on your own recording: each point is judged on resamples of it, as certify does. What is
tuned are the fields that --sweep names, each with each; without it the thresholds of all
rules on a metric's mean or its readings, together, from often to never.

What is said of the result is by cross-validation in time: thresholds are found on three
quarters of the recording and held against the fourth, four times over. So it is what to
expect of data that nobody tuned on.

--change names what must be found, as for certify; without it, each tuned rule's metric
getting worse by as much as its datapoints vary. The answer is a policy that can be
applied, below what was found, in comments.`,
		Example: `  modelvigil tune policy.yaml --events metrics.csv --false-alarms 1 --per 90d
  modelvigil tune policy.yaml --events metrics.csv --false-alarms 2 --change accuracy=-0.03 > tuned.yaml && modelvigil apply tuned.yaml
  modelvigil tune policy.yaml --events metrics.csv --sweep accuracy.below=0.85:0.95:0.005 --sweep accuracy.datapoints.breaching=2,3
  modelvigil tune policy.yaml --events metrics.csv -o json`,
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml", "json", "csv", "ndjson", "jsonl", "parquet", "gz"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	t := &tuning{}
	output := outputFlag(command)
	resampling := resamplingFlags(command, &t.certifying, 100)
	flags := command.Flags()
	flags.Float64Var(&t.falseAlarms, "false-alarms", 1, "how many are allowed, on average")
	sweeps := flags.StringArray("sweep", nil, "a field and its values, `PARAMETER=FROM:TO:STEP` or PARAMETER=V1,V2,…, as for backtest; repeated, each with each")
	command.Args = func(_ *cobra.Command, args []string) error { return t.takeFiles(args) }
	command.RunE = func(command *cobra.Command, _ []string) error {
		t.Stdin = command.InOrStdin()
		t.Stderr = command.ErrOrStderr()
		t.output = *output
		if err := t.take(resampling, *sweeps); err != nil {
			return err
		}
		if !(t.falseAlarms > 0) {
			return wrongUsage(errors.New("flag --false-alarms: must be above 0; so rare that none is seen is 0.1"))
		}
		return t.tune(command.Context(), command.OutOrStdout())
	}

	return command
}

func (t *tuning) tune(ctx context.Context, stdout io.Writer) error {
	policies, err := input.Policies(t.policyFiles, t.Stdin)
	if err != nil {
		return err
	}
	if _, err := t.sweptPolicies(policies); err != nil { // before the events are read
		return err
	}
	recorded, err := t.Collect(ctx, policies)
	if err != nil {
		return err
	}
	pairs, err := pairsOf(recorded, policies)
	if err != nil {
		return err
	}

	options := tune.Options{Resampling: t.options, FalseAlarms: t.falseAlarms, Grid: t.sweeps}
	progress := input.ShowProgress(t.Stderr, "resampling", tune.Work(&options, len(t.points()))*int64(len(pairs)))
	options.Resampling.Progress = progress.Add
	var all []*tune.Tuned
	for _, pair := range pairs {
		tuned, err := tune.Run(ctx, certify.ModelOf(pair.model), pair.policy, options)
		if err != nil {
			progress.End()
			return fmt.Errorf("%s over %s: %w", plain.Text(pair.policy.Label), plain.Text(pair.model.Name), err)
		}
		all = append(all, tuned)
	}
	progress.End()

	switch {
	case t.output == asJSON && len(all) == 1:
		return writeJSON(stdout, all[0])
	case t.output == asJSON:
		return writeJSON(stdout, map[string]any{"tuned": all})
	}
	text, err := tune.Text(all)
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text)
	return err
}

// take takes the flags of how resamples are made, and of what is swept.
func (c *certifying) take(r *resamplingTexts, sweeps []string) error {
	if err := c.takeFlags(*r.maps, *r.zone, string(backtest.TrainingSucceeds), *r.points, sweeps); err != nil {
		return err
	}
	return c.takeCertifyFlags(*r.changes, *r.per, *r.block, r.least)
}
