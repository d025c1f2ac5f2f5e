package lastpolicy

import (
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows"
)

// reader goes through a run's history with a machine that is given policies alone.
type reader struct {
	data        converter.DataConverter
	runID       string
	firstRunID  string
	continuedAs string
	ended       string
	machine     *monitor.Machine // nil: the run's argument made no sense

	accepted  map[string]*updatepb.Request // updates, by their ids
	hasPolicy bool                         // an update has put one in force
}

func newReader(data converter.DataConverter, runID string) *reader {
	return &reader{data: data, runID: runID, ended: "has ended", accepted: map[string]*updatepb.Request{}}
}

func (r *reader) read(event *historypb.HistoryEvent) error {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		return r.begin(event.GetWorkflowExecutionStartedEventAttributes())
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		return r.mark(event.GetMarkerRecordedEventAttributes(), event.GetEventTime().AsTime())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
		r.accept(event.GetWorkflowExecutionUpdateAdmittedEventAttributes().GetRequest())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		r.accept(event.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		return r.complete(event.GetWorkflowExecutionUpdateCompletedEventAttributes(), event.GetEventTime().AsTime())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		r.continuedAs = event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		r.ended = "was terminated"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		r.ended = "failed"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		r.ended = "timed out"
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		r.ended = "was stopped"
	default:
	}

	return nil
}

func (r *reader) begin(started *historypb.WorkflowExecutionStartedEventAttributes) error {
	r.firstRunID = started.GetFirstExecutionRunId()
	raw, err := r.raw(started.GetInput())
	if err != nil {
		return fmt.Errorf("argument: %w", err)
	}
	machine, err := workflows.MachineOf(&workflow.Info{
		WorkflowExecution:       workflow.Execution{ID: started.GetWorkflowId(), RunID: r.runID},
		FirstRunID:              r.firstRunID,
		ContinuedExecutionRunID: started.GetContinuedExecutionRunId(),
	}, raw)
	if err == nil {
		r.machine = machine
		return nil
	}
	if started.GetContinuedExecutionRunId() != "" || workflows.IsUndecrypted(err) {
		return err // it watched, by a policy that can't be read here
	}

	return nil
}

// mark takes the policy that the run itself had from the one before it.
func (r *reader) mark(marker *historypb.MarkerRecordedEventAttributes, at time.Time) error {
	if r.machine == nil || r.hasPolicy || marker.GetMarkerName() != "LocalActivity" || marker.GetFailure() != nil {
		return nil
	}
	var last workflows.LastPolicy
	if err := r.data.FromPayloads(marker.GetDetails()["result"], &last); err != nil {
		return fmt.Errorf("the policy that it began with: %w", err)
	}
	last.Reinstate(r.machine, at, nil)
	return nil
}

func (r *reader) accept(request *updatepb.Request) {
	if request != nil && request.GetInput().GetName() == contract.UpdateSetPolicy {
		r.accepted[request.GetMeta().GetUpdateId()] = request
	}
}

func (r *reader) complete(completed *historypb.WorkflowExecutionUpdateCompletedEventAttributes, at time.Time) error {
	id := completed.GetMeta().GetUpdateId()
	request := r.accepted[id]
	delete(r.accepted, id)
	if r.machine == nil || request == nil || completed.GetOutcome().GetSuccess() == nil {
		return nil
	}
	if _, again := r.machine.Recall(id); again {
		return nil // an earlier run has carried it out
	}

	raw, err := r.raw(request.GetInput().GetArgs())
	if err != nil {
		return fmt.Errorf("policy of update %s: %w", id, err)
	}

	for _, update := range workflows.Updates(r.machine) {
		if update.Name != contract.UpdateSetPolicy {
			continue
		}
		if _, err := update.Do(at, raw); err != nil {
			return fmt.Errorf("policy of update %s: %w", id, err)
		}
	}

	r.hasPolicy = true
	return nil
}

// raw is a payload as the monitor takes it: decoded as far as bytes.
func (r *reader) raw(payloads *commonpb.Payloads) (raw converter.RawValue, err error) {
	if len(payloads.GetPayloads()) > 0 {
		err = r.data.FromPayloads(payloads, &raw)
	}
	return raw, err
}
