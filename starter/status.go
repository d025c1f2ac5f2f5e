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
)

func newStatusCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "status MODEL",
		Short: "Show what a model's monitor sees, does and has decided",
		Long: `Show what a model's monitor sees, does and has decided. It asks the monitor itself,
so a worker must be running. An ended monitor answers too, as long as the namespace
retains it.`,
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
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	value, err := s.QueryWorkflow(bounded, contract.WorkflowID(model), "", contract.QueryStatus)
	if err == nil {
		err = value.Get(&answer.wire)
	}
	return answer, s.explain(ctx, model, found.GetTaskQueue(), err)
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
