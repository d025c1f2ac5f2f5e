package replay_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/workflows/replay"
)

// recorded are the histories that e2e/record has recorded, by file.
func recorded(t *testing.T) map[string][]*historypb.HistoryEvent {
	t.Helper()
	files, err := filepath.Glob("../testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string][]*historypb.HistoryEvent{}
	for _, name := range files {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		history, err := client.HistoryFromJSON(bytes.NewReader(content), client.HistoryJSONOptions{})
		require.NoError(t, err)
		all[filepath.Base(name)] = history.GetEvents()
	}
	return all
}

func idOf(events []*historypb.HistoryEvent) string {
	return events[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowId()
}

// A history is read while it grows, or while no worker is there: it may end anywhere.
func TestAHistoryReplaysWhereverItEnds(t *testing.T) {
	for name, events := range recorded(t) {
		for length := 1; length <= len(events); length++ {
			if length < len(events) && replay.IsAnswer(events[length]) {
				continue // they are written together
			}
			assert.NoError(t, replay.GoesOn(idOf(events), events[:length], replay.Codec{}), "%s, %d events", name, length)
		}
	}
}

// unanswered are histories of a run that no worker has done a task of, by what there is of it.
func unanswered(start *historypb.HistoryEvent) map[string][]*historypb.HistoryEvent {
	event := func(kind enumspb.EventType) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{EventType: kind, EventTime: start.GetEventTime()}
	}
	signal := event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
	signal.Attributes = &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
		WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: contract.SignalMetric},
	}
	scheduled := event(enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
	started := event(enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED)
	failed := event(enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED)
	all := map[string][]*historypb.HistoryEvent{
		"it has just begun":                 {start},
		"its task waits":                    {start, scheduled},
		"signals wait, too":                 {start, scheduled, signal, signal, signal},
		"its task is under way":             {start, scheduled, started},
		"its task has failed":               {start, scheduled, started, failed},
		"its task has failed, and is tried": {start, scheduled, started, failed, scheduled},
		"signals come after it has failed":  {start, scheduled, started, failed, signal, scheduled},
		"signals came before it has failed": {start, scheduled, signal, started, failed, signal},
		"its task has failed, and goes on":  {start, scheduled, started, failed, scheduled, started},
	}
	for _, events := range all {
		for i := range events {
			events[i] = proto.Clone(events[i]).(*historypb.HistoryEvent)
			events[i].EventId = int64(i + 1)
		}
	}
	return all
}

// What a newer build handed on is refused wherever the history ends: before a worker took a
// task of it, after one has failed it, and where a newer one has gone on with it.
func TestANewerStateIsRefusedWhereverItsHistoryEnds(t *testing.T) {
	events := recorded(t)["continued-as-new.json"]
	for name, unanswered := range unanswered(events[0]) {
		assert.NoError(t, replay.GoesOn(idOf(events), unanswered, replay.Codec{}), name)
	}

	argument := events[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0]
	newer := bytes.Replace(argument.GetData(), []byte(`"state":{"version":1`), []byte(`"state":{"version":2`), 1)
	require.NotEqual(t, argument.GetData(), newer)
	argument.Data = newer
	const says = "state: version 2, but this worker reads up to 1"
	for length := 1; length <= len(events); length++ {
		assert.ErrorContains(t, replay.GoesOn(idOf(events), events[:length], replay.Codec{}), says, "%d events", length)
	}
	for name, unanswered := range unanswered(events[0]) {
		assert.ErrorContains(t, replay.GoesOn(idOf(events), unanswered, replay.Codec{}), says, name)
	}
}
