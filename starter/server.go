package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc/codes"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/near"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/starter/roll"
	"github.com/modelvigil/modelvigil/workflows/replay"
)

// defaultTimeout bounds each wait for the server or a worker.
const defaultTimeout = 30 * time.Second

// timeoutFlag adds --timeout to a command that talks to the server.
func timeoutFlag(command *cobra.Command) *time.Duration {
	return command.Flags().Duration("timeout", defaultTimeout, "how long to wait for the server or a worker")
}

// server is the connection to Temporal.
type server struct {
	client.Client
	configuration
	timeout            time.Duration
	address, namespace string
}

// connect reads the settings and connects. The caller closes the client.
func connect(command *cobra.Command, timeout time.Duration) (*server, error) {
	if timeout <= 0 {
		return nil, wrongUsage(fmt.Errorf("flag --timeout: must be above zero, got %v", timeout))
	}
	c, err := configure(command.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	return c.connect(command.Context(), timeout)
}

// connect connects by settings that are read.
func (c configuration) connect(ctx context.Context, timeout time.Duration) (*server, error) {
	s := &server{
		configuration: c, timeout: timeout,
		address:   cmp.Or(c.temporal.HostPort, client.DefaultHostPort),
		namespace: cmp.Or(c.temporal.Namespace, client.DefaultNamespace),
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s.temporal.ConnectionOptions.GetSystemInfoTimeout = timeout
	s.temporal.Interceptors = append(tracesOf(ctx).Client(), s.temporal.Interceptors...)
	connected, err := client.DialContext(bounded, s.temporal)
	if err != nil {
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		return nil, fmt.Errorf("connect to Temporal at %s: %s; is it running there? TEMPORAL_ADDRESS says where it is",
			s.address, strings.TrimPrefix(err.Error(), "failed reaching server: "))
	}

	s.Client = connected
	return s, nil
}

// dial connects for a command that brings its own worker. What that does by the
// thousand, and says when it does, is not for whoever runs the command, unless asked for.
func dial(ctx context.Context) (client.Client, error) {
	c, err := configure(os.Stderr)
	if err != nil {
		return nil, err
	}

	if os.Getenv("LOG_LEVEL") == "" {
		c.temporal.Logger = log.NewStructuredLogger(setting.NewLogger(setting.LogLevel(slog.LevelWarn), c.settings.LogFormat, os.Stderr))
	}
	s, err := c.connect(ctx, defaultTimeout)
	if err != nil {
		return nil, err
	}
	return s.Client, nil
}

// codec reads what the monitors' workers write.
func (s *server) codec() replay.Codec {
	return replay.Codec{Data: s.temporal.DataConverter, Failure: s.temporal.FailureConverter}
}

// bounded is a context for one wait.
func (s *server) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// missesNamespace says so when there is no such namespace. A hub takes that answer
// for a server's that has only just started, and tries on.
func (s *server) missesNamespace(ctx context.Context) error {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	_, err := s.WorkflowService().DescribeNamespace(bounded, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	if missing := new(serviceerror.NamespaceNotFound); errors.As(err, &missing) {
		return s.explain(ctx, "", "", err)
	}
	return nil // nor may everybody ask
}

var errInterrupted = errors.New("interrupted")

// errNoMonitor says that a model has no monitor that the server knows of.
var errNoMonitor = errors.New("no monitor")

// errNoAnswer says that no worker, or a stuck one, works for a monitor.
var errNoAnswer = errors.New("gave no answer")

// find returns what the server knows of a model's latest monitor. It needs no
// worker.
func (s *server) find(ctx context.Context, model string) (*workflowpb.WorkflowExecutionInfo, error) {
	described, err := s.describe(ctx, model)
	return described.GetWorkflowExecutionInfo(), err
}

// describe is find, with the calls that are under way.
func (s *server) describe(ctx context.Context, model string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	answer, err := s.DescribeWorkflowExecution(bounded, contract.WorkflowID(model), "")
	if err != nil {
		return nil, s.nearTo(ctx, model, s.explain(ctx, model, "", err))
	}
	return answer, nil
}

// isNew says that a model has no monitor, nor had one; no, where the server can't say.
func (s *server) isNew(ctx context.Context, model string) bool {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	_, err := s.DescribeWorkflowExecution(bounded, contract.WorkflowID(model), "")
	notFound := new(serviceerror.NotFound)
	return errors.As(err, &notFound)
}

// nearTo adds the watched models that may have been meant to what is said of one that
// has no monitor.
func (s *server) nearTo(ctx context.Context, model string, err error) error {
	if !errors.Is(err, errNoMonitor) {
		return err
	}
	return fmt.Errorf("%w%s", err, near.Hint(model, s.watched(ctx)))
}

// explain says what an error means for an operator, and what to do. taskQueue is
// the monitor's, where it is known.
func (s *server) explain(ctx context.Context, model, taskQueue string, err error) error {
	var (
		refused  *temporal.ApplicationError
		noSpace  *serviceerror.NamespaceNotFound
		notFound *serviceerror.NotFound
		noWorker *serviceerror.FailedPrecondition
	)

	taskQueue = cmp.Or(taskQueue, string(s.settings.TaskQueue))
	lack := ""
	if (errors.As(err, &noWorker) || isLate(err)) && ctx.Err() == nil && model != "" {
		lack = s.lack(ctx, model)
	}

	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errInterrupted
	case errors.As(err, &refused):
		return errors.New(plain.Text(refused.Message()))
	case errors.As(err, &noSpace):
		return fmt.Errorf("no namespace %q at %s; `temporal operator namespace create` makes it, or set TEMPORAL_NAMESPACE", s.namespace, s.address)
	case errors.As(err, &notFound) && strings.Contains(notFound.Error(), "already completed"):
		return fmt.Errorf("the monitor of %q has just ended; `modelvigil apply` starts it anew", model)
	case errors.As(err, &notFound):
		return fmt.Errorf("%w of model %q in namespace %q at %s; `modelvigil apply` starts one, and so does the model's first event",
			errNoMonitor, model, s.namespace, s.address)
	case isAway(err):
		return fmt.Errorf("the server at %s is away: %w; is it running? TEMPORAL_ADDRESS says where it is", s.address, err)
	case lack != "":
		return fmt.Errorf("the monitor of %q %w: %s", model, errNoAnswer, lack)
	case errors.As(err, &noWorker):
		return fmt.Errorf("the monitor of %q %w: no worker is at its task queue; start one with TASK_QUEUE=%s", model, errNoAnswer, taskQueue)
	case isLate(err):
		return fmt.Errorf("the monitor of %q %w within %v; start a worker with TASK_QUEUE=%s, or see in its log what holds it up",
			model, errNoAnswer, s.timeout, taskQueue)
	}

	return fmt.Errorf("monitor of %q at %s: %w", model, s.address, err)
}

// lack is what a monitor lacks that is pinned to a build without a worker; empty, where it
// lacks none, or that is not known.
func (s *server) lack(ctx context.Context, model string) string {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	answer, err := s.DescribeWorkflowExecution(bounded, contract.WorkflowID(model), "")
	if err != nil {
		return ""
	}
	m := roll.MonitorOf(answer.GetWorkflowExecutionInfo())
	if !m.IsPinned {
		return ""
	}
	builds, err := roll.BuildsOf(bounded, s.Client, s.namespace, answer.GetWorkflowExecutionInfo().GetTaskQueue())
	if err != nil {
		return ""
	}
	return builds.Lack(m.Version)
}

// isRefusal says that a worker has answered, and refused.
func isRefusal(err error) bool {
	var refused *temporal.ApplicationError
	return errors.As(err, &refused)
}

func isAway(err error) bool {
	var atServer serviceerror.ServiceError
	return errors.As(err, &atServer) && serviceerror.ToStatus(atServer).Code() == codes.Unavailable
}

func isLate(err error) bool {
	var late *serviceerror.DeadlineExceeded
	var update *client.WorkflowUpdateServiceTimeoutOrCanceledError
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late) || errors.As(err, &update)
}

// state is how an execution of a monitor is called.
func state(status enumspb.WorkflowExecutionStatus) string {
	switch status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return "running"
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return "stopped"
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		return "failed"
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return "cancelled"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return "terminated"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return "timed_out"
	}

	return "unknown"
}
