package whatif_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/backtest/whatif"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/replay"
)

// histories are runs, by their ids.
type histories map[string][]*historypb.HistoryEvent

func (h histories) GetWorkflowHistory(_ context.Context, _, run string, _ bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	events := h[run]
	return &iterator{events, events == nil}
}

type iterator struct {
	events []*historypb.HistoryEvent
	isGone bool
}

func (i *iterator) HasNext() bool { return len(i.events) > 0 || i.isGone }

func (i *iterator) Next() (*historypb.HistoryEvent, error) {
	if i.isGone {
		return nil, serviceerror.NewNotFound("its retention is over")
	}
	next := i.events[0]
	i.events = i.events[1:]
	return next, nil
}

// load reads a recorded history.
func load(t *testing.T, file string) []*historypb.HistoryEvent {
	t.Helper()
	opened, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = opened.Close() }()
	history, err := client.HistoryFromJSON(opened, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history.Events
}

// spy keeps the monitor's own answer to the status query while it is replayed.
type spy struct {
	interceptor.WorkerInterceptorBase
	status func() (monitor.Status, error)
}

func (s *spy) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &inbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, s}
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	spy *spy
}

func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&outbound{interceptor.WorkflowOutboundInterceptorBase{Next: next}, i.spy})
}

type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	spy *spy
}

func (o *outbound) SetQueryHandler(ctx workflow.Context, query string, handler any) error {
	if query == contract.QueryStatus {
		o.spy.status = handler.(func() (monitor.Status, error))
	}
	return o.Next.SetQueryHandler(ctx, query, handler)
}

// replay lets the monitor's own code go through a history, and returns its status.
func replayed(t *testing.T, events []*historypb.HistoryEvent) monitor.Status {
	t.Helper()
	var s spy
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors: []interceptor.WorkerInterceptor{&s}, DisableDeadlockDetection: true,
	})
	require.NoError(t, err)
	replayer.RegisterWorkflowWithOptions(workflows.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
	started := events[0].GetWorkflowExecutionStartedEventAttributes()
	require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		&historypb.History{Events: events}, worker.ReplayWorkflowHistoryOptions{
			OriginalExecution: workflow.Execution{ID: started.WorkflowId, RunID: started.OriginalExecutionRunId},
		}))
	status, err := s.status()
	require.NoError(t, err)
	return status
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	return string(encoded)
}

// What is reconstructed from a history is held to what the monitor's code makes of
// it when the SDK replays it.
func TestRecordedLivesAreDecidedAsTheSDKReplaysThem(t *testing.T) {
	files, err := filepath.Glob("../../workflows/testdata/*.json")
	require.NoError(t, err)
	all := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			events := load(t, file)
			started := events[0].GetWorkflowExecutionStartedEventAttributes()
			name, err := contract.ModelName(started.WorkflowId)
			require.NoError(t, err)
			question := whatif.Question{ModelName: name, RunID: "run"}
			answer, err := whatif.Decide(t.Context(), histories{"run": events}, question)
			require.NoError(t, err)
			told := []monitor.Decision{}
			for _, d := range replayed(t, events).Decisions {
				if !d.At.Before(answer.From) {
					told = append(told, d)
				}
			}
			all += len(told)
			require.Equal(t, asJSON(t, told), asJSON(t, answer.Recorded))
			require.Equal(t, asJSON(t, told), asJSON(t, answer.WhatIf))
		})
	}
	require.Greater(t, all, 10, "there are recordings, and they hold decisions")
}

// ends are where a history may end that is read while its monitor goes on: the server
// writes what a task has brought about all at once.
func ends(events []*historypb.HistoryEvent) (lengths []int) {
	for length := 1; length <= len(events); length++ {
		if length == len(events) || !replay.IsAnswer(events[length]) {
			lengths = append(lengths, length)
		}
	}
	return lengths
}

func TestARecordedLifeIsDecidedFromWhateverOfItThereIs(t *testing.T) {
	files, err := filepath.Glob("../../workflows/testdata/*.json")
	require.NoError(t, err)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			events := load(t, file)
			name, err := contract.ModelName(events[0].GetWorkflowExecutionStartedEventAttributes().WorkflowId)
			require.NoError(t, err)
			decisions := 0
			for _, length := range ends(events) {
				answer, err := whatif.Decide(t.Context(), histories{"run": events[:length]}, whatif.Question{ModelName: name, RunID: "run"})
				require.NoError(t, err, "of its first %d events", length)
				require.Equal(t, asJSON(t, answer.Recorded), asJSON(t, answer.WhatIf), "of its first %d events", length)
				require.GreaterOrEqual(t, len(answer.Recorded), decisions, "of its first %d events", length)
				decisions = len(answer.Recorded)
			}
		})
	}
}

// growing is a monitor that goes on between the two times that its history is read.
type growing struct {
	histories
	reads int
}

func (g *growing) GetWorkflowHistory(_ context.Context, _, run string, _ bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	g.reads++
	events := g.histories[run]
	if g.reads < 3 { // the chain of runs, and the first time
		all := ends(events)
		events = events[:all[len(all)/2]]
	}
	return &iterator{events: events}
}

func TestAMonitorThatGoesOnMeanwhileIsDecidedAsOfTheFirstLook(t *testing.T) {
	events := load(t, "../../workflows/testdata/policy-cooldown-and-second-retraining.json")
	name, err := contract.ModelName(events[0].GetWorkflowExecutionStartedEventAttributes().WorkflowId)
	require.NoError(t, err)
	question := whatif.Question{ModelName: name, RunID: "run"}

	whole, err := whatif.Decide(t.Context(), histories{"run": events}, question)
	require.NoError(t, err)
	answer, err := whatif.Decide(t.Context(), &growing{histories: histories{"run": events}}, question)

	require.NoError(t, err)
	require.Equal(t, asJSON(t, answer.Recorded), asJSON(t, answer.WhatIf))
	require.Less(t, len(answer.Recorded), len(whole.Recorded))
}

func TestSignalsThatNoWorkerHasTakenAreSpokenOf(t *testing.T) {
	events := load(t, "../../workflows/testdata/digests-and-a-redelivery.json")
	name, err := contract.ModelName(events[0].GetWorkflowExecutionStartedEventAttributes().WorkflowId)
	require.NoError(t, err)
	for length, event := range events {
		isLast := event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED
		if !isLast {
			continue
		}

		answer, err := whatif.Decide(t.Context(), histories{"run": events[:length+1]}, whatif.Question{ModelName: name, RunID: "run"})
		require.NoError(t, err)
		if len(answer.Notes) > 0 {
			require.Contains(t, answer.Notes[0], "signals wait that no worker has taken: ")
			return
		}
	}
	require.Fail(t, "no task of the recording has begun with a signal")
}
