package temporal_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/temporal"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
)

func breach() modelops.Request {
	return modelops.Request{
		RequestID: "model-monitor/fraud/" + uuid.NewString() + "/1", ModelName: "fraud", ModelVersion: "v7",
		Reason: "accuracy 0.8000 below threshold 0.9000", Rule: "accuracy", Metric: "accuracy",
		Value: new(0.8), Threshold: new(0.9), TriggeredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Params: map[string]json.RawMessage{"epochs": json.RawMessage("3")},
	}
}

// outcome asks until the workflow has ended.
func outcome(t *testing.T, b *temporal.Backend, request modelops.Request) (o modelops.Outcome) {
	t.Helper()
	patience.Until(t, "the retraining has ended", func() bool {
		var err error
		o, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
		return !errors.Is(err, modelops.ErrRunning) && assert.NoError(t, err)
	})
	return o
}

func TestEveryFaultOfAConfigurationIsNamed(t *testing.T) {
	_, err := temporal.New(temporal.Config{})
	require.ErrorContains(t, err, "workflow_type: is missing")
	require.ErrorContains(t, err, "task_queue: is missing")
}

func TestTheWorkflowGetsTheDecision(t *testing.T) {
	queue := startTrainer(t)
	b, request := newBackend(t, temporal.Config{WorkflowType: trainerType, TaskQueue: queue}), breach()
	job, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, modelops.Job{ID: request.RequestID, Followed: true}, job)

	c := devServer(t)
	history := c.GetWorkflowHistory(t.Context(), request.RequestID, "", false, 0)
	started, err := history.Next()
	require.NoError(t, err)
	want, err := json.Marshal(request)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(started.GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0].GetData()))
	d, err := c.DescribeWorkflow(t.Context(), request.RequestID, "")
	require.NoError(t, err)
	summary, err := d.GetStaticSummary()
	require.NoError(t, err)
	assert.Equal(t, "Retrains fraud v7: accuracy 0.8000 below threshold 0.9000", summary)
}

func TestWhatAWorkflowReturnsIsTheOutcome(t *testing.T) {
	queue := startTrainer(t)
	b := newBackend(t, temporal.Config{WorkflowType: trainerType, TaskQueue: queue})
	succeeded, failed := modelops.Succeeded, modelops.Failed
	tests := map[string]struct {
		end   ending
		state modelops.State
		want  modelops.Outcome
	}{
		"version and message":             {ending{Result: map[string]any{"model_version": "v8", "message": "AUC 0.93"}}, succeeded, modelops.Outcome{ModelVersion: "v8", Message: "AUC 0.93"}},
		"further fields are passed over":  {ending{Result: map[string]any{"model_version": "v8", "auc": 0.93}}, succeeded, modelops.Outcome{ModelVersion: "v8"}},
		"a version that is a number":      {ending{Result: map[string]any{"model_version": 8}}, succeeded, modelops.Outcome{ModelVersion: "8"}},
		"a version that is a list":        {ending{Result: map[string]any{"model_version": []string{"v8"}}}, succeeded, modelops.Outcome{Message: "(passed over: model_version: must be a string or a number, got a list)"}},
		"nothing":                         {ending{}, succeeded, modelops.Outcome{}},
		"a text is the message":           {ending{Result: "AUC\n0.93"}, succeeded, modelops.Outcome{Message: "AUC 0.93"}},
		"a list is the message":           {ending{Result: []int{1, 2}}, succeeded, modelops.Outcome{Message: "[1,2]"}},
		"a failure that it returns":       {ending{Result: map[string]any{"state": "failed", "message": "AUC is worse"}}, failed, modelops.Outcome{Message: "AUC is worse"}},
		"a version that can't be one":     {ending{Result: map[string]any{"model_version": strings.Repeat("v", metric.MaxModelVersionBytes+1), "message": "done"}}, succeeded, modelops.Outcome{}},
		"a failure of the workflow":       {ending{Error: "out of memory"}, failed, modelops.Outcome{Message: "out of memory"}},
		"a failure of an activity":        {ending{Error: "out of memory", How: "activity"}, failed, modelops.Outcome{Message: "activity fit: out of memory"}},
		"a failure of a child workflow":   {ending{Error: "out of memory", How: "child"}, failed, modelops.Outcome{Message: "child workflow fold: out of memory"}},
		"a failure text of several lines": {ending{Error: "out\nof memory"}, failed, modelops.Outcome{Message: "out of memory"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := breach()
			_, err := b.ScheduleRetraining(t.Context(), request)
			require.NoError(t, err)
			endTraining(t, request.RequestID, test.end)
			got := outcome(t, b, request)
			assert.Equal(t, test.state, got.State)
			assert.Equal(t, test.want.ModelVersion, got.ModelVersion)
			if name == "a version that can't be one" {
				assert.Contains(t, got.Message, "done (passed over: model_version")
				return
			}
			assert.Equal(t, test.want.Message, got.Message)
		})
	}
}

func TestEveryOtherEndIsAFailure(t *testing.T) {
	queue, c := startTrainer(t), devServer(t)
	tests := map[string]struct {
		end  func(id string) error
		want string
	}{
		"terminated": {func(id string) error { return c.TerminateWorkflow(t.Context(), id, "", "wrong data") }, ": wrong data"},
		"cancelled":  {func(id string) error { return c.CancelWorkflow(t.Context(), id, "") }, "the workflow was cancelled there"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b, request := newBackend(t, temporal.Config{WorkflowType: trainerType, TaskQueue: queue}), breach()
			_, err := b.ScheduleRetraining(t.Context(), request)
			require.NoError(t, err)
			require.NoError(t, test.end(request.RequestID))
			got := outcome(t, b, request)
			assert.Equal(t, modelops.Failed, got.State)
			assert.Contains(t, got.Message, test.want)
		})
	}
	t.Run("timed out", func(t *testing.T) {
		b, request := newBackend(t, temporal.Config{WorkflowType: trainerType, TaskQueue: queue}), breach()
		_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: request.RequestID, TaskQueue: queue, WorkflowExecutionTimeout: time.Second, Memo: map[string]any{"request_id": request.RequestID},
		}, trainerType, request)
		require.NoError(t, err)
		assert.Equal(t, modelops.Outcome{State: modelops.Failed, Message: "the workflow timed out there"}, outcome(t, b, request))
	})
}

func TestRunsAreFollowedToTheLast(t *testing.T) {
	queue, c := startTrainer(t), devServer(t)
	b, request := newBackend(t, temporal.Config{WorkflowType: trainerType, TaskQueue: queue}), breach()
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	endTraining(t, request.RequestID, ending{How: "again"})
	d, err := c.DescribeWorkflowExecution(t.Context(), request.RequestID, "")
	require.NoError(t, err)
	require.NotEqual(t, d.GetWorkflowExecutionInfo().GetFirstRunId(), d.GetWorkflowExecutionInfo().GetExecution().GetRunId())
	_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
	require.ErrorIs(t, err, modelops.ErrRunning)
	_, err = b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err, "the run that goes on is the same retraining")
	endTraining(t, request.RequestID, ending{Result: map[string]any{"model_version": "v8"}})
	assert.Equal(t, modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v8"}, outcome(t, b, request))

	another := breach()
	_, err = b.ScheduleRetraining(t.Context(), another)
	require.NoError(t, err)
	endTraining(t, another.RequestID, ending{How: "again"})
	require.NoError(t, b.CancelRetraining(t.Context(), another, modelops.Job{}), "the run of today is cancelled")
	assert.Equal(t, "the workflow was cancelled there", outcome(t, b, another).Message)
}

func TestATaskQueueWithoutAWorkerIsNamed(t *testing.T) {
	b, request := newBackend(t, temporal.Config{WorkflowType: trainerType, TaskQueue: "nobody"}), breach()
	_, err := b.ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
	require.ErrorIs(t, err, modelops.ErrRunning)
	require.ErrorContains(t, err, `no worker of task queue "nobody" has taken it up yet`)
}

func TestErrorsSayWhetherAskingAgainHelps(t *testing.T) {
	devServer(t)
	at := func(o client.Options) temporal.Config {
		o.Logger = quiet
		return temporal.Config{WorkflowType: trainerType, TaskQueue: "training", Connection: o}
	}
	tests := map[string]struct {
		config     temporal.Config
		change     func(*modelops.Request)
		kind, want string
	}{
		"a namespace that isn't there": {
			at(client.Options{HostPort: server.FrontendHostPort(), Namespace: "nowhere"}), nil,
			activities.ErrorPermanent, `create the namespace, or correct it in the backend's settings`,
		},
		"a server that isn't there": {
			at(client.Options{HostPort: "127.0.0.1:1"}), nil,
			activities.ErrorTransient, `namespace "default" at 127.0.0.1:1: `,
		},
		"params that are not JSON": {
			at(client.Options{HostPort: server.FrontendHostPort()}),
			func(r *modelops.Request) {
				r.Params = map[string]json.RawMessage{"epochs": json.RawMessage("{")}
			},
			activities.ErrorPermanent, "encode the request: ",
		},
		"an id that is too long": {
			at(client.Options{HostPort: server.FrontendHostPort()}),
			func(r *modelops.Request) { r.RequestID = strings.Repeat("x", 1100) },
			activities.ErrorPermanent, "start workflow Train on task queue",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := breach()
			if test.change != nil {
				test.change(&request)
			}
			calls := activities.Retraining{Backends: map[string]modelops.ModelOps{"gpu": newBackend(t, test.config)}}
			_, err := calls.ScheduleRetraining(t.Context(), activities.Call{Backend: "gpu", Request: request})
			var told *sdktemporal.ApplicationError
			require.ErrorAs(t, err, &told)
			assert.Equal(t, test.kind, told.Type())
			assert.Equal(t, test.kind == activities.ErrorPermanent, told.NonRetryable())
			assert.ErrorContains(t, told, test.want)
		})
	}
}

// The server takes the connection and says nothing.
func TestACallEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = silent.Close() }()
	b := newBackend(t, temporal.Config{
		WorkflowType: trainerType, TaskQueue: "training", Connection: client.Options{HostPort: silent.Addr().String(), Logger: quiet},
	})

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	returned := make(chan error, 1)
	go func() {
		_, err := b.ScheduleRetraining(ctx, breach())
		returned <- err
	}()
	connection, err := silent.Accept() // the call is under way
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	cancel()

	err = patience.Receive(t, "the call returns", returned)
	require.ErrorContains(t, err, context.Canceled.Error()) // which the SDK makes a text of
	require.False(t, modelops.IsFinal(err))
}
