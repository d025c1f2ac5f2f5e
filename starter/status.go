package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/starter/status"
	"github.com/modelvigil/modelvigil/workflows/replay"
)

func newStatusCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "status MODEL",
		Short: "Show what a model's monitor sees, does and has decided",
		Long: `Show what a model's monitor sees, does and has decided. It asks the monitor itself,
so a worker must be running. What an ended one knew is read from its history, as long as
the namespace retains it: by this program, or, where its release can't, by a worker.`,
		Example: `  modelvigil status fraud
  modelvigil status fraud -o json | jq .retrainings     # the wire form, as the status query gives it`,
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
		if *output == asJSON {
			return writeJSON(command.OutOrStdout(), answer.wire)
		}

		var answered monitor.Status
		if err := json.Unmarshal(answer.wire, &answered); err != nil {
			return fmt.Errorf("read the status of %q: %w; the worker is newer than this modelvigil: upgrade it, or ask with -o json", args[0], err)
		}

		return status.Print(command.OutOrStdout(), answered, answer.Aside, time.Now())
	}

	return command
}

// statusAnswer is the answer to the status query, as it came.
type statusAnswer struct {
	wire json.RawMessage
	status.Aside
}

// status asks a model's monitor.
func (s *server) status(ctx context.Context, model string) (answer statusAnswer, err error) {
	described, err := s.describe(ctx, model)
	if err != nil {
		return answer, err
	}

	found := described.GetWorkflowExecutionInfo()
	answer.Word = s.latestWord(described.GetPendingActivities())
	if found.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		answer.Ended = fmt.Sprintf("%s on %s", plain.Words(state(found.GetStatus())), plain.Time(found.GetCloseTime().AsTime()))
	}
	err = s.query(ctx, model, found, &answer.wire, contract.QueryStatus, nil, func(machine *monitor.Machine, at time.Time) (any, error) {
		return machine.Status(at), nil
	})
	return answer, err
}

// query puts a query to a monitor. One that has ended answers by its history, which is replayed
// here: the server would ask the workers of the build that it was pinned to, which are gone
// after a roll. Where this program can't replay it, they are asked all the same.
func (s *server) query(ctx context.Context, model string, found *workflowpb.WorkflowExecutionInfo, into any, name string, arguments []any,
	of func(machine *monitor.Machine, at time.Time) (any, error),
) error {
	var unread string
	if found.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		machine, at, err := s.recall(ctx, found)
		if err == nil {
			return answerInto(into, func() (any, error) { return of(machine, at) })
		}
		unread = fmt.Sprintf("; nor can this modelvigil replay its history: %s; that of its own release can", plain.Text(err.Error()))
	}

	bounded, cancel := s.bounded(ctx)
	defer cancel()
	value, err := s.QueryWorkflow(bounded, contract.WorkflowID(model), "", name, arguments...)
	if err == nil {
		err = value.Get(into)
	}
	if err != nil && strings.Contains(err.Error(), "unknown queryType") {
		err = fmt.Errorf("its worker is older than this modelvigil and doesn't answer the query %s; upgrade it", name)
	}
	if err != nil {
		return fmt.Errorf("%w%s", s.explain(ctx, model, found.GetTaskQueue(), err), unread)
	}
	return nil
}

// recall is what a run of a monitor knew when its last task was completed, by its history.
func (s *server) recall(ctx context.Context, found *workflowpb.WorkflowExecutionInfo) (*monitor.Machine, time.Time, error) {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	id := found.GetExecution().GetWorkflowId()
	events, err := replay.Read(bounded, s, id, found.GetExecution().GetRunId())
	if err != nil {
		return nil, time.Time{}, err
	}
	return replay.Last(id, events, s.codec())
}

// answerInto takes an answer over in its wire form, as a query would hand it out.
func answerInto(into any, answer func() (any, error)) error {
	answered, err := answer()
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(answered)
	if err != nil {
		return err
	}
	return json.Unmarshal(encoded, into)
}

// latestWord is what the backend of the retraining in flight has said last, where a
// call of it is about to be made again.
func (s *server) latestWord(pending []*workflowpb.PendingActivityInfo) string {
	failures := cmp.Or(s.temporal.FailureConverter, temporal.GetDefaultFailureConverter())
	for _, call := range pending {
		isRetraining := strings.HasSuffix(call.GetActivityType().GetName(), "Retraining")
		if failure := call.GetLastFailure(); isRetraining && failure != nil {
			var told *temporal.ApplicationError
			if errors.As(failures.FailureToError(failure), &told) {
				return told.Message()
			}
		}
	}

	return ""
}
