// Package replay runs the code of monitors over their histories, in this process: for
// whoever asks what this code would make of a history, or what a monitor knew for which
// no worker answers.
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows"
)

// Histories is where they are read from; a client of Temporal's is one.
type Histories interface {
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool,
		filter enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Codec reads payloads and failures as the monitors' workers write them.
type Codec struct {
	Data    converter.DataConverter    // default: the SDK's
	Failure converter.FailureConverter // default: the SDK's
}

// Open opens the history of one run.
func Open(ctx context.Context, histories Histories, id, run string) client.HistoryEventIterator {
	return histories.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
}

// Read reads the history of one run whole.
func Read(ctx context.Context, histories Histories, id, run string) (all []*historypb.HistoryEvent, err error) {
	for events := Open(ctx, histories, id, run); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			return nil, err
		}
		all = append(all, event)
	}
	return all, nil
}

// Run runs MonitorWorkflow over what its tasks have completed of the history of one run of
// a monitor. A follower, unless it is nil, goes along. The error says what else this code
// would have done.
func Run(id string, events []*historypb.HistoryEvent, codec Codec, follow workflows.Follower) error {
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		DataConverter: codec.Data, FailureConverter: codec.Failure,
		Interceptors:             []interceptor.WorkerInterceptor{&workflows.EveryArgument{}, Following(follow)},
		DisableDeadlockDetection: true, // a second on a busy machine is no fault of the history
	})
	if err != nil {
		return err
	}

	replayer.RegisterWorkflowWithOptions(workflows.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
	return replayer.ReplayWorkflowHistoryWithOptions(log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		&historypb.History{Events: events}, worker.ReplayWorkflowHistoryOptions{
			OriginalExecution: workflow.Execution{ID: id, RunID: events[0].GetWorkflowExecutionStartedEventAttributes().GetOriginalExecutionRunId()},
		})
}

// GoesOn says why this code can't go on with a run, if it can't: with what its tasks have
// completed, and with what it began with, which a replay doesn't read before a task is.
func GoesOn(id string, events []*historypb.HistoryEvent, codec Codec) error {
	if answered := Answered(events); answered > 0 {
		return Run(id, events[:answered], codec, nil)
	}

	began := events[0].GetWorkflowExecutionStartedEventAttributes()
	if len(began.GetInput().GetPayloads()) == 0 {
		return nil
	}
	var argument converter.RawValue
	if err := cmp.Or(codec.Data, converter.GetDefaultDataConverter()).FromPayload(began.GetInput().GetPayloads()[0], &argument); err != nil {
		return fmt.Errorf("argument: %w", err)
	}
	continued := began.GetContinuedExecutionRunId()
	_, err := workflows.MachineOf(&workflow.Info{WorkflowExecution: workflow.Execution{ID: id}, ContinuedExecutionRunID: continued}, argument)
	if continued != "" || workflows.IsUndecrypted(err) {
		return err
	}
	return nil // by any build, it ends for what somebody began it with
}

// ErrUnanswered says that no worker has done a task of a run: nothing is known of it.
var ErrUnanswered = errors.New("no worker has ever worked for it")

// Last is the machine of a run as its last completed task left it, and when that was.
func Last(id string, events []*historypb.HistoryEvent, codec Codec) (machine *monitor.Machine, at time.Time, err error) {
	answered := Answered(events)
	if answered == 0 {
		return nil, at, ErrUnanswered
	}

	err = Run(id, events[:answered], codec, func(now time.Time, followed *monitor.Machine, _ workflows.Given) {
		machine = followed
		at = now
	})
	if err == nil && machine == nil {
		err = ErrUnanswered
	}
	return machine, at, err
}

// Answered is how much of a history is answered by the monitor's code: up to its last
// completed workflow task, and what that task has brought about. What came after it,
// Run would answer by itself.
func Answered(events []*historypb.HistoryEvent) int {
	last := 0
	for i, event := range events {
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			last = i + 1
		}
	}
	for last > 0 && last < len(events) && IsAnswer(events[last]) {
		last++
	}
	return last
}

// IsAnswer says that an event is what a workflow task has brought about: it is written
// together with those before it.
func IsAnswer(event *historypb.HistoryEvent) bool {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED,
		enumspb.EVENT_TYPE_TIMER_STARTED,
		enumspb.EVENT_TYPE_TIMER_CANCELED,
		enumspb.EVENT_TYPE_MARKER_RECORDED,
		enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
		enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return true
	}

	return false
}

// Following is the interceptor that puts a follower into the monitors that are run.
func Following(follow workflows.Follower) interceptor.WorkerInterceptor {
	return &following{follow: follow}
}

type following struct {
	interceptor.WorkerInterceptorBase
	follow workflows.Follower
}

func (f *following) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	i := &followed{follow: f.follow}
	i.Next = next
	return i
}

type followed struct {
	interceptor.WorkflowInboundInterceptorBase
	follow workflows.Follower
}

func (f *followed) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	return f.Next.ExecuteWorkflow(workflows.WithFollower(ctx, f.follow), in)
}
