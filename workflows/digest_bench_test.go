package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/workflows"
)

// BenchmarkDigest replays histories of healthy digests, each with a workflow task of its
// own as the server gives it: what a digest costs a worker, but for its conversation with
// the server. The counting workflow costs what the SDK takes for any.
func BenchmarkDigest(b *testing.B) {
	for name, of := range map[string]struct {
		workflow func(workflow.Context, converter.RawValue) error
		history  *historypb.History
	}{
		"monitor":  {workflows.MonitorWorkflow, digestHistory(b, true)},
		"counting": {countSignals, digestHistory(b, false)},
	} {
		b.Run(name, func(b *testing.B) {
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflowWithOptions(of.workflow, workflow.RegisterOptions{Name: contract.WorkflowType})
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, replayer.ReplayWorkflowHistoryWithOptions(nil, of.history, worker.ReplayWorkflowHistoryOptions{OriginalExecution: fraud}))
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/historyDigests, "µs/digest")
		})
	}
}

func countSignals(ctx workflow.Context, _ converter.RawValue) error {
	for batches := workflow.GetSignalChannel(ctx, contract.SignalMetricDigest); batches.Receive(ctx, nil); {
	}
	return nil
}

var fraud = workflow.Execution{ID: contract.WorkflowID("fraud"), RunID: "run"}

// historyDigests are so many that the first task's work does not matter.
const historyDigests = 1000

// digestHistory is the history of a monitor by the default policy that gets a digest a
// minute; or of a workflow whose first task does nothing.
func digestHistory(b *testing.B, isMonitor bool) *historypb.History {
	history := &historypb.History{}
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	add := func(kind enumspb.EventType, e *historypb.HistoryEvent) {
		e.EventId = int64(len(history.Events) + 1)
		e.EventType = kind
		e.EventTime = timestamppb.New(at)
		history.Events = append(history.Events, e)
	}
	payloads := func(values ...any) *commonpb.Payloads {
		made, err := converter.GetDefaultDataConverter().ToPayloads(values...)
		require.NoError(b, err)
		return made
	}
	task := func() {
		queue := &taskqueuepb.TaskQueue{Name: contract.DefaultTaskQueue}
		add(enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
			WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{TaskQueue: queue},
		}})
		scheduled := int64(len(history.Events))
		add(enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
			WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{ScheduledEventId: scheduled},
		}})
		add(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{
			WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{ScheduledEventId: scheduled, StartedEventId: scheduled + 1},
		}})
	}

	add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
			WorkflowType: &commonpb.WorkflowType{Name: contract.WorkflowType}, TaskQueue: &taskqueuepb.TaskQueue{Name: contract.DefaultTaskQueue},
			Input: payloads(json.RawMessage(`{"policy": {}}`)), WorkflowId: fraud.ID, OriginalExecutionRunId: fraud.RunID, FirstExecutionRunId: fraud.RunID,
		},
	}})
	digest := func(i int) {
		add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
			WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
				SignalName: contract.SignalMetricDigest, Input: payloads(minute(i, at)),
			},
		}})
		task()
	}

	digest(0)
	if isMonitor {
		firstTask(add, payloads)
	}
	for i := range historyDigests {
		at = at.Add(time.Minute)
		digest(i + 1)
	}
	return history
}

// firstTask is what a monitor's first task leaves.
func firstTask(add func(enumspb.EventType, *historypb.HistoryEvent), payloads func(...any) *commonpb.Payloads) {
	marker := func(name string, details map[string]*commonpb.Payloads) {
		add(enumspb.EVENT_TYPE_MARKER_RECORDED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_MarkerRecordedEventAttributes{
			MarkerRecordedEventAttributes: &historypb.MarkerRecordedEventAttributes{MarkerName: name, Details: details},
		}})
	}
	marker("SideEffect", map[string]*commonpb.Payloads{"data": payloads(false), "side-effect-id": payloads(1)})
	add(enumspb.EVENT_TYPE_TIMER_STARTED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_TimerStartedEventAttributes{
		TimerStartedEventAttributes: &historypb.TimerStartedEventAttributes{TimerId: "7", StartToFireTimeout: durationpb.New(23 * time.Hour)},
	}})
	add(enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowPropertiesModifiedEventAttributes{
		WorkflowPropertiesModifiedEventAttributes: &historypb.WorkflowPropertiesModifiedEventAttributes{UpsertedMemo: &commonpb.Memo{}},
	}})
	marker("MutableSideEffect", map[string]*commonpb.Payloads{
		"data": payloads("has-search-attributes", payloads(false)), "side-effect-id": payloads("has-search-attributes_9"), "mutable-side-effect-call-counter": payloads(1),
	})
}

// minute is the batch of a minute's healthy events.
func minute(i int, at time.Time) *metric.Batch {
	summary := func(mean float64) *metric.Summary {
		return &metric.Summary{Count: 6000, Sum: 6000 * mean, Min: mean * 0.99, Max: mean * 1.01, MinAt: at.Add(-20 * time.Second), MaxAt: at.Add(-10 * time.Second)}
	}
	return &metric.Batch{
		Version: metric.BatchVersion, ModelName: "fraud", Publisher: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Sequence: int64(i + 1),
		Digests: []*metric.Digest{{
			ModelVersion: "v1", Events: 6000, First: at.Add(-time.Minute), Last: at.Add(-time.Second), FoldedFrom: at.Add(-time.Minute), FoldedUntil: at,
			Metrics: map[string]*metric.Summary{metric.Accuracy: summary(0.95), metric.LatencyMS: summary(120), metric.DriftScore: summary(0.03)},
		}},
	}
}
