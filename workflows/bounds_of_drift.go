package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor"
)

// boundsFor is how long one attempt to find the bounds of a drift rule may take: the
// simulations of 64 metrics, on a slow and busy core.
const boundsFor = 30 * time.Minute

// boundsCall is the activity that finds the bounds of one drift rule.
type boundsCall struct {
	lacking monitor.LackingBounds
	future  workflow.Future
}

// findBounds lets the bounds be found that the machine lacks, of one rule after
// another. A new run asks again for what was under way.
func (m *monitorRun) findBounds(ctx workflow.Context) {
	if m.bounds != nil {
		return
	}
	wanted := m.machine.BoundsWanted()
	if len(wanted) == 0 {
		return
	}

	lacking := wanted[0]
	nulls := make([]drift.Null, len(lacking.Features))
	for i := range lacking.Features {
		nulls[i] = lacking.Features[i].Null
	}
	var activity *activities.Bounds // names only
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           NoticesTaskQueue(workflow.GetInfo(ctx).TaskQueueName),
		StartToCloseTimeout: boundsFor,
		HeartbeatTimeout:    boundsFor / 10,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: firstRetryPause, BackoffCoefficient: 2, MaximumInterval: longestRetryPause},
		Summary:             summary("find the bounds of rule " + lacking.Rule),
	})
	m.bounds = &boundsCall{lacking, workflow.ExecuteActivity(ctx, activity.FindBounds, nulls)}
}

// takeBounds hands the machine the bounds that were found.
func (m *monitorRun) takeBounds(ctx workflow.Context) {
	if m.bounds == nil || !m.bounds.future.IsReady() {
		return
	}

	call := m.bounds
	m.bounds = nil
	var found []drift.Bounds
	err := call.future.Get(ctx, &found)
	if err != nil {
		m.log.Error("the bounds of a drift rule were not found, trying again", "rule", call.lacking.Rule, "error", err)
		return
	}
	m.machine.SetBounds(&call.lacking, found)
	m.gave(ctx, Bounded{call.lacking, found})
}
