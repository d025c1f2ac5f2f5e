package temporal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities/temporal"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

var (
	server *testsuite.DevServer // nil without a Temporal CLI
	quiet  = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
)

func TestMain(m *testing.M) {
	cli := os.Getenv("MODELVIGIL_TEMPORAL")
	if cli != "" {
		var err error
		server, err = testsuite.StartDevServer(context.Background(), testsuite.DevServerOptions{
			ExistingPath: cli, LogLevel: "error", Stdout: io.Discard, Stderr: io.Discard, ClientOptions: &client.Options{Logger: quiet},
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, "start the dev server:", err)
			os.Exit(1)
		}
	}
	code := m.Run()
	if server != nil {
		server.Client().Close()
		_ = server.Stop()
	}
	if code == 0 {
		if err := patience.Leaks(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func devServer(t *testing.T) client.Client {
	t.Helper()
	if server == nil {
		t.Skip("MODELVIGIL_TEMPORAL names no Temporal CLI; `make test` sets it")
	}
	return server.Client()
}

const trainerType = "Train"

// ending is what lets a training end.
type ending struct {
	Result   any
	Error    string
	How      string // "", "activity", "child", "again"
	NoResult bool
}

// train is a training that ends when it is told how.
func train(ctx workflow.Context, _ modelops.Request) (any, error) {
	var end ending
	signal := workflow.GetSignalChannel(ctx, "end")
	selector := workflow.NewSelector(ctx).
		AddReceive(signal, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &end) }).
		AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	selector.Select(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	switch end.How {
	case "again":
		return nil, workflow.NewContinueAsNewError(ctx, trainerType, modelops.Request{})
	case "activity":
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: patience.Limit, RetryPolicy: &sdktemporal.RetryPolicy{MaximumAttempts: 1},
		})
		return nil, workflow.ExecuteActivity(ctx, "fit", end.Error).Get(ctx, nil)
	case "child":
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{})
		return nil, workflow.ExecuteChildWorkflow(ctx, "fold", end.Error).Get(ctx, nil)
	}
	if end.Error != "" {
		return nil, errors.New(end.Error)
	}
	return end.Result, nil
}

func fit(_ context.Context, message string) error { return errors.New(message) }

func fold(_ workflow.Context, message string) error { return errors.New(message) }

// startTrainer runs a worker of the trainer and returns its task queue.
func startTrainer(t *testing.T) string {
	t.Helper()
	queue := "trainer-" + uuid.NewString()
	w := worker.New(devServer(t), queue, worker.Options{})
	w.RegisterWorkflowWithOptions(train, workflow.RegisterOptions{Name: trainerType})
	w.RegisterWorkflow(fold)
	w.RegisterActivity(fit)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return queue
}

// endTraining ends a training and waits for the end of that run.
func endTraining(t *testing.T, id string, end ending) {
	t.Helper()
	c := devServer(t)
	d, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	run := d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	require.NoError(t, c.SignalWorkflow(t.Context(), id, run, "end", end))
	_ = c.GetWorkflow(t.Context(), id, run).GetWithOptions(t.Context(), nil, client.WorkflowRunGetOptions{DisableFollowingRuns: true})
}

func newBackend(t *testing.T, config temporal.Config) *temporal.Backend {
	t.Helper()
	if config.Connection.HostPort == "" {
		devServer(t)
		config.Connection.HostPort, config.Connection.Logger = server.FrontendHostPort(), quiet
	}
	backend, err := temporal.New(config)
	require.NoError(t, err)
	t.Cleanup(backend.Close)
	return backend
}
