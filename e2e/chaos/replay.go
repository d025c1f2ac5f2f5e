package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/workflows"
)

// maxHistoryEvents is how long a run gets at most: what the server suggests, and
// what comes while a schedule call or a notice is waited for, or no worker is there.
const maxHistoryEvents = 2000

// deadlock is the SDK's word for a task that computed for a second, which one does
// that has just started on a machine with more to do than it can. It is tried again.
const deadlock = "TMPRL1101"

// replay fetches every run of a model's monitor, from the last one back, and
// holds it against the code: the same decisions come out again, and nothing in it
// says that a task failed for good.
func replay(ctx context.Context, temporal client.Client, model string) (histories int, violations []string, err error) {
	id, run := contract.WorkflowID(model), ""
	for {
		var history historypb.History
		events := temporal.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			if err != nil {
				return histories, violations, fmt.Errorf("history of %s: %w", id, err)
			}
			history.Events = append(history.Events, event)
		}

		started := history.Events[0].GetWorkflowExecutionStartedEventAttributes()
		run = started.GetOriginalExecutionRunId()
		histories++
		for _, fault := range faultsOf(&history) {
			violations = append(violations, fmt.Sprintf("%s run %s: %s", model, run, fault))
		}
		replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DisableDeadlockDetection: true})
		if err != nil {
			return histories, violations, err
		}

		replayer.RegisterWorkflowWithOptions(workflows.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
		if err := replayer.ReplayWorkflowHistoryWithOptions(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), &history, worker.ReplayWorkflowHistoryOptions{
			OriginalExecution: workflow.Execution{ID: id, RunID: run},
		}); err != nil {
			violations = append(violations, fmt.Sprintf("%s run %s does not replay: %v", model, run, err))
		}

		run = started.GetContinuedExecutionRunId()
		if run == "" {
			return histories, violations, nil
		}
	}
}

func faultsOf(history *historypb.History) (faults []string) {
	if n := len(history.Events); n > maxHistoryEvents {
		faults = append(faults, fmt.Sprintf("history of %d events", n))
	}
	for _, event := range history.Events {
		switch event.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			faults = append(faults, "it ended: "+event.EventType.String())
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			failed := event.GetWorkflowTaskFailedEventAttributes()
			switch cause := failed.GetCause(); {
			case strings.Contains(failed.GetFailure().GetMessage(), deadlock):
			case cause == enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR, cause == enumspb.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE:
				faults = append(faults, fmt.Sprintf("task failed: %v: %s", cause, failed.GetFailure().GetMessage()))
			}
		}
	}

	return faults
}
