package temporal

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// eventsBeforeWork are the events of a workflow that no worker has taken up:
// started, and its first task scheduled.
const eventsBeforeWork = 2

// existing is the last run of a workflow.
type existing struct {
	runID, firstRunID, workflowType, taskQueue string
	status                                     enums.WorkflowExecutionStatus
	events                                     int64
	ours                                       bool // it carries the request id
}

// isClosed says whether the retraining has ended. A run that has continued as new
// has not: it is only not the last any more.
func (e existing) isClosed() bool {
	switch e.status {
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, enums.WORKFLOW_EXECUTION_STATUS_FAILED, enums.WORKFLOW_EXECUTION_STATUS_CANCELED,
		enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return true
	}
	return false
}

// describe asks after the last run of a request's workflow. Its error wraps
// serviceerror.NotFound, and is final, where there is none.
func (b *Backend) describe(ctx context.Context, request modelops.Request) (existing, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := b.service.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: b.namespace, Execution: &common.WorkflowExecution{WorkflowId: request.RequestID},
	})
	if err != nil {
		return existing{}, classify(err)
	}

	info := answer.GetWorkflowExecutionInfo()
	var carried string
	if field := info.GetMemo().GetFields()[memoRequestID]; field != nil {
		_ = b.data.FromPayload(field, &carried) // else it isn't ours
	}
	return existing{
		runID: info.GetExecution().GetRunId(), firstRunID: info.GetFirstRunId(),
		workflowType: info.GetType().GetName(), taskQueue: info.GetTaskQueue(),
		status: info.GetStatus(), events: info.GetHistoryLength(),
		ours: request.RequestID != "" && carried == request.RequestID,
	}, nil
}

// RetrainingOutcome asks once whether the workflow has ended, and how.
func (b *Backend) RetrainingOutcome(ctx context.Context, request modelops.Request, _ modelops.Job) (modelops.Outcome, error) {
	outcome, err := b.outcome(ctx, request)
	if err != nil {
		return modelops.Outcome{}, fmt.Errorf("ask after workflow %s in %s: %w", request.RequestID, b.where, err)
	}
	return outcome, nil
}

func (b *Backend) outcome(ctx context.Context, request modelops.Request) (modelops.Outcome, error) {
	run, err := b.describe(ctx, request)
	var gone *serviceerror.NotFound
	switch {
	case errors.As(err, &gone):
		return modelops.Outcome{}, fmt.Errorf("%w (has it been deleted, or is the backend configured for another namespace now?)", err)
	case err != nil:
		return modelops.Outcome{}, err
	case !run.ours:
		return modelops.Outcome{}, modelops.Final(fmt.Errorf("it is a workflow of type %s that is not this retraining", run.workflowType))
	case !run.isClosed() && run.events <= eventsBeforeWork:
		return modelops.Outcome{}, fmt.Errorf("%w: no worker of task queue %q has taken it up yet", modelops.ErrRunning, run.taskQueue)
	case !run.isClosed():
		return modelops.Outcome{}, modelops.ErrRunning
	}

	end, err := b.end(ctx, request.RequestID, run.runID)
	if err != nil {
		return modelops.Outcome{}, err
	}

	return b.outcomeOf(end)
}

// end is the event that closed a run.
func (b *Backend) end(ctx context.Context, workflowID, runID string) (*history.HistoryEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := b.service.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: b.namespace, Execution: &common.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
		HistoryEventFilterType: enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
	})
	if err != nil {
		return nil, classify(err)
	}
	events := answer.GetHistory().GetEvents()
	if len(events) == 0 {
		return nil, errors.New("the server says that it has ended, and not how")
	}

	return events[len(events)-1], nil
}

// outcomeOf is what a closing event tells. Its error is ErrRunning.
func (b *Backend) outcomeOf(end *history.HistoryEvent) (modelops.Outcome, error) {
	failed := modelops.Outcome{State: modelops.Failed}
	switch end.GetEventType() {
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		return resultOf(b.decoded(end.GetWorkflowExecutionCompletedEventAttributes().GetResult())), nil
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		failed.Message = messageOf(end.GetWorkflowExecutionFailedEventAttributes().GetFailure())
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		failed.Message = "the workflow timed out there"
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		failed.Message = "the workflow was cancelled there"
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		failed.Message = "the workflow was terminated there"
		by := end.GetWorkflowExecutionTerminatedEventAttributes()
		if by.GetIdentity() != "" {
			failed.Message += " by " + by.GetIdentity()
		}
		if by.GetReason() != "" {
			failed.Message += ": " + by.GetReason()
		}
	default: // it has continued as new since it was described
		return modelops.Outcome{}, modelops.ErrRunning
	}

	failed.Message = plain.Excerpt(failed.Message, maxMessageBytes)
	return failed, nil
}
