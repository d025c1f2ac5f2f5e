package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// The server refuses updates past so many a run; here 40, by default 2,000. A fleet
// hands on before, though its chat is away, and keeps what it has to tell.
func TestAFleetAnswersMoreUpdatesThanARunMayTakeWhileItsChatIsAway(t *testing.T) {
	const queue, limit = "fleet-updates", 40
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	start(t, temporalPath, []string{
		"server", "start-dev", "--headless", "--port", port, "--log-level", "error", "--dynamic-config-value", fmt.Sprint("history.maxTotalUpdates=", limit),
	})
	c := dialEventually(t, address)
	defer c.Close()
	chat := startAudience(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	startWorker(t, queue, append(notifying(t, "channels: {chat: {kind: webhook, url: '"+chat.URL+"'}}\nfleet: [chat]\n"), "TEMPORAL_ADDRESS="+address)...)

	fleetID := workflows.FleetID(queue)
	send := func(update string, argument any) error {
		handle, err := c.UpdateWithStartWorkflow(t.Context(), client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
				ID: fleetID, TaskQueue: queue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			}, workflows.FleetType, fleet.Fleet{}),
			UpdateOptions: client.UpdateWorkflowOptions{UpdateName: update, Args: []any{argument}, WaitForStage: client.WorkflowUpdateStageCompleted},
		})
		if err != nil {
			return err
		}
		return handle.Get(t.Context(), nil)
	}
	require.NoError(t, send(workflows.UpdateFreeze, fleet.Freeze{Teams: []string{"search"}, By: "ada"}))
	patience.Until(t, "the chat is tried", func() bool { return len(chat.got()) > 0 })

	brake := fleet.Brake{Share: 1, Within: policy.Duration(time.Hour), Monitors: 1000}
	var workers errgroup.Group
	var sent atomic.Int64
	for range 4 {
		workers.Go(func() error {
			for i := sent.Add(1); i <= 4*limit; i = sent.Add(1) {
				if err := send(workflows.UpdatePermit, workflows.Permit{ModelName: fmt.Sprint("model-", i), Brake: brake}); err != nil {
					return fmt.Errorf("permit %d: %w", i, err)
				}
			}
			return nil
		})
	}
	require.NoError(t, workers.Wait())

	var fleet fleet.Fleet
	answer, err := c.QueryWorkflow(t.Context(), fleetID, "", "fleet")
	require.NoError(t, err)
	require.NoError(t, answer.Get(&fleet))
	assert.Len(t, fleet.Freezes, 1)
	require.Len(t, fleet.Notices, 1)
	assert.Equal(t, "chat", fleet.Notices[0].Channel)
}
