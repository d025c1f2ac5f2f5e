package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/workflows"
)

// updatePayloads are what the server holds of the updates that a monitor has accepted.
func updatePayloads(t *testing.T, model string) (payloads []*commonpb.Payload, ids []string) {
	t.Helper()
	history := server.Client().GetWorkflowHistory(t.Context(), contract.WorkflowID(model), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(t, err)
		if accepted := event.GetWorkflowExecutionUpdateAcceptedEventAttributes(); accepted != nil {
			payloads = append(payloads, accepted.GetAcceptedRequest().GetInput().GetArgs().GetPayloads()...)
			ids = append(ids, accepted.GetAcceptedRequest().GetMeta().GetUpdateId())
		}
	}
	return payloads, ids
}

// Whoever can write to the namespace, and has no key, can send what they like and
// again what they have seen.
func TestASealIsForOneUpdateOfOneMonitor(t *testing.T) {
	const queue = "sealed"
	file := keysFile(t, "s")
	keys := "ENCRYPTION_KEYS_FILE=" + file
	options := client.Options{HostPort: server.FrontendHostPort(), Logger: quietLog}
	require.NoError(t, encryption.ApplyFile(file, &options))
	options.DataConverter, options.Interceptors = nil, nil // it sends what it is given, and is told why that is refused
	intruder, err := client.Dial(options)
	require.NoError(t, err)
	defer intruder.Close()
	startWorker(t, queue, keys, "ENCRYPTION_REQUIRED=true")
	for _, model := range []string{"sealed-a", "sealed-b"} {
		starterWith(t, queue, "model_name: "+model+"\n", []string{keys}, "apply", "-")
	}
	update := func(model, name, id string, argument any) error {
		handle, err := intruder.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			UpdateID: id, WorkflowID: contract.WorkflowID(model), UpdateName: name, Args: []any{argument}, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err != nil {
			return err
		}
		return handle.Get(t.Context(), nil)
	}
	freeze := func(reason string) error {
		handle, err := intruder.UpdateWithStartWorkflow(t.Context(), client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: intruder.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
				ID: workflows.FleetID(queue), TaskQueue: queue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			}, workflows.FleetType, fleet.Fleet{}),
			UpdateOptions: client.UpdateWorkflowOptions{
				UpdateName: workflows.UpdateFreeze, Args: []any{fleet.Freeze{By: "ceo", Reason: reason}}, WaitForStage: client.WorkflowUpdateStageCompleted,
			},
		})
		if err != nil {
			return err
		}
		return handle.Get(t.Context(), nil)
	}
	require.ErrorContains(t, update("sealed-a", "stop", "plain", monitor.Control{By: "ceo"}), "came in the clear")

	require.ErrorContains(t, freeze("in the clear"), "came in the clear")
	event := metric.Event{ModelName: "sealed-a", ModelVersion: "forged", Accuracy: metric.Some(0.1)}
	require.NoError(t, intruder.SignalWorkflow(t.Context(), contract.WorkflowID("sealed-a"), "", contract.SignalMetric, event), "the server can't tell")
	starterWith(t, queue, "", []string{keys}, "publish", "--model", "sealed-a", "--version", "v1", "--accuracy", "0.95")

	starterWith(t, queue, "", []string{keys}, "pause", "sealed-a", "--by", "ada", "--reason", "audit")
	payloads, ids := updatePayloads(t, "sealed-a")
	pause, id := converter.NewRawValue(payloads[len(payloads)-1]), ids[len(ids)-1]
	require.ErrorContains(t, update("sealed-a", "stop", id+"-2", pause), `was sealed as`)
	require.ErrorContains(t, update("sealed-a", "pause", "another", pause), "was sealed with another update id")
	require.ErrorContains(t, update("sealed-b", "stop", id, pause), "sealed for")
	require.ErrorContains(t, update("sealed-b", "pause", id, pause), "sealed for")
	require.NoError(t, update("sealed-a", "pause", id, pause), "the same again is known, and changes nothing")

	var s monitor.Status
	for model, phase := range map[string]contract.Phase{"sealed-a": contract.PhasePaused, "sealed-b": contract.PhaseWatching} {
		patience.Until(t, "the monitor answers", func() bool {
			return json.Unmarshal([]byte(starterWith(t, queue, "", []string{keys}, "status", model, "-o", "json")), &s) == nil
		})
		assert.Equal(t, phase, s.Phase, model)
	}

	require.NoError(t, json.Unmarshal([]byte(starterWith(t, queue, "", []string{keys}, "status", "sealed-a", "-o", "json")), &s))
	assert.Equal(t, int64(1), s.Rejected, "what came in the clear")
	assert.Contains(t, s.Rejections[0].Reason, "came in the clear, and ENCRYPTION_REQUIRED is set")
	assert.Equal(t, []string{"v1"}, slices.Collect(maps.Keys(s.Versions)), "and what the hub sealed is taken")
}
