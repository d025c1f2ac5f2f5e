package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/monitor"
)

// The fleet of a task queue: one workflow that knows who holds which retrainings
// back. It is started by the first freeze, or by the first retraining of a fleet
// with a brake.
const (
	FleetType      = "FleetWorkflow"
	UpdateFreeze   = "freeze"   // a monitor.Freeze; answered with the freezes in force
	UpdateUnfreeze = "unfreeze" // the scope as a monitor.Freeze; answered with how many were lifted
	UpdatePermit   = "permit"   // a Permit; answered with the monitor.Freeze that holds it, or null
	// MemoFreezes is the memo field with the freezes in force: whoever asks needs
	// no worker.
	MemoFreezes = "freezes"
)

// FleetID is the workflow id of a task queue's fleet.
func FleetID(taskQueue string) string { return "model-fleet/" + taskQueue }

// Permit asks whether a model may be retrained.
type Permit struct {
	ModelName string        `json:"model_name"`
	Team      string        `json:"team,omitempty"`
	Brake     monitor.Brake `json:"brake"`
}

// maxFleetUpdates is after how many updates a run of the fleet hands on to another,
// at the latest: some 5 events each.
const maxFleetUpdates = 2000

// FleetWorkflow keeps a fleet. Its argument is what the run before has handed on.
func FleetWorkflow(ctx workflow.Context, fleet monitor.Fleet) error {
	updates := 0
	changed := func(ctx workflow.Context) error {
		updates++
		return workflow.UpsertMemo(ctx, map[string]any{MemoFreezes: fleet.Freezes})
	}
	// Updates that come with the first task are carried out in this order.
	err := errors.Join(
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateFreeze, func(ctx workflow.Context, freeze monitor.Freeze) ([]monitor.Freeze, error) {
			if err := fleet.Add(workflow.Now(ctx).UTC(), freeze); err != nil {
				return nil, temporal.NewNonRetryableApplicationError("freeze refused: "+err.Error(), "Refused", nil)
			}
			return fleet.Freezes, changed(ctx)
		}, workflow.UpdateHandlerOptions{
			Description: "Hold retrainings back: {\"teams\": …, \"models\": patterns, \"by\": …, \"reason\": …}",
			Validator:   func(freeze monitor.Freeze) error { return refused(UpdateFreeze, freeze.Validate()) },
		}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateUnfreeze, func(ctx workflow.Context, scope monitor.Freeze) (int, error) {
			return fleet.Lift(workflow.Now(ctx).UTC(), scope), changed(ctx)
		}, workflow.UpdateHandlerOptions{Description: "Let them go on: the scope of a freeze, or {} for all"}),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdatePermit, func(ctx workflow.Context, p Permit) (*monitor.Freeze, error) {
			before := len(fleet.Freezes)
			held := fleet.Permit(workflow.Now(ctx).UTC(), p.ModelName, p.Team, p.Brake)
			updates++
			if len(fleet.Freezes) != before {
				return held, changed(ctx)
			}
			return held, nil
		}, workflow.UpdateHandlerOptions{Description: "May this model be retrained? Counted by the fleet's brake"}),
		workflow.SetQueryHandler(ctx, "fleet", func() (monitor.Fleet, error) { return fleet, nil }),
	)
	if err == nil && len(fleet.Freezes) > 0 {
		err = workflow.UpsertMemo(ctx, map[string]any{MemoFreezes: fleet.Freezes}) // a new run's memo may be another
	}
	if err != nil {
		return err
	}
	isFull := func() bool { return updates >= maxFleetUpdates || workflow.GetInfo(ctx).GetContinueAsNewSuggested() }
	for !isFull() {
		if err := workflow.Await(ctx, func() bool { return isFull() || len(fleet.Notices) > 0 }); err != nil {
			return err
		}
		tellFleet(ctx, &fleet)
	}
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, FleetType, fleet)
}

// PermitTimeout bounds how long a retraining waits for the fleet's word before it
// asks again.
const PermitTimeout = 10 * time.Second

// tellFleetFor is how long the fleet's channels are tried to be told.
const tellFleetFor = 10 * time.Minute

// tellFleet tells the fleet's channels what has happened. What they can't be told
// the log of the worker says.
func tellFleet(ctx workflow.Context, fleet *monitor.Fleet) {
	var activity *activities.Notices // names only
	id, queue := workflow.GetInfo(ctx).WorkflowExecution.ID, NoticesTaskQueue(workflow.GetInfo(ctx).TaskQueueName)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, StartToCloseTimeout: attemptTimeout, ScheduleToCloseTimeout: tellFleetFor, HeartbeatTimeout: activities.HeartbeatTimeout,
	})
	for len(fleet.Notices) > 0 {
		notice := fleet.Notices[0]
		fleet.Notices = fleet.Notices[1:]
		var channels []string
		if err := workflow.ExecuteActivity(ctx, activity.FleetChannels).Get(ctx, &channels); err != nil {
			workflow.GetLogger(ctx).Error("the fleet's channels are not known", "notice", notice.Decision.Reason, "error", err)
			continue
		}
		told := make([]workflow.Future, len(channels))
		for i, channel := range channels {
			to := notice
			to.ID, to.Channel = id+"/notice/"+notice.ID+"/"+channel, channel
			told[i] = workflow.ExecuteActivity(ctx, activity.Notify, to)
		}
		for i, future := range told {
			if err := future.Get(ctx, nil); err != nil {
				workflow.GetLogger(ctx).Error("a channel is not told", "channel", channels[i], "notice", notice.Decision.Reason, "error", err)
			}
		}
	}
}
