package roll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/workflows"
)

// errCannotGoOn says that a history does not fit this program's code.
var errCannotGoOn = errors.New("can't go on with this build")

// Replay holds the histories of at most so many monitors, evenly over their names, against
// the workflow code of this program: pinned ones too, whose state the build has to read, and
// which must go on with it where they are taken off their pins.
func (f *Fleet) Replay(ctx context.Context, monitors []Monitor, most int) error {
	running := len(monitors)
	replayed := monitors
	if most < running {
		replayed = make([]Monitor, most)
		for i := range most {
			replayed[i] = monitors[i*running/most]
		}
	}

	var mu sync.Mutex
	var faults []error
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(callsAtOnce)
	for _, m := range replayed {
		group.Go(func() error {
			err := f.replay(groupCtx, m)
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
			errors.Join(faults[:min(len(faults), 10)]...), len(faults), plain.Count(int64(len(replayed)), "monitor"))
	}

	_, err := fmt.Fprintf(f.Out, "%s of %d running replayed, and all can go on with this build\n", plain.Count(int64(len(replayed)), "monitor"), running)
	return err
}

func (f *Fleet) replay(ctx context.Context, m Monitor) error {
	bounded, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	var history historypb.History
	events := f.Client.GetWorkflowHistory(bounded, m.WorkflowID, m.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		var gone *serviceerror.NotFound
		if errors.As(err, &gone) {
			return nil // it has ended, and was deleted, since it was seen
		} else if err != nil {
			return f.Explain(ctx, fmt.Errorf("read the history of %s: %w", plain.Text(m.WorkflowID), err))
		}
		history.Events = append(history.Events, event)
	}

	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		DataConverter: f.Options.DataConverter, FailureConverter: f.Options.FailureConverter,
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
