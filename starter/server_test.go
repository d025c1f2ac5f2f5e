package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/starter/notes"
)

// fakeServer is a server whose client answers as told.
func fakeServer(c client.Client) *server {
	return &server{
		Client: c, timeout: 5 * time.Second, address: "temporal:7233", namespace: "ml",
		configuration: configuration{settings: settings{TaskQueue: "queue"}, log: slog.New(slog.DiscardHandler)},
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	tests := map[string]struct {
		err  error
		want string
	}{
		"no such model":      {serviceerror.NewNotFound("workflow not found"), `no monitor of model "fraud" in namespace "ml" at temporal:7233; ` + "`modelvigil apply` starts one"},
		"no such namespace":  {serviceerror.NewNamespaceNotFound("ml"), "no namespace \"ml\" at temporal:7233"},
		"just ended":         {serviceerror.NewNotFound("workflow execution already completed"), "has just ended; `modelvigil apply`"},
		"a stuck monitor":    {serviceerror.NewWorkflowNotReady("x"), "monitor of \"fraud\" at temporal:7233"},
		"no poller":          {serviceerror.NewFailedPrecondition("no poller seen"), "no worker is at its task queue; start one with TASK_QUEUE=theirs"},
		"a worker too slow":  {fmt.Errorf("x: %w", context.DeadlineExceeded), "gave no answer within 5s; start a worker with TASK_QUEUE=theirs"},
		"an update too slow": {client.NewWorkflowUpdateServiceTimeoutOrCanceledError(context.DeadlineExceeded), "gave no answer within 5s"},
		"a server away":      {serviceerror.NewUnavailable("connection refused"), "the server at temporal:7233 is away"},
		"a refusal":          {fmt.Errorf("failed workflow update: %w", temporal.NewNonRetryableApplicationError("retrain refused: in cooldown", "Refused", nil)), "retrain refused: in cooldown"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := mocks.NewClient(t)
			c.On("DescribeWorkflowExecution", mock.Anything, contract.WorkflowID("fraud"), "").Maybe().Return(nil, errors.New("away"))
			err := fakeServer(c).explain(t.Context(), "fraud", "theirs", test.err)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, fakeServer(nil).explain(ended, "fraud", "", errors.New("x")), errInterrupted)
}

func TestListShowsEachModelOnceAndRunningOnesFirst(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	execution := func(id string, status enumspb.WorkflowExecutionStatus, started int64) *workflowpb.WorkflowExecutionInfo {
		e := &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: fmt.Sprint(started)}, Status: status,
			StartTime: timestamppb.New(noon.Add(time.Duration(started) * time.Minute)), TaskQueue: "queue",
		}
		if status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			e.CloseTime = e.StartTime
		}
		return e
	}
	const running, completed, terminated = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	c := mocks.NewClient(t)
	page := func(token string) any {
		return mock.MatchedBy(func(r *workflowservice.ListWorkflowExecutionsRequest) bool {
			return string(r.NextPageToken) == token && strings.Contains(r.Query, "WorkflowType = 'MonitorWorkflow'")
		})
	}
	c.On("ListWorkflow", mock.Anything, page("")).Return(&workflowservice.ListWorkflowExecutionsResponse{
		NextPageToken: []byte("2"), Executions: []*workflowpb.WorkflowExecutionInfo{
			execution("model-monitor/a", completed, 2), execution("model-monitor/a", terminated, 1), execution("model-monitor/z%20z", running, 3),
		},
	}, nil)
	c.On("ListWorkflow", mock.Anything, page("2")).Return(&workflowservice.ListWorkflowExecutionsResponse{
		Executions: []*workflowpb.WorkflowExecutionInfo{execution("model-monitor/b", completed, 4), execution("model-monitor/b", running, 5), execution("stray", terminated, 6)},
	}, nil)
	monitors, err := fakeServer(c).list(t.Context(), true)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, printList(&text, monitors))
	require.Equal(t, `MODEL    STATE       LIVE VERSION  RUN STARTED              CLOSED                   LAST FAILURE
b        running                   2026-03-01 12:05:00 UTC
z z      running                   2026-03-01 12:03:00 UTC
(stray)  terminated                2026-03-01 12:06:00 UTC  2026-03-01 12:06:00 UTC
a        stopped                   2026-03-01 12:02:00 UTC  2026-03-01 12:02:00 UTC
`, text.String())
	encoded, err := json.Marshal(monitors[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"model_name": "b", "state": "running", "started": "2026-03-01T12:05:00Z", "task_queue": "queue",
		"workflow_id": "model-monitor/b", "run_id": "5"}`, string(encoded))
}

// takenBy is the run of a monitor that took a signal.
type takenBy struct{ client.WorkflowRun }

func (takenBy) GetRunID() string { return "run" }

// publishTo publishes a file through a hub whose signals are answered by answer.
func publishTo(t *testing.T, file string, answer func(*metric.Batch) error) (p *publishing, stderr string, err error) {
	t.Helper()
	c := mocks.NewClient(t)
	c.On("SignalWithStartWorkflow", mock.Anything, mock.Anything, contract.SignalMetricDigest, mock.Anything, mock.Anything, mock.Anything, mock.Anything).
		Return(func(_ context.Context, _, _ string, batch any, _ client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
			return takenBy{}, answer(batch.(*metric.Batch))
		}).Maybe()
	c.On("QueryWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(nil, errors.New("no worker")).Maybe()
	var messages bytes.Buffer
	p = &publishing{server: fakeServer(c), stderr: &messages, timeout: 5 * time.Second, notes: notes.Notes{To: &messages}}
	p.open()
	err = p.publishLines(t.Context(), "events.ndjson", strings.NewReader(file))
	p.deliver()
	return p, messages.String(), err
}

func TestGoodLinesArePublishedAndBadOnesReported(t *testing.T) {
	events := int64(0)
	p, stderr, err := publishTo(t, `{"model_name": "fraud", "accuracy": 0.95}
{"model_name": "fraud", "accuracy": 1e200, "metrics": {"accuracy": 1}}
{"model_name": "fraud"} {"model_name": "lost"}

{"accuracy": "x", "acuracy": 1}
null
{"model_name": "`+"\xff"+`"}
{"model_name": "fraud", "drift_score": 0.01}`, func(batch *metric.Batch) error {
		for _, digest := range batch.Digests {
			events += digest.Events
		}
		return nil
	})
	require.EqualError(t, err, "events.ndjson: 5 lines are bad, named above; mend and publish only what was bad")
	require.Equal(t, `events.ndjson: line 2: accuracy: must be a finite number of magnitude at most 1e+100, got 1e+200
events.ndjson: line 2: metrics.accuracy: is a field of the event itself; set it there
events.ndjson: line 3: not JSON: '{' stands at byte 25, behind the end, in {"model_name": "fraud"} {"model_name": "lost"}
events.ndjson: line 5: accuracy: must be a number, got a string
events.ndjson: line 5: acuracy: unknown field; did you mean accuracy?
events.ndjson: line 6: model_name: must be 1 to 200 bytes of UTF-8, is missing or empty
events.ndjson: line 7: is not UTF-8 text
`, stderr)
	require.Empty(t, p.faults)
	require.EqualValues(t, 2, p.accepted)
	require.EqualValues(t, 2, events)
}

func TestMoreVersionsThanAHubHoldsAreAllPublished(t *testing.T) {
	var file strings.Builder
	for i := range 1000 {
		_, _ = fmt.Fprintf(&file, "{\"model_name\": \"fraud\", \"model_version\": \"v%d\", \"accuracy\": 0.95}\n", i)
	}
	events := int64(0)
	p, stderr, err := publishTo(t, file.String(), func(batch *metric.Batch) error {
		for _, digest := range batch.Digests {
			events += digest.Events
		}
		return nil
	})
	require.NoError(t, err)
	require.Empty(t, stderr)
	require.Empty(t, p.faults)
	require.EqualValues(t, 1000, p.accepted)
	require.EqualValues(t, 1000, events)
}

func TestAStoppedMonitorIsToldWithWhatToDo(t *testing.T) {
	p, _, err := publishTo(t, "{\"model_name\": \"fraud\"}\n{\"model_name\": \"risk\"}\n", func(batch *metric.Batch) error {
		if batch.ModelName == "fraud" {
			return serviceerror.NewWorkflowExecutionAlreadyStarted("started", "", "")
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, p.faults, 1)
	require.EqualError(t, p.faults[0], "events not durable: 1 of model \"fraud\": monitor stopped: model-monitor/fraud; start it anew with `modelvigil apply`")
	require.EqualValues(t, 1, p.accepted-p.missing)
}
