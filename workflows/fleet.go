package workflows

import (
	"errors"
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor/fleet"
)

// The fleet of a task queue: one workflow that knows who holds which retrainings
// back. It is started by the first freeze, or by the first retraining of a fleet
// with a brake.
const (
	FleetType      = "FleetWorkflow"
	UpdateFreeze   = "freeze"   // a fleet.Freeze; answered with the freezes in force
	UpdateUnfreeze = "unfreeze" // the scope as a fleet.Freeze; answered with how many were lifted
	UpdatePermit   = "permit"   // a Permit; answered with the fleet.Freeze that holds it, or null
	// UpdateCheckPolicy asks whether a worker would take a policy, its argument, for a
	// monitor. It is always refused, so that the question leaves nothing in history:
	// with the faults, or with an error of type WouldBeTaken.
	UpdateCheckPolicy = "check-policy"
	WouldBeTaken      = "WouldBeTaken"
	// MemoFreezes is the memo field with the freezes in force: whoever asks needs
	// no worker.
	MemoFreezes = "freezes"
)

// FleetID is the workflow id of a task queue's fleet.
func FleetID(taskQueue string) string { return "model-fleet/" + taskQueue }

// Permit asks whether a model may be retrained.
type Permit struct {
	ModelName string      `json:"model_name"`
	Team      string      `json:"team,omitempty"`
	Brake     fleet.Brake `json:"brake"`
}

// PermitTimeout bounds how long a retraining waits for the fleet's word before it
// asks again.
const PermitTimeout = 10 * time.Second

// fleetRun is one run of a fleet. It waits for nobody: what its channels have not
// been told is part of the fleet, and its successor tells them, by the same ids.
type fleetRun struct {
	fleet     fleet.Fleet
	updates   int  // accepted in this run
	changed   bool // since the loop last looked
	cancelled bool

	channels workflow.Future  // their names are being asked for
	told     map[string]*call // what a channel is being told, by channel
}

// FleetWorkflow keeps a fleet. Its argument is what the run before has handed on.
// To cancel it is to end it in good order: it lifts every freeze, says so, and ends.
// A freeze that comes meanwhile keeps it.
func FleetWorkflow(ctx workflow.Context, handed fleet.Fleet) error {
	f := &fleetRun{fleet: handed, told: map[string]*call{}}
	err := f.register(ctx)
	if err == nil && len(handed.Freezes) > 0 {
		err = f.show(ctx) // a new run's memo may be another
	}
	if err != nil {
		return err
	}

	ctx = outlasting(ctx, func(lasting workflow.Context) {
		f.cancelled = true
		f.changed = true
		if f.fleet.Lift(workflow.Now(lasting).UTC(), fleet.Freeze{By: byTemporal}) > 0 {
			err = f.show(lasting)
		}
	})
	for err == nil {
		f.collect(ctx)
		switch {
		case f.cancelled && len(f.fleet.Freezes) == 0 && len(f.fleet.Notices) == 0:
			return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
		case f.isFull(ctx):
			return workflow.NewContinueAsNewError(ctx, FleetType, f.fleet) // its handlers never wait
		}

		f.tell(ctx)
		f.changed = false
		if err := workflow.Await(ctx, func() bool { return f.changed || f.isReady() || f.isFull(ctx) }); err != nil {
			return err
		}
	}

	return err
}

// isFull says that the run should end. An update costs some 5 events, and a channel
// 6 or more for each notice; the server's suggestion bounds both, and their bytes.
func (f *fleetRun) isFull(ctx workflow.Context) bool {
	return f.updates >= maxRunUpdates || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// register registers what can be asked of the fleet. Updates that come with the
// first task are carried out in this order.
func (f *fleetRun) register(ctx workflow.Context) error {
	return errors.Join(
		registerSealed(ctx, UpdateFreeze, "Hold retrainings back: {\"teams\": …, \"models\": patterns, \"by\": …, \"reason\": …}",
			func(freeze fleet.Freeze) error { return freeze.Validate() }, f.freeze),
		registerSealed(ctx, UpdateUnfreeze, "Let them go on: the scope of a freeze, or {} for all",
			func(fleet.Freeze) error { return nil }, f.unfreeze),
		registerSealed(ctx, UpdatePermit, "May this model be retrained? Counted by the fleet's brake",
			func(Permit) error { return nil }, f.permit),
		workflow.SetUpdateHandlerWithOptions(ctx, UpdateCheckPolicy, func(workflow.Context, converter.RawValue) error { return nil }, workflow.UpdateHandlerOptions{
			Description: "Would a worker take this policy? Refused with what is wrong with it, or with " + WouldBeTaken,
			Validator:   checkPolicy,
		}),
		workflow.SetQueryHandler(ctx, "fleet", func() (fleet.Fleet, error) { return f.fleet, nil }),
	)
}

// checkPolicy says what a monitor would say of a policy. What the worker's process
// knows besides, its backends and channels, it asks before this.
func checkPolicy(raw converter.RawValue) error {
	payload, err := jsonOf(raw)
	if err == nil {
		_, err = decodePolicy(payload)
	}
	if err != nil {
		return refused(contract.UpdateSetPolicy, err)
	}
	return temporal.NewNonRetryableApplicationError("the policy would be taken", WouldBeTaken, nil)
}

// WouldTake says that an answer to UpdateCheckPolicy is that the policy would be taken.
func WouldTake(err error) bool {
	var answer *temporal.ApplicationError
	return errors.As(err, &answer) && answer.Type() == WouldBeTaken
}

func (f *fleetRun) freeze(ctx workflow.Context, freeze fleet.Freeze) ([]fleet.Freeze, error) {
	f.count()
	if err := f.fleet.Add(workflow.Now(ctx).UTC(), freeze); err != nil {
		return nil, temporal.NewNonRetryableApplicationError("freeze refused: "+err.Error(), "Refused", nil)
	}
	return f.fleet.Freezes, f.show(ctx)
}

func (f *fleetRun) unfreeze(ctx workflow.Context, scope fleet.Freeze) (int, error) {
	f.count()
	return f.fleet.Lift(workflow.Now(ctx).UTC(), scope), f.show(ctx)
}

func (f *fleetRun) permit(ctx workflow.Context, p Permit) (*fleet.Freeze, error) {
	f.count()
	before := len(f.fleet.Freezes)
	frozen := f.fleet.Permit(workflow.Now(ctx).UTC(), p.ModelName, p.Team, p.Brake)
	if len(f.fleet.Freezes) != before {
		return frozen, f.show(ctx)
	}
	return frozen, nil
}

// count counts an accepted update, also one that changes nothing or is refused then.
func (f *fleetRun) count() {
	f.updates++
	f.changed = true
}

func (f *fleetRun) show(ctx workflow.Context) error {
	return workflow.UpsertMemo(ctx, map[string]any{MemoFreezes: f.fleet.Freezes})
}

// tell tells the fleet's channels what has happened, each one thing after another,
// or what lifts a freeze could overtake it.
func (f *fleetRun) tell(ctx workflow.Context) {
	if oldest := f.fleet.Unaddressed(); oldest != nil && f.channels == nil {
		var activity *activities.Notices // names only
		f.channels = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue:              NoticesTaskQueue(workflow.GetInfo(ctx).TaskQueueName),
			StartToCloseTimeout:    attemptTimeout,
			ScheduleToCloseTimeout: max(oldest.Decision.At.Add(tellFor).Sub(workflow.Now(ctx)), attemptTimeout),
		}), activity.FleetChannels)
	}

	for i := range f.fleet.Notices {
		if notice := &f.fleet.Notices[i]; notice.Channel != "" && f.told[notice.Channel] == nil {
			f.told[notice.Channel] = tell(ctx, notice)
		}
	}
}

// isReady says that an activity has ended.
func (f *fleetRun) isReady() bool {
	for _, channel := range slices.Sorted(maps.Keys(f.told)) {
		if f.told[channel].future.IsReady() {
			return true
		}
	}
	return f.channels != nil && f.channels.IsReady()
}

// collect takes what the activities came back with. What the channels can't be told
// the log of the worker says.
func (f *fleetRun) collect(ctx workflow.Context) {
	if f.channels != nil && f.channels.IsReady() {
		var channels []string
		if err := f.channels.Get(ctx, &channels); err != nil {
			workflow.GetLogger(ctx).Error("the fleet's channels are not known, and told nothing", "error", err)
		}
		f.channels = nil
		f.fleet.Address(workflow.GetInfo(ctx).WorkflowExecution.ID, channels)
	}

	for _, channel := range slices.Sorted(maps.Keys(f.told)) {
		c := f.told[channel]
		if !c.future.IsReady() {
			continue
		}

		if err := c.future.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Error("a channel is not told", "channel", channel, "notice", c.requestID, "error", err)
		}
		delete(f.told, channel)
		f.fleet.Told(c.requestID)
	}
}
