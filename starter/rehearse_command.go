package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/backtest/rehearse"
	"github.com/modelvigil/modelvigil/backtest/view"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/starter/input"
)

// rehearsing is one call of rehearse.
type rehearsing struct {
	backtesting // of which it has the policies, the report and the form of the answer
	command     []string
	yardsticks  []rehearse.Yardstick
	options     rehearse.Options
}

func newRehearseCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "rehearse POLICY… -- COMMAND…",
		Short: "Close the loop around a model of your own: run it, judge it, let it retrain",
		Long: `Close the loop around a model of your own, in any language: COMMAND is started once for
each policy, prints what it measures, is told what to retrain, and goes on with the new
model. The very decision machine of production judges, without a server. The clock is the
events' timestamps, so a year passes in seconds.

On its standard output COMMAND prints one JSON object to a line (flush what you print):
  {"timestamp": "2026-03-01T12:00:00Z", "model_version": "v1", "accuracy": 0.93}
      an event, as for publish; one that measures nothing lets the clock go on
  {"sync": 17}
      answered by {"synced": 17} once all before it is judged, and asked for
  {"retraining": {"request_id": "…", "state": "succeeded", "model_version": "v2"}}
      the outcome of a retraining, or "failed", at the instant that the clock has reached
On its standard input it reads {"retrain": {"request_id": …, "model_version": …, "rule": …,
"reason": …, "params": …}} for each request, and the answers to its syncs. It need not
read. The end of its output ends the run. Verification, cooldown, approval and superseded
versions are as in production; lines that make no sense are counted as rejected.`,
		Example: `  modelvigil rehearse policy.yaml -- python3 loop.py
  modelvigil rehearse strict.yaml loose.yaml --yardstick never,always,calendar -- python3 loop.py data.csv
  modelvigil rehearse policy.yaml --approve-after 2h --report report.html -o json -- ./simulate`,
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt),
	}

	r := &rehearsing{}
	output := outputFlag(command)
	flags := command.Flags()
	flags.StringVar(&r.Model, "model", rehearse.DefaultModelName, "`NAME` of the model whose events and policies name none")
	approveAfter := flags.Duration("approve-after", 0, "an operator approves each trigger that waits for it, so much later (default: nobody answers)")
	yardsticks := flags.StringSlice("yardstick", nil, "run these, too: never, always, calendar (as many retrainings as the first policy's), or a calendar's interval such as 168h")
	flags.StringVar(&r.report, "report", "", "write a page of charts to this `FILE`.html")

	command.Args = func(command *cobra.Command, args []string) error {
		return r.takeArguments(args, command.ArgsLenAtDash())
	}
	command.RunE = func(command *cobra.Command, _ []string) error {
		r.Stdin = command.InOrStdin()
		r.Stderr = command.ErrOrStderr()
		r.output = *output
		if flags.Changed("approve-after") {
			r.options.ApproveAfter = metric.Some(*approveAfter)
		}
		if err := r.takeRehearsalFlags(*yardsticks); err != nil {
			return err
		}
		return r.rehearse(command.Context(), command.OutOrStdout())
	}

	return command
}

// takeArguments tells policies and the program apart.
func (r *rehearsing) takeArguments(args []string, dash int) error {
	switch {
	case dash < 0 || dash == len(args):
		return errors.New("takes a program to run, after --, such as: rehearse policy.yaml -- python3 loop.py")
	case dash == 0:
		return errors.New("takes at least one POLICY file, before --; {} in one is the default policy")
	}

	r.policyFiles = args[:dash]
	r.command = args[dash:]
	return nil
}

func (r *rehearsing) takeRehearsalFlags(yardsticks []string) error {
	var faults []error
	if after := r.options.ApproveAfter.Value(); after < 0 {
		faults = append(faults, fmt.Errorf("flag --approve-after: must be 0s or more, got %v", after))
	}
	for _, text := range yardsticks {
		yardstick, err := rehearse.ParseYardstick(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("flag --yardstick: %w", err))
		}
		r.yardsticks = append(r.yardsticks, yardstick)
	}

	return wrongUsage(errors.Join(faults...))
}

func (r *rehearsing) rehearse(ctx context.Context, stdout io.Writer) error {
	policies, err := input.Policies(r.policyFiles, r.Stdin)
	if err != nil {
		return err
	}

	r.options.ModelName = r.Model
	r.options.KeepEvents = r.report != ""
	r.options.Stderr = r.Stderr
	rejected := &shownLines{to: r.Stderr}
	r.options.OnRejection = rejected.show
	results, err := rehearse.Run(ctx, policies, r.yardsticks, r.command, r.options)
	rejected.end()
	if err != nil {
		return err
	}

	if r.report != "" {
		if err := r.writeRuns(results); err != nil {
			return err
		}
	}
	if r.output == asJSON {
		return writeJSON(stdout, map[string]any{"results": results})
	}

	_, err = io.WriteString(stdout, view.Rehearsal(results))
	return err
}

// writeRuns writes the report: each run has events of its own, so each is shown as a
// model of its own.
func (r *rehearsing) writeRuns(results []rehearse.Result) error {
	all := &recording.Recording{}
	policies := make([]backtest.Policy, len(results))
	runs := make([]backtest.Result, len(results))
	for i := range results {
		name := fmt.Sprintf("%s, run %d", results[i].ModelName, i+1)
		results[i].Recorded.Name = name
		all.Models = append(all.Models, results[i].Recorded)
		policies[i] = results[i].Under
		policies[i].ModelName = name
		runs[i] = results[i].Result
		runs[i].ModelName = name
	}

	return writeFile("the report", r.report, func(w io.Writer) error { return backtest.WriteReport(w, all, policies, runs, nil) })
}

// shownLines shows the first rejections of all runs, and how many more there were.
type shownLines struct {
	to io.Writer

	mutex sync.Mutex
	count int
}

func (s *shownLines) show(rejection *recording.Rejection) {
	s.mutex.Lock()
	defer s.mutex.Unlock()

	s.count++
	if s.count > input.ShownRejections {
		return
	}
	for line := range strings.SplitSeq(rejection.Error(), "\n") {
		_, _ = fmt.Fprintln(s.to, plain.Text(line))
	}
}

func (s *shownLines) end() {
	if more := s.count - input.ShownRejections; more > 0 {
		_, _ = fmt.Fprintln(s.to, plain.CountIs(more, "more line")+" rejected")
	}
}
