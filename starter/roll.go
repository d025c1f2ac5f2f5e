package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/workflows"
)

const (
	// defaultReplayed is how many monitors are replayed before a roll. A kind of
	// history that one in a hundred has is among them with a chance of 87 %.
	defaultReplayed = 200
	// replaysAtOnce bounds the histories that are in memory.
	replaysAtOnce = 8
)

func newRollCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "roll BUILD_ID",
		Short: "Hand the monitors to another build of the workers",
		Long: `Hand the monitors to another build of the workers, at once and without a break, where the
workers run with TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID. Run modelvigil of
the new release: it replays the histories of monitors first, with the code that they are
to go on with, and rolls only if every one of them can. Then it waits until the new
workers poll, and makes their build the current one of the deployment. To roll back is to
roll to the build of before, by modelvigil of that release.

--check replays and changes nothing; it needs no versioned workers. The exit code is 1 if a
monitor could not go on.`,
		Example: `  modelvigil roll --check
  modelvigil roll 2026-11-24-4f1c2ab`,
		Args: atMostOneBuild,
	}
	timeout := timeoutFlag(command)
	flags := command.Flags()
	check := flags.Bool("check", false, "replay histories of running monitors with this build, and change nothing")
	replayed := flags.Int("replay", defaultReplayed, "how many monitors to replay")
	deployment := flags.String("deployment", cmp.Or(os.Getenv("TEMPORAL_DEPLOYMENT_NAME"), "modelvigil"), "the workers' `name` of their deployment")
	command.RunE = func(command *cobra.Command, args []string) error {
		switch {
		case *check == (len(args) == 1):
			return wrongUsage(errors.New("takes the BUILD_ID to roll to, or --check"))
		case *replayed < 0:
			return wrongUsage(fmt.Errorf("flag --replay: must be 0 or more, got %d", *replayed))
		}

		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.replayMonitors(command.Context(), command.OutOrStdout(), *replayed); err != nil || *check {
			return err
		}

		return s.roll(command.Context(), command.OutOrStdout(), *deployment, args[0])
	}

	return command
}

func atMostOneBuild(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return wrongUsage(fmt.Errorf("takes one BUILD_ID, got %d arguments", len(args)))
	}
	return nil
}

// replayMonitors holds the histories of running monitors, evenly over their names,
// against the workflow code of this program.
func (s *server) replayMonitors(ctx context.Context, out io.Writer, most int) error {
	monitors, err := s.list(ctx, false)
	if err != nil {
		return err
	}

	monitors = slices.DeleteFunc(monitors, func(m listedMonitor) bool { return m.TaskQueue != string(s.settings.TaskQueue) }) // other workers'
	running := len(monitors)
	if most < running {
		for i := range most {
			monitors[i] = monitors[i*running/most]
		}
		monitors = monitors[:most]
	}

	var mu sync.Mutex
	var faults []error
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(replaysAtOnce)
	for _, m := range monitors {
		group.Go(func() error {
			err := s.replay(groupCtx, m)
			if errors.Is(err, errCannotGoOn) {
				mu.Lock()
				defer mu.Unlock()
				faults = append(faults, err)
				return nil
			}
			return err
		})
	}

	if err := group.Wait(); err != nil {
		return err
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
		return fmt.Errorf("%w\n%d of %s replayed could not go on with this build; they can with the one that they run on",
			errors.Join(faults[:min(len(faults), 10)]...), len(faults), plain.Count(int64(len(monitors)), "monitor"))
	}

	_, err = fmt.Fprintf(out, "%s of %d running replayed, and all can go on with this build\n", plain.Count(int64(len(monitors)), "monitor"), running)
	return err
}

// errCannotGoOn says that a history does not fit this program's code.
var errCannotGoOn = errors.New("can't go on with this build")

func (s *server) replay(ctx context.Context, m listedMonitor) error {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	var history historypb.History
	events := s.GetWorkflowHistory(bounded, m.WorkflowID, m.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		var gone *serviceerror.NotFound
		if errors.As(err, &gone) {
			return nil // it has ended, and was deleted, since it was listed
		} else if err != nil {
			return s.explain(ctx, m.ModelName, m.TaskQueue, fmt.Errorf("read the history of %s: %w", m.WorkflowID, err))
		}
		history.Events = append(history.Events, event)
	}

	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		DataConverter: s.temporal.DataConverter, FailureConverter: s.temporal.FailureConverter,
		Interceptors:             []interceptor.WorkerInterceptor{&workflows.EveryArgument{}},
		DisableDeadlockDetection: true, // a second on a busy machine is no fault of the build
	})
	if err != nil {
		return err
	}
	replayer.RegisterWorkflowWithOptions(workflows.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
	if err := replayer.ReplayWorkflowHistoryWithOptions(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), &history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: m.WorkflowID, RunID: history.Events[0].GetWorkflowExecutionStartedEventAttributes().GetOriginalExecutionRunId()},
	}); err != nil {
		return fmt.Errorf("the monitor of %q %w: %s", plain.Text(m.ModelName), errCannotGoOn, plain.Text(err.Error()))
	}

	return nil
}

// roll makes a build the current one, once its workers poll every queue.
func (s *server) roll(ctx context.Context, out io.Writer, deployment, build string) error {
	handle := s.WorkerDeploymentClient().GetHandle(deployment)
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	from := "workers without a build"
	if before, err := handle.Describe(bounded, client.WorkerDeploymentDescribeOptions{}); err == nil {
		if current := before.Info.RoutingConfig.CurrentVersion; current != nil {
			from = current.BuildID
		}
	}

	for {
		_, err := handle.SetCurrentVersion(bounded, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build})
		if err == nil {
			_, err = fmt.Fprintf(out, "%s: monitors go on with %s from their next task, after %s; leave its workers up for a minute, for calls under way\n",
				plain.Text(deployment), plain.Text(build), plain.Text(from))
			return err
		}

		var missing *serviceerror.NotFound
		var lacking *serviceerror.FailedPrecondition
		var slow *serviceerror.DeadlineExceeded // of one call: a busy server takes longer
		comes := errors.As(err, &missing) || errors.As(err, &lacking) || errors.As(err, &slow)
		if !comes && bounded.Err() == nil {
			return s.explain(ctx, "", "", fmt.Errorf("make %s the current build of %s: %w", plain.Text(build), plain.Text(deployment), err))
		}

		select {
		case <-bounded.Done():
			return fmt.Errorf("no workers of build %s poll all queues of deployment %s within %v: %s; are they running, with TEMPORAL_DEPLOYMENT_NAME=%[2]s and TEMPORAL_WORKER_BUILD_ID=%[1]s?",
				plain.Text(build), plain.Text(deployment), s.timeout, plain.Text(err.Error()))
		case <-time.After(500 * time.Millisecond):
		}
	}
}
