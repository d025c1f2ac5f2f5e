package temporal_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/modelvigil/modelvigil/activities/modelopstest"
	"github.com/modelvigil/modelvigil/activities/temporal"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestTheBackendIsConformant(t *testing.T) {
	c, queue := devServer(t), startTrainer(t)
	link := newLink(t)
	var fault atomic.Pointer[grpc.UnaryClientInterceptor]
	set := func(f grpc.UnaryClientInterceptor) func(*testing.T) func() {
		return func(*testing.T) func() {
			fault.Store(&f)
			return func() { fault.Store(nil) }
		}
	}
	faults := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if f := fault.Load(); f != nil {
			return (*f)(ctx, method, req, reply, cc, invoke, opts...)
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	modelopstest.TestModelOps(t, modelopstest.Harness{
		New: func(t *testing.T) modelops.ModelOps {
			return newBackend(t, temporal.Config{WorkflowType: trainerType, TaskQueue: queue, Connection: client.Options{
				HostPort: link.address(), Logger: quiet,
				ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(faults)}},
			}})
		},
		Jobs: func(t *testing.T, id string) (n int) {
			runs, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: `WorkflowId = "` + id + `"`})
			require.NoError(t, err)
			return len(runs.GetExecutions())
		},
		Succeed: func(t *testing.T, id, version string) {
			endTraining(t, id, ending{Result: map[string]any{"model_version": version}})
		},
		Fail: func(t *testing.T, id, message string) { endTraining(t, id, ending{Error: message}) },
		HasEnded: func(t *testing.T, id string) bool {
			d, err := c.DescribeWorkflowExecution(t.Context(), id, "")
			require.NoError(t, err)
			return d.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		},
		Forget: func(t *testing.T, id string) {
			_, err := c.WorkflowService().DeleteWorkflowExecution(t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{
				Namespace: client.DefaultNamespace, WorkflowExecution: &common.WorkflowExecution{WorkflowId: id},
			})
			require.NoError(t, err)
		},
		Stranger: func(t *testing.T, request modelops.Request) func() bool {
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
				ID: request.RequestID, TaskQueue: queue, Memo: map[string]any{"request_id": "another"},
			}, trainerType, modelops.Request{})
			require.NoError(t, err)
			return func() bool {
				d, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
				require.NoError(t, err)
				return d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
			}
		},
		LoseAnswer: func(t *testing.T) {
			set(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				err := invoke(ctx, method, req, reply, cc, opts...)
				if _, starts := req.(*workflowservice.StartWorkflowExecutionRequest); starts && err == nil {
					fault.Store(nil)
					err = status.Error(codes.Unavailable, "the answer was lost")
				}
				return err
			})(t)
		},
		Away: link.away,
		Refuse: set(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if start, ok := req.(*workflowservice.StartWorkflowExecutionRequest); ok {
				start.Namespace = "nowhere"
			}
			return invoke(ctx, method, req, reply, cc, opts...)
		}),
		Throttle: set(func(_ context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
			return status.Error(codes.ResourceExhausted, "namespace rate limit exceeded")
		}),
	})
}

// link is a TCP connection to the dev server that can be cut.
type link struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	isCut    bool
	open     map[net.Conn]bool
}

func newLink(t *testing.T) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &link{listener: listener, target: server.FrontendHostPort(), open: map[net.Conn]bool{}}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() { l.carry(near) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.away(t)
		served.Wait()
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	l.mu.Lock()
	if l.isCut {
		l.mu.Unlock()
		return
	}
	l.open[near], l.open[far] = true, true
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
	both.Go(func() { _, _ = io.Copy(near, far); _ = near.Close() })
	both.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, near)
	delete(l.open, far)
}

// away cuts the link until back is called.
func (l *link) away(*testing.T) (back func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for conn := range l.open {
		_ = conn.Close()
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.isCut = false
	}
}
