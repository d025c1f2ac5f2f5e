package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/view"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/starter/input"
)

// backtesting is one call of backtest.
type backtesting struct {
	input.Events
	policyFiles        []string
	options            backtest.Options
	sweeps             backtest.Grid
	report, datapoints string
	output             format
}

func newBacktestCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "backtest POLICY… --events FILE…",
		Short: "Show what policies would have done with recorded metrics",
		Long: `Show what policies would have done with recorded metrics: the very decision machine of
production replays them, without a server. The clock is the events' timestamps.

It is open loop: the recorded metrics do not change by the retrainings imagined here, so
a model that stays bad in the recording goes on breaching.

POLICY is a file as for apply; a document without model_name is for every model of the
events. Several policies are shown side by side. Events are CSV with a header
(timestamp, model_name, model_version, accuracy, latency_ms, drift_score; any other
column is a further metric, one named category:NAME a category), JSON, one object to a
line or in arrays, or Parquet; gzip is read, too; - is standard input. Only what some
rule measures is read.
Timestamps are RFC 3339, 2006-01-02 15:04:05 (in --zone), or Unix seconds or
milliseconds. Files are merged by time. Arguments that end in .csv, .ndjson, .jsonl or
.parquet, or one of these and .gz, are events. Rows that make no sense are counted as
rejected, and the first few shown.`,
		Example: `  modelvigil backtest policy.yaml --events metrics.csv
  modelvigil backtest strict.yaml loose.yaml --events metrics.csv --report report.html
  modelvigil backtest policy.yaml --events week1.csv.gz --events week2.csv.gz --model fraud --map accuracy=acc
  modelvigil backtest policy.yaml --events metrics.ndjson --sweep latency.above=150:300:10
  modelvigil backtest policy.yaml --events metrics.csv --sweep cooldown=30m,1h,2h --drift-points 2026-03-01T12:00:00Z
  modelvigil backtest policy.yaml --events export.parquet --zone Europe/Berlin --map arrival=labelled_at
  modelvigil backtest policy.yaml --events metrics.csv --training-time 30m --outcome failed -o json`,
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml", "json", "csv", "ndjson", "jsonl", "parquet", "gz"}, cobra.ShellCompDirectiveFilterFileExt),
	}

	b := &backtesting{}
	output := outputFlag(command)
	flags := command.Flags()
	flags.StringArrayVar(&b.Files, "events", nil, "`FILE` of events; can be repeated")
	flags.StringVar(&b.Model, "model", "", "`NAME` of the model whose events name none (default the policies', where that is one)")
	maps := flags.StringArray("map", nil, "`FIELD=COLUMN`: the column that holds a field, a metric or, as category:NAME, a category; as arrival, when an event arrived; can be repeated")
	flags.StringSliceVar(&b.Metrics, "metrics", nil, "`NAMES` of metrics to read beside those that rules measure, for the report")
	zone := flags.String("zone", "", "`ZONE` of times that say none, such as Europe/Berlin (default UTC)")
	flags.StringVar(&b.Decimal, "decimal", "", "`SIGN` that fractions in a CSV stand behind, as in --decimal , by which points part thousands (default a point)")
	flags.BoolVar(&b.Strict, "strict", false, "end at the first row that makes no sense")
	flags.DurationVar(&b.options.TrainingTime, "training-time", 0, "from a trigger to its outcome; 0s: at once")
	outcome := flags.String("outcome", string(backtest.TrainingSucceeds), "of each retraining: succeeded, failed, or accepted by a backend that can't be followed")
	flags.DurationVar(&b.options.ArrivalDelay, "arrival-delay", 0, "from an event's timestamp to when the monitor gets it")
	points := flags.String("drift-points", "", "known drifts to detect: `T1,T2,…`, BEGINNING/END where one has an end, or a file of them, one to a line or as NAB labels")
	sweeps := flags.StringArray("sweep", nil, "run each value of a field, `PARAMETER=FROM:TO:STEP` or PARAMETER=V1,V2,…; a rule's is its name, a dot and the field; repeated, each with each")
	flags.StringVar(&b.datapoints, "datapoints", "", "write every datapoint of rules with a period to this `FILE`.csv")
	flags.StringVar(&b.report, "report", "", "write a page of charts to this `FILE`.html")
	for flag, values := range map[string][]string{"outcome": {"succeeded", "failed", "accepted"}} {
		_ = command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}

	command.Args = func(_ *cobra.Command, args []string) error { return b.takeFiles(args) }
	command.RunE = func(command *cobra.Command, _ []string) error {
		b.Stdin = command.InOrStdin()
		b.Stderr = command.ErrOrStderr()
		b.output = *output
		if err := b.takeFlags(*maps, *zone, *outcome, *points, *sweeps); err != nil {
			return err
		}
		return b.run(command.Context(), command.OutOrStdout())
	}

	return command
}

// takeFiles tells policies and events apart.
func (b *backtesting) takeFiles(args []string) error {
	for _, file := range args {
		if holdsEvents(file) {
			b.Files = append(b.Files, file)
		} else {
			b.policyFiles = append(b.policyFiles, file)
		}
	}

	all := slices.Concat(b.policyFiles, b.Files)
	stdin := slices.Index(all, "-")
	switch {
	case len(b.policyFiles) == 0:
		return errors.New("takes at least one POLICY file; {} in one is the default policy")
	case len(b.Files) == 0:
		return errors.New("takes at least one FILE of events, by --events")
	case stdin >= 0 && slices.Contains(all[stdin+1:], "-"):
		return errors.New("- is given twice, but standard input can be read only once")
	}

	return nil
}

func holdsEvents(file string) bool {
	return slices.Contains([]string{".csv", ".ndjson", ".jsonl", ".parquet"}, filepath.Ext(strings.TrimSuffix(strings.ToLower(file), ".gz")))
}

// takeFlags names every fault of the flags.
func (b *backtesting) takeFlags(maps []string, zone, outcome, points string, sweeps []string) error {
	var faults []error
	fault := func(flag string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("flag --%s: %w", flag, err))
		}
	}

	b.Columns = map[string]string{}
	for _, text := range maps {
		field, column, found := strings.Cut(text, "=")
		if !found || field == "" || column == "" {
			fault("map", fmt.Errorf("must be FIELD=COLUMN such as accuracy=acc, got %q", text))
		} else if _, twice := b.Columns[field]; twice {
			fault("map", fmt.Errorf("%q is given twice", field))
		}
		b.Columns[field] = column
	}

	if b.Decimal != "" && b.Decimal != "." && b.Decimal != "," {
		fault("decimal", fmt.Errorf("must be . or a comma, got %q", b.Decimal))
	}
	b.options.Training = backtest.Training(outcome)
	if !slices.Contains([]backtest.Training{backtest.TrainingSucceeds, backtest.TrainingFails, backtest.TrainingAccepted}, b.options.Training) {
		fault("outcome", fmt.Errorf("must be succeeded, failed or accepted, got %q", outcome))
	}
	for flag, d := range map[string]time.Duration{"training-time": b.options.TrainingTime, "arrival-delay": b.options.ArrivalDelay} {
		if d < 0 {
			fault(flag, fmt.Errorf("must be 0s or more, got %v", d))
		}
	}

	var err error
	if zone != "" {
		b.Zone, err = time.LoadLocation(zone)
		if err != nil {
			err = fmt.Errorf("must be a name of the IANA time zone database, such as Europe/Berlin, got %q", zone)
		}
		fault("zone", err)
	}
	for _, text := range sweeps {
		sweep, err := backtest.ParseSweep(text)
		fault("sweep", err)
		b.sweeps = append(b.sweeps, sweep)
	}
	b.sweeps, err = backtest.NewGrid(b.sweeps)
	fault("sweep", err)
	if points != "" {
		b.options.Drifts, err = b.drifts(points)
		fault("drift-points", err)
	}
	b.options.Datapoints = b.datapoints != "" || b.report != ""

	return wrongUsage(errors.Join(faults...))
}

// drifts reads them from the flag itself or, where it names a file, from that.
func (b *backtesting) drifts(text string) ([]backtest.Drift, error) {
	zone := b.Zone
	if zone == nil {
		zone = time.UTC
	}
	drifts, err := backtest.ParseDrifts(text, zone)
	if err == nil {
		return drifts, nil
	}

	file, readErr := document.ReadFile(text, nil)
	if errors.Is(readErr, os.ErrNotExist) {
		return nil, fmt.Errorf("%w; nor is it a file", err)
	} else if readErr != nil {
		return nil, readErr
	}

	drifts, err = backtest.ReadDrifts(file, b.Files, zone)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", document.Called(text), err)
	}
	return drifts, nil
}

func (b *backtesting) run(ctx context.Context, stdout io.Writer) error {
	policies, err := input.Policies(b.policyFiles, b.Stdin)
	if err != nil {
		return err
	}
	swept, err := b.sweptPolicies(policies) // before the events are read
	if err != nil {
		return err
	}

	read, err := b.read(ctx, policies, swept)
	if err != nil {
		return err
	}
	if read.Total == 0 {
		return fmt.Errorf("%w: %s rejected", backtest.ErrNoEvents, plain.CountIs(int(read.Rejected), "row"))
	}

	for _, policy := range policies {
		if policy.ModelName != "" && !slices.Contains(read.Models, policy.ModelName) {
			_, _ = fmt.Fprintf(b.Stderr, "%s: there are no events of model %q; they are of %s\n", plain.Text(policy.Label), policy.ModelName, read.ModelNames())
		}
	}

	sweep, err := b.runAll(ctx, read, policies)
	if err != nil {
		return err
	}
	if b.report != "" {
		err := writeFile("the report", b.report, func(w io.Writer) error { return backtest.WriteReport(w, read.Events, policies, read.Results, sweep) })
		if err != nil {
			return err
		}
	}
	if b.datapoints != "" {
		err := writeFile("the datapoints", b.datapoints, func(w io.Writer) error { return backtest.WriteDatapoints(w, read.Results) })
		if err != nil {
			return err
		}
	}

	answer := view.NewAnswer(read.Results, read.Outlines, read.Rejected, sweep)
	if b.output == asJSON {
		return writeJSON(stdout, answer)
	}

	_, err = io.WriteString(stdout, answer.Text())
	return err
}

// points are those of the sweeps, none without.
func (b *backtesting) points() [][]string {
	if len(b.sweeps) == 0 {
		return nil
	}
	return b.sweeps.Points()
}

// sweptPolicies are the policies at all points of the sweeps.
func (b *backtesting) sweptPolicies(policies []backtest.Policy) (swept []backtest.Policy, err error) {
	for _, policy := range policies {
		for _, point := range b.points() {
			changed := policy
			changed.Policy, err = b.sweeps.Apply(policy.Policy, point)
			if err != nil {
				return nil, wrongUsage(fmt.Errorf("flag --sweep: %s: %w", plain.Text(policy.Label), err))
			}
			swept = append(swept, changed)
		}
	}

	return swept, nil
}

// read reads the events: where nothing needs them twice, the policies are run meanwhile.
func (b *backtesting) read(ctx context.Context, policies, swept []backtest.Policy) (*input.Recorded, error) {
	if len(swept) == 0 && b.report == "" {
		return b.Replay(ctx, policies, b.options)
	}
	return b.Collect(ctx, slices.Concat(policies, swept))
}

// runAll runs the policies, unless that was done while the events were read, and the sweep.
func (b *backtesting) runAll(ctx context.Context, read *input.Recorded, policies []backtest.Policy) (*backtest.Swept, error) {
	if read.Events == nil {
		return nil, nil
	}

	total := backtest.TotalEvents(read.Events, policies)
	total += total * int64(len(b.points()))
	options := b.options
	progress := input.ShowProgress(b.Stderr, "replaying", total)
	defer progress.End()
	options.Progress = progress.Add
	var err error
	read.Results, err = backtest.Run(ctx, read.Events, policies, options)
	if err != nil || len(b.sweeps) == 0 {
		return nil, err
	}

	swept := &backtest.Swept{Grid: b.sweeps}
	options.Datapoints = false
	swept.Results, err = backtest.RunSweep(ctx, read.Events, policies, b.sweeps, options)
	return swept, err
}

func writeFile(what, path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	if err := write(file); err != nil {
		_ = file.Close()
		return fmt.Errorf("%s: %w", plain.Text(path), err)
	}
	return file.Close()
}
