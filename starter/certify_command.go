package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/backtest/tune"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/starter/input"
)

// certifying is one call of certify.
type certifying struct {
	backtesting // of which it has the files, what reads them and the form of the answer
	options     certify.Options
	least       time.Duration // that two false alarms must be apart; 0: any
}

func newCertifyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "certify POLICY… --events FILE…",
		Short: "Say how often policies cry wolf, and how soon they find a change, on your own recording",
		Long: `Say how often policies cry wolf, and how soon they find a change, on your own recording:
it is resampled in blocks that keep their time of day (and of week, where a rule has a
season or the recording shows one), and the very decision machine of production judges
each resample. What triggers there is a false alarm: a resample has the recording's noise,
dependence and daily course, but none of its lasting changes. The mean comes with its 95 %
interval. All resampled readings count as one version's; approval, dry runs and
verification are passed over.

With --change a change is made in each resample, and sought for 30 days:
  accuracy=-0.03, latency_ms=+20%, input.age:+0.5sd (standard deviations), at once or
  "accuracy=-0.05 over 7d". Where all readings are 0 or 1, some are turned.

Beside the policy stand an alarm at every look that its cooldown allows, a calendar of as
many retrainings, and the default policy. POLICY and events are as for backtest. The same
--seed gives the same certificate.`,
		Example: `  modelvigil certify policy.yaml --events metrics.csv
  modelvigil certify policy.yaml --events metrics.csv --change accuracy=-0.03 --change "latency_ms=+20% over 7d"
  modelvigil certify policy.yaml --events metrics.csv --min-false-alarm-interval 60d   # for CI: exit code 1 if it is shorter
  modelvigil certify policy.yaml --events metrics.csv -o json > policy.certificate.json
  modelvigil certify policy.yaml --events metrics.csv --change accuracy=-0.03 -o html > operating-curve.html`,
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml", "json", "csv", "ndjson", "jsonl", "gz"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	c := &certifying{}
	output := pageFlag(command)
	resampling := resamplingFlags(command, c, 1000)
	command.Flags().StringVar(&resampling.least, "min-false-alarm-interval", "", "exit code 1 if two false alarms are less than this `TIME` apart on average")
	command.Args = func(_ *cobra.Command, args []string) error { return c.takeFiles(args) }
	command.RunE = func(command *cobra.Command, _ []string) error {
		c.Stdin = command.InOrStdin()
		c.Stderr = command.ErrOrStderr()
		c.output = *output
		if err := c.take(resampling, nil); err != nil {
			return err
		}
		return c.certify(command.Context(), command.OutOrStdout())
	}

	return command
}

// resamplingTexts are flags of how resamples are made, as they are written.
type resamplingTexts struct {
	maps, changes            *[]string
	zone, per, points, block *string
	least                    string // certify's alone
}

// resamplingFlags adds the flags that certify and tune share.
func resamplingFlags(command *cobra.Command, c *certifying, samples int) *resamplingTexts {
	flags := command.Flags()
	flags.StringArrayVar(&c.Files, "events", nil, "`FILE` of events; can be repeated")
	flags.StringVar(&c.Model, "model", "", "`NAME` of the model whose events name none (default the policies', where that is one)")
	flags.StringVar(&c.Decimal, "decimal", "", "`SIGN` that fractions in a CSV stand behind, as in --decimal , by which points part thousands (default a point)")
	flags.IntVar(&c.options.Samples, "samples", samples, "resamples")
	flags.Uint64Var(&c.options.Seed, "seed", 1, "of the random numbers")
	return &resamplingTexts{
		maps:    flags.StringArray("map", nil, "`FIELD=COLUMN`: the column of a CSV that holds a field or metric; can be repeated"),
		zone:    flags.String("zone", "", "`ZONE` of times that say none, such as Europe/Berlin (default UTC)"),
		changes: flags.StringArray("change", nil, "`METRIC=CHANGE` to be found; can be repeated"),
		per:     flags.String("per", "90d", "`TIME` that false alarms are counted per"),
		points:  flags.String("drift-points", "", "drifts that are left out, BEGINNING/END or from an instant until another version: `T1,T2,…` or a file of them, as for backtest"),
		block:   flags.String("block", "", "mean `LENGTH` of a block (default by how long readings depend on each other and rules look back)"),
	}
}

// takeCertifyFlags names every fault of the flags that are certify's own.
func (c *certifying) takeCertifyFlags(changes []string, per, block, least string) error {
	var faults []error
	length := func(flag, text string, into *time.Duration) {
		if text == "" {
			return
		}
		parsed, err := certify.ParseDuration(text)
		if err == nil && parsed < time.Second {
			err = fmt.Errorf("must be 1s or more, got %q", text)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("flag --%s: %w", flag, err))
		}
		*into = parsed
	}

	length("per", per, &c.options.Per)
	length("block", block, &c.options.Block)
	length("min-false-alarm-interval", least, &c.least)
	if c.options.Per == 0 {
		faults = append(faults, errors.New("flag --per: must be a duration such as 90d, got none"))
	}
	for _, text := range changes {
		change, err := certify.ParseChange(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("flag --change: %w", err))
		}
		c.options.Changes = append(c.options.Changes, change)
	}
	if c.options.Samples < certify.MinSamples || c.options.Samples > certify.MaxSamples {
		faults = append(faults, fmt.Errorf("flag --samples: must be %d to %d, got %d", certify.MinSamples, certify.MaxSamples, c.options.Samples))
	}

	c.options.Drifts = c.backtesting.options.Drifts
	return wrongUsage(errors.Join(faults...))
}

func (c *certifying) certify(ctx context.Context, stdout io.Writer) error {
	policies, err := input.Policies(c.policyFiles, c.Stdin)
	if err != nil {
		return err
	}
	recorded, err := c.Collect(ctx, policies)
	if err != nil {
		return err
	}
	certificates, curves, err := c.certificates(ctx, recorded, policies)
	if err != nil {
		return err
	}

	switch {
	case c.output == asHTML:
		err = tune.WritePage(stdout, curves, c.options.Per)
	case c.output == asJSON && len(certificates) == 1:
		err = writeJSON(stdout, certificates[0])
	case c.output == asJSON:
		err = writeJSON(stdout, map[string]any{"certificates": certificates})
	default:
		_, err = io.WriteString(stdout, certify.Text(certificates, c.options.Per))
	}

	return errors.Join(err, c.judge(certificates))
}

// certificates are those of each policy for each model that it is for; for a page with
// their curves.
func (c *certifying) certificates(ctx context.Context, recorded *input.Recorded, policies []backtest.Policy) (all []*certify.Certificate, curves []tune.Certified, err error) {
	pairs, err := pairsOf(recorded, policies)
	if err != nil {
		return nil, nil, err
	}

	progress := input.ShowProgress(c.Stderr, "resampling", certify.Work(&c.options)*int64(len(pairs)))
	defer progress.End()
	options := c.options
	options.Progress = progress.Add
	for _, pair := range pairs {
		fault := func(err error) error {
			return fmt.Errorf("%s over %s: %w", plain.Text(pair.policy.Label), plain.Text(pair.model.Name), err)
		}
		model := certify.ModelOf(pair.model)
		certificate, err := certify.Run(ctx, model, pair.policy, options)
		if err != nil {
			return nil, nil, fault(err)
		}
		all = append(all, certificate)
		if c.output != asHTML {
			continue
		}

		curve, err := tune.CurveOf(ctx, model, pair.policy, tune.Options{Resampling: c.options})
		if err != nil {
			return nil, nil, fault(err)
		}
		curves = append(curves, tune.Certified{Certificate: certificate, Curve: curve})
	}

	return all, curves, nil
}

// pair is a policy, and a model that it is for.
type pair struct {
	policy backtest.Policy
	model  *recording.Model
}

// pairsOf are each policy with each model that it is for.
func pairsOf(recorded *input.Recorded, policies []backtest.Policy) (pairs []pair, err error) {
	for _, policy := range policies {
		of := len(pairs)
		for _, model := range recorded.Events.Models {
			if model.Len() > 0 && (policy.ModelName == "" || policy.ModelName == model.Name) {
				pairs = append(pairs, pair{policy, model})
			}
		}
		if len(pairs) == of {
			return nil, fmt.Errorf("%s: there are no events of model %q; they are of %s", plain.Text(policy.Label), policy.ModelName, recorded.ModelNames())
		}
	}

	return pairs, nil
}

// judge says which policies cry wolf too often.
func (c *certifying) judge(certificates []*certify.Certificate) error {
	var faults []error
	for _, certificate := range certificates {
		interval := certificate.Interval(c.options.Per)
		if c.least > 0 && interval > 0 && interval < c.least {
			faults = append(faults, fmt.Errorf("%s over %s: a false alarm every %s is more often than every %s; raise its thresholds, ask for more datapoints, or allow more",
				plain.Text(certificate.Policy), plain.Text(certificate.ModelName), plain.Length(interval), plain.Length(c.least)))
		}
	}
	return errors.Join(faults...)
}
