// Package temporal is the backend named "temporal": it starts a workflow of the
// user's for each retraining request, in any namespace of any cluster, and tells
// the monitor what became of it.
//
// # The workflow
//
// Its type and its task queue are configured; any SDK's worker may run it. Its id
// is the request id, and its one argument the decision, a
// modelops.Request in JSON:
//
//	{"request_id", "model_name", "model_version", "reason", "rule", "metric",
//	 "value", "threshold", "triggered_at", "params"}
//
// Its memo has request_id, model_name, model_version and reason. A workflow id is
// used once, whether its workflow runs, has succeeded or has failed, as long as the
// namespace retains it. A workflow of this id counts as the retraining only if it
// was started by it: its memo carries the request id.
//
// # The outcome
//
// What the workflow returns: an object with `model_version` and `message`, both of
// them optional, or anything else, which is shown as the message. An object whose
// `state` is "failed" is a failure; so is every other end than completion, with the
// failure's own words. Runs that continue as new, and retries, are followed to the
// last.
//
// Cancelling requests cancellation: the workflow may clean up, and decides itself
// when it ends.
package temporal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

const (
	// callTimeout bounds one call to the server, which takes milliseconds when it
	// is well. A call that fails is made again by the activity's retries.
	callTimeout = 10 * time.Second
	// memoRequestID is the memo field by which a workflow is told to be ours.
	memoRequestID = "request_id"
	// maxSummaryBytes is what a server takes as a workflow's summary.
	maxSummaryBytes = 400

	identity = "modelvigil"
)

// Config says which workflow retrains models, and where.
type Config struct {
	// WorkflowType and TaskQueue are of the workflow that retrains a model.
	WorkflowType string
	TaskQueue    string
	// Connection says which cluster and namespace it runs in; the zero value is
	// namespace "default" on localhost:7233.
	Connection client.Options
}

// Backend starts workflows. It is safe for concurrent use.
type Backend struct {
	config    Config
	where     string // as errors show it
	namespace string
	data      converter.DataConverter
	client    client.Client
	service   workflowservice.WorkflowServiceClient
}

var (
	_ modelops.ModelOps  = (*Backend)(nil)
	_ modelops.Follower  = (*Backend)(nil)
	_ modelops.Canceller = (*Backend)(nil)
)

// New returns a backend, or an error that names every fault of the configuration.
// It connects with the first call, so a server that is away is no error here.
func New(config Config) (*Backend, error) {
	var faults []error
	if config.WorkflowType == "" {
		faults = append(faults, errors.New("workflow_type: is missing; must be the type of the workflow that retrains a model"))
	}
	if config.TaskQueue == "" {
		faults = append(faults, errors.New("task_queue: is missing; must be the task queue of the worker that runs it"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	c, err := client.NewLazyClient(config.Connection)
	if err != nil {
		return nil, fmt.Errorf("address: can't be used for a connection: %w", err)
	}

	namespace := cmp.Or(config.Connection.Namespace, client.DefaultNamespace)
	data := config.Connection.DataConverter
	if data == nil {
		data = converter.GetDefaultDataConverter()
	}
	return &Backend{
		config: config, data: data, namespace: namespace, client: c, service: c.WorkflowService(),
		where: fmt.Sprintf("namespace %q at %s", namespace, cmp.Or(config.Connection.HostPort, client.DefaultHostPort)),
	}, nil
}

// Close ends the connection.
func (b *Backend) Close() { b.client.Close() }

// ScheduleRetraining starts the workflow. The job's id is the workflow's, which is
// the request's. It is final that the namespace doesn't exist, that the server
// refuses the credentials or the request, and that the workflow id belongs to a
// workflow that is not this retraining.
func (b *Backend) ScheduleRetraining(ctx context.Context, request modelops.Request) (modelops.Job, error) {
	if err := b.start(ctx, request); err != nil {
		return modelops.Job{}, fmt.Errorf("start workflow %s on task queue %q in %s: %w", b.config.WorkflowType, b.config.TaskQueue, b.where, err)
	}
	return modelops.Job{ID: request.RequestID, Followed: true}, nil
}

func (b *Backend) start(ctx context.Context, request modelops.Request) error {
	call, err := b.startCall(request)
	if err != nil {
		return modelops.Final(fmt.Errorf("encode the request: %w", err))
	}

	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = b.service.StartWorkflowExecution(bounded, call)
	var taken *serviceerror.WorkflowExecutionAlreadyStarted
	if !errors.As(err, &taken) {
		return classify(err)
	}
	existing, err := b.describe(ctx, request)
	if err != nil {
		return err
	}
	if !existing.ours {
		return modelops.Final(fmt.Errorf("the workflow id is taken by a workflow of type %s that is not this retraining; "+
			"let nothing else use ids that begin with model-monitor/ there", existing.workflowType))
	}

	return nil
}

// startCall has the request id in three places: as workflow id, which makes it
// once for all; in the memo, which says whose it is; and as the call's own id, by
// which a server knows a call again whose answer was lost.
func (b *Backend) startCall(request modelops.Request) (*workflowservice.StartWorkflowExecutionRequest, error) {
	data := b.data
	input, err := data.ToPayloads(request)
	if err != nil {
		return nil, err
	}

	memo := &common.Memo{Fields: map[string]*common.Payload{}}
	for field, text := range map[string]string{
		memoRequestID: request.RequestID, "model_name": request.ModelName,
		"model_version": request.ModelVersion, "reason": request.Reason,
	} {
		memo.Fields[field], err = data.ToPayload(text)
		if err != nil {
			return nil, err
		}
	}

	summary, err := data.ToPayload(plain.Excerpt(fmt.Sprintf("Retrains %s %s: %s", request.ModelName, request.ModelVersion, request.Reason), maxSummaryBytes-2))
	if err != nil {
		return nil, err
	}

	return &workflowservice.StartWorkflowExecutionRequest{
		Namespace: b.namespace, Identity: identity, RequestId: request.RequestID,
		WorkflowId:            request.RequestID,
		WorkflowType:          &common.WorkflowType{Name: b.config.WorkflowType},
		TaskQueue:             &taskqueue.TaskQueue{Name: b.config.TaskQueue},
		Input:                 input,
		Memo:                  memo,
		UserMetadata:          &sdk.UserMetadata{Summary: summary},
		WorkflowIdReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}, nil
}

// CancelRetraining requests the workflow's cancellation. The job may be empty, for
// the workflow is found by the request id. No such workflow, one that has ended,
// and one that is not this retraining are no error.
func (b *Backend) CancelRetraining(ctx context.Context, request modelops.Request, _ modelops.Job) error {
	if err := b.cancel(ctx, request); err != nil {
		return fmt.Errorf("cancel workflow %s in %s: %w", request.RequestID, b.where, err)
	}
	return nil
}

func (b *Backend) cancel(ctx context.Context, request modelops.Request) error {
	existing, err := b.describe(ctx, request)
	var gone *serviceerror.NotFound
	switch {
	case errors.As(err, &gone):
		return nil
	case err != nil:
		return err
	case !existing.ours || existing.isClosed():
		return nil
	}

	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = b.service.RequestCancelWorkflowExecution(bounded, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: b.namespace, Identity: identity, RequestId: request.RequestID, // known again when the answer is lost
		WorkflowExecution:   &common.WorkflowExecution{WorkflowId: request.RequestID}, // the run of today
		FirstExecutionRunId: existing.firstRunID,                                      // and of no other chain
		Reason:              "the monitor of " + request.ModelName + " ends this retraining",
	})
	if errors.As(err, &gone) { // it has ended since
		return nil
	}

	return classify(err)
}
