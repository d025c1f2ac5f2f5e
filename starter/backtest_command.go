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
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// backtesting is one call of backtest.
type backtesting struct {
	policyFiles, eventFiles []string
	model                   string
	columns                 map[string]string
	strict                  bool
	options                 backtest.Options
	sweep                   *backtest.Sweep
	report                  string
	output                  format
	stdin                   io.Reader
	stderr                  io.Writer
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
column of numbers is a further metric, one named category:NAME a category) or JSON, one event to a line or in arrays; gzip
is read, too; - is standard input. Timestamps in a CSV are RFC 3339, 2006-01-02 15:04:05
(UTC), or Unix seconds or milliseconds. Files are merged and sorted by time. Arguments
that end in .csv, .ndjson or .jsonl, or one of these and .gz, are events. Rows that make
no sense are counted as rejected, and the first few shown.`,
		Example: `  modelvigil backtest policy.yaml --events metrics.csv
  modelvigil backtest strict.yaml loose.yaml --events metrics.csv --report report.html
  modelvigil backtest policy.yaml --events week1.csv.gz --events week2.csv.gz --model fraud --map accuracy=acc
  modelvigil backtest policy.yaml --events metrics.ndjson --sweep latency.above=150:300:10
  modelvigil backtest policy.yaml --events metrics.csv --sweep cooldown=30m,1h,2h --drift-points 2026-03-01T12:00:00Z
  modelvigil backtest policy.yaml --events metrics.csv --training-time 30m --outcome failed -o json`,
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml", "json", "csv", "ndjson", "jsonl", "gz"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	b := &backtesting{}
	output := outputFlag(command)
	flags := command.Flags()
	flags.StringArrayVar(&b.eventFiles, "events", nil, "`FILE` of events; can be repeated")
	flags.StringVar(&b.model, "model", "", "`NAME` of the model whose events name none (default the policies', where that is one)")
	maps := flags.StringArray("map", nil, "`FIELD=COLUMN`: the column of a CSV that holds a field, a metric or, as category:NAME, a category; can be repeated")
	flags.BoolVar(&b.strict, "strict", false, "end at the first row that makes no sense")
	flags.DurationVar(&b.options.TrainingTime, "training-time", 0, "from a trigger to its outcome; 0s: at once")
	outcome := flags.String("outcome", string(backtest.TrainingSucceeds), "of each retraining: succeeded, failed, or accepted by a backend that can't be followed")
	flags.DurationVar(&b.options.ArrivalDelay, "arrival-delay", 0, "from an event's timestamp to when the monitor gets it")
	points := flags.String("drift-points", "", "known instants of drift to detect: `T1,T2,…` or a file of them, one to a line")
	sweep := flags.String("sweep", "", "run each value of a field, `PARAMETER=FROM:TO:STEP` or PARAMETER=V1,V2,…; a rule's is its name, a dot and the field")
	flags.StringVar(&b.report, "report", "", "write a page of charts to this `FILE`.html")
	for flag, values := range map[string][]string{"outcome": {"succeeded", "failed", "accepted"}} {
		_ = command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	command.Args = func(_ *cobra.Command, args []string) error { return b.takeFiles(args) }
	command.RunE = func(command *cobra.Command, _ []string) error {
		b.stdin = command.InOrStdin()
		b.stderr = command.ErrOrStderr()
		b.output = *output
		if err := b.takeFlags(*maps, *outcome, *points, *sweep); err != nil {
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
			b.eventFiles = append(b.eventFiles, file)
		} else {
			b.policyFiles = append(b.policyFiles, file)
		}
	}

	all := slices.Concat(b.policyFiles, b.eventFiles)
	stdin := slices.Index(all, "-")
	switch {
	case len(b.policyFiles) == 0:
		return errors.New("takes at least one POLICY file; {} in one is the default policy")
	case len(b.eventFiles) == 0:
		return errors.New("takes at least one FILE of events, by --events")
	case stdin >= 0 && slices.Contains(all[stdin+1:], "-"):
		return errors.New("- is given twice, but standard input can be read only once")
	}

	return nil
}

func holdsEvents(file string) bool {
	return slices.Contains([]string{".csv", ".ndjson", ".jsonl"}, filepath.Ext(strings.TrimSuffix(strings.ToLower(file), ".gz")))
}

// takeFlags names every fault of the flags.
func (b *backtesting) takeFlags(maps []string, outcome, points, sweep string) error {
	var faults []error
	fault := func(flag string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("flag --%s: %w", flag, err))
		}
	}

	b.columns = map[string]string{}
	for _, text := range maps {
		field, column, found := strings.Cut(text, "=")
		if !found || field == "" || column == "" {
			fault("map", fmt.Errorf("must be FIELD=COLUMN such as accuracy=acc, got %q", text))
		} else if _, twice := b.columns[field]; twice {
			fault("map", fmt.Errorf("%q is given twice", field))
		}
		b.columns[field] = column
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

	if sweep != "" {
		parsed, err := backtest.ParseSweep(sweep)
		fault("sweep", err)
		b.sweep = &parsed
	}
	if points != "" {
		var err error
		b.options.DriftPoints, err = driftPoints(points)
		fault("drift-points", err)
	}

	return wrongUsage(errors.Join(faults...))
}

// driftPoints reads instants from the flag itself or, where it names a file, from
// its lines: the first column of each that is not a header or a comment.
func driftPoints(text string) (points []time.Time, err error) {
	parts := strings.Split(text, ",")
	if _, err := backtest.ParseTimestamp(strings.TrimSpace(parts[0])); err != nil {
		file, readErr := document.ReadFile(text, nil)
		if errors.Is(readErr, os.ErrNotExist) {
			return nil, fmt.Errorf("%w; nor is it a file", err)
		} else if readErr != nil {
			return nil, readErr
		}

		parts = nil
		for number, line := range strings.Split(string(file), "\n") {
			cell, _, _ := strings.Cut(strings.TrimSpace(line), ",")
			if _, err := backtest.ParseTimestamp(cell); cell == "" || cell[0] == '#' || number == 0 && err != nil {
				continue
			}
			parts = append(parts, cell)
		}

		if len(parts) == 0 {
			return nil, fmt.Errorf("%s holds no timestamp", document.Called(text))
		}
	}

	for _, part := range parts {
		at, err := backtest.ParseTimestamp(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		points = append(points, at)
	}

	slices.SortFunc(points, time.Time.Compare)
	return points, nil
}

func (b *backtesting) run(ctx context.Context, stdout io.Writer) error {
	policies, err := b.rivals()
	if err != nil {
		return err
	}

	if b.sweep != nil { // before the events are read
		for _, policy := range policies {
			for _, value := range b.sweep.Values {
				if _, err := b.sweep.Apply(policy.Policy, value); err != nil {
					return wrongUsage(fmt.Errorf("flag --sweep: %s: %w", plain.Text(policy.Label), err))
				}
			}
		}
	}

	recording, err := b.read(ctx, policies)
	if err != nil {
		return err
	}
	if recording.Events() == 0 {
		return fmt.Errorf("%w: %s rejected", backtest.ErrNoEvents, isOrAre(int(recording.Rejected), "row"))
	}

	for _, policy := range policies {
		if model := recording.Model(policy.ModelName); policy.ModelName != "" && (model == nil || len(model.Events) == 0) {
			_, _ = fmt.Fprintf(b.stderr, "%s: there are no events of model %q; they are of %s\n", plain.Text(policy.Label), policy.ModelName, modelNames(recording))
		}
	}

	results, swept, err := b.replay(ctx, recording, policies)
	if err != nil {
		return err
	}
	if b.report != "" {
		if err := writeReport(b.report, recording, policies, results, swept); err != nil {
			return err
		}
	}

	if b.output == asJSON {
		return writeJSON(stdout, backtestAnswer(recording, results, swept))
	}

	_, err = io.WriteString(stdout, backtestText(recording, results, swept))
	return err
}

// replay runs the policies and the sweep.
func (b *backtesting) replay(ctx context.Context, recording *backtest.Recording, policies []backtest.Policy) ([]backtest.Result, *backtest.Swept, error) {
	total := backtest.TotalEvents(recording, policies)
	if b.sweep != nil {
		total += total * int64(len(b.sweep.Values))
	}
	options := b.options
	progress := showProgress(b.stderr, "replaying", total)
	defer progress.end()
	options.Progress = progress.add
	results, err := backtest.Run(ctx, recording, policies, options)
	if err != nil || b.sweep == nil {
		return results, nil, err
	}

	swept := &backtest.Swept{Sweep: *b.sweep}
	swept.Results, err = backtest.RunSweep(ctx, recording, policies, *b.sweep, options)
	return results, swept, err
}

func writeReport(path string, recording *backtest.Recording, policies []backtest.Policy, results []backtest.Result, swept *backtest.Swept) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := backtest.WriteReport(file, recording, policies, results, swept); err != nil {
		_ = file.Close()
		return fmt.Errorf("%s: %w", plain.Text(path), err)
	}
	return file.Close()
}
