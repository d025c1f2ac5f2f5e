package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc/codes"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/markdown"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	// sendTimeout bounds one attempt to hand a batch over.
	sendTimeout = 10 * time.Second
	// askTimeout bounds a query; it is only about pace, so it may fail.
	askTimeout = 5 * time.Second
	// signalsExceeded is the one InvalidArgument that passes: the run has taken
	// all the signals it may, and its successor is on its way.
	signalsExceeded = "exceeded workflow execution limit for signal events"
)

// carrier takes batches to the monitors.
type carrier interface {
	// send returns once the batch is durable, with the id of the monitor's run that
	// took it, where that can be told: another run may have something new to say.
	send(ctx context.Context, batch *metric.Batch) (run string, err error)
	// ask returns what the model's monitor tells publishers.
	ask(ctx context.Context, modelName string) (contract.Guidance, error)
}

// StartOptions are how a model's monitor is started, by the first event or by an
// operator. A monitor that an operator stopped is not raised again by them.
func StartOptions(modelName, taskQueue string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                    contract.WorkflowID(modelName),
		TaskQueue:             taskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:         staticSummary(modelName),
		StaticDetails:         staticDetails,
	}
}

// staticSummary is the line that the Temporal UI shows, in the 400 bytes that
// the server takes of it as JSON.
func staticSummary(modelName string) string {
	const longest = 60 // each byte may take six in JSON
	if name := []rune(modelName); len(name) > longest {
		modelName = string(name[:longest]) + "…"
	}
	return "Watches model " + markdown.Escape(modelName)
}

// staticDetails is what the Temporal UI shows beside it, as Markdown. Each signal
// carries it: it is short.
const staticDetails = "`modelvigil explain MODEL` says how far each rule is from triggering, `modelvigil status MODEL` what was decided; " +
	"`modelvigil stop MODEL` ends the watch in good order, where terminating it here forgets what it knows."

// temporalCarrier signals the workflows.
type temporalCarrier struct {
	client    client.Client
	taskQueue string
	enrolment Enrolment
}

type startInput struct {
	ModelName string         `json:"model_name"`
	Policy    *policy.Policy `json:"policy,omitempty"`
}

func (c *temporalCarrier) send(ctx context.Context, batch *metric.Batch) (run string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if c.enrolment == EnrolRefuse {
		return "", c.signal(ctx, batch)
	}

	input := startInput{ModelName: batch.ModelName}
	options := StartOptions(batch.ModelName, c.taskQueue)
	if c.enrolment == EnrolObserve {
		input.Policy = &policy.Policy{DryRun: true}
		options.Memo = map[string]any{contract.MemoEnrolment: EnrolObserve}
	}

	taken, err := c.client.SignalWithStartWorkflow(ctx, options.ID, contract.SignalMetricDigest, batch, options, contract.WorkflowType, input)
	var stopped *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case err == nil:
		return taken.GetRunID(), nil
	case errors.As(err, &stopped):
		return "", fmt.Errorf("%w: %s; start it anew with `modelvigil apply`", ErrMonitorStopped, options.ID)
	}

	return "", fmt.Errorf("signal %s: %w", options.ID, err)
}

// signal hands a batch to a monitor that runs, and starts none.
func (c *temporalCarrier) signal(ctx context.Context, batch *metric.Batch) error {
	id := contract.WorkflowID(batch.ModelName)
	err := c.client.SignalWorkflow(ctx, id, "", contract.SignalMetricDigest, batch)
	var missing *serviceerror.NotFound
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing): // it never ran, or was stopped
		return fmt.Errorf("%w: no monitor of %q; `modelvigil apply` a policy, or enrol models by another setting", ErrNotEnrolled, batch.ModelName)
	}
	return fmt.Errorf("signal %s: %w", id, err)
}

func (c *temporalCarrier) ask(ctx context.Context, modelName string) (contract.Guidance, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var guidance contract.Guidance
	answer, err := c.client.QueryWorkflow(ctx, contract.WorkflowID(modelName), "", contract.QueryGuidance)
	if err == nil {
		err = answer.Get(&guidance)
	}
	return guidance, err
}

// passes says whether an error is known to pass, or leaves open whether the
// batch arrived. Everything else is the server's last word.
func passes(err error) bool {
	if errors.Is(err, ErrMonitorStopped) {
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}

	var status serviceerror.ServiceError
	if !errors.As(err, &status) {
		return false
	}
	var missing *serviceerror.NamespaceNotFound
	if errors.As(err, &missing) {
		return true // so says a server that has just started, of a namespace that it has
	}

	switch serviceerror.ToStatus(status).Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted,
		codes.Canceled, codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	case codes.InvalidArgument:
		return strings.Contains(err.Error(), signalsExceeded)
	}

	return false
}
