package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// Update is one kind of update of a machine: check refuses it without a trace in
// history, apply carries it out and never waits.
type Update struct {
	Name, description string
	check             func(now time.Time, payload []byte) error
	apply             func(now time.Time, payload []byte) (requestID string, err error)
}

// Do carries an update out, unless its check refuses it.
func (u *Update) Do(now time.Time, raw converter.RawValue) (requestID string, err error) {
	payload, err := jsonOf(raw)
	if err == nil {
		err = u.check(now, payload)
	}
	if err == nil {
		requestID, err = u.apply(now, payload)
	}
	return requestID, refused(u.Name, err)
}

func (m *monitorRun) registerUpdates(ctx workflow.Context) error {
	for _, u := range Updates(m.machine) {
		err := workflow.SetUpdateHandlerWithOptions(ctx, u.Name, m.handlerOf(&u), workflow.UpdateHandlerOptions{
			Validator: m.validatorOf(&u), Description: u.description,
		})
		if err != nil {
			return fmt.Errorf("register update %s: %w", u.Name, err)
		}
	}

	return nil
}

// validatorOf is what says of an update whether it goes into history.
func (m *monitorRun) validatorOf(u *Update) func(workflow.Context, converter.RawValue) error {
	return func(ctx workflow.Context, raw converter.RawValue) error {
		if _, handled := m.machine.Recall(updateID(ctx)); handled {
			return nil
		}

		payload, err := jsonOf(raw)
		if err == nil { // here alone: what history has accepted is carried out, however it was sealed
			err = received(ctx, u.Name, m.machine.RememberedSince()).Check(raw.Payload())
		}
		if err == nil {
			err = u.check(workflow.Now(ctx), payload)
		}
		return refused(u.Name, err)
	}
}

// handlerOf is what carries an update out that is in history, once.
func (m *monitorRun) handlerOf(u *Update) func(workflow.Context, converter.RawValue) (monitor.UpdateResult, error) {
	return func(ctx workflow.Context, raw converter.RawValue) (monitor.UpdateResult, error) {
		m.updates++
		m.answered = workflow.Now(ctx)
		ctx, _ = workflow.NewDisconnectedContext(ctx) // a monitor that was cancelled goes on for a while
		id := updateID(ctx)
		if result, handled := m.machine.Recall(id); handled {
			return result, nil
		}

		m.calendar(ctx)
		m.drain(ctx)                                   // what was sent before the update is seen before it, but for what is left of a pile
		requestID, err := u.Do(workflow.Now(ctx), raw) // the signals may have changed what its check says
		m.gave(ctx, Updated{u.Name, raw, err})
		if err != nil {
			return monitor.UpdateResult{}, err
		}

		m.changed = true
		m.policy = ""
		m.hasPolicy = m.hasPolicy || u.Name == contract.UpdateSetPolicy
		m.calendar(ctx)
		result := monitor.UpdateResult{Phase: m.machine.Phase(workflow.Now(ctx)), RequestID: requestID}
		m.machine.Remember(workflow.Now(ctx), id, result)
		return result, nil
	}
}

// Updates are all updates of a machine, in the order in which a run registers them:
// those that come with its first task are carried out in this order.
func Updates(machine *monitor.Machine) []Update {
	isRunning := func(now time.Time, _ monitor.Control) error {
		if machine.Phase(now) == contract.PhaseStopping {
			return errors.New("the monitor is stopping")
		}
		return nil
	}

	control := func(name, description string, check func(time.Time, monitor.Control) error, apply func(time.Time, monitor.Control) string) Update {
		return Update{
			name, description,
			func(now time.Time, payload []byte) error {
				c, err := retraining.DecodeControl(payload)
				if err == nil {
					err = check(now, c)
				}
				return err
			},
			func(now time.Time, payload []byte) (string, error) {
				c, err := retraining.DecodeControl(payload)
				return apply(now, c), err
			},
		}
	}

	return []Update{
		{
			contract.UpdateSetPolicy, "Put a policy in force: {\"rules\": …, \"cooldown\": …, \"retraining\": …}",
			func(now time.Time, payload []byte) error {
				if _, err := decodePolicy(payload); err != nil {
					return err
				}
				return isRunning(now, monitor.Control{})
			},
			func(now time.Time, payload []byte) (string, error) {
				policy, err := decodePolicy(payload)
				if err == nil {
					machine.SetPolicy(now, policy)
				}
				return "", err
			},
		},

		control(contract.UpdatePause, "Hold back automatic retraining: {\"by\": …, \"reason\": …}", isRunning,
			func(now time.Time, c monitor.Control) string {
				machine.PauseBy(now, c)
				return ""
			}),
		control(contract.UpdateResume, "End a pause: {\"by\": …, \"reason\": …}", isRunning,
			func(now time.Time, c monitor.Control) string {
				machine.ResumeBy(now, c)
				return ""
			}),

		control(contract.UpdateRetrain, "Retrain now: {\"by\": …, \"reason\": …, \"force\": override "+contract.ForceOverrides+"}",
			func(now time.Time, c monitor.Control) error { return machine.CanRetrain(now, c) },
			func(now time.Time, c monitor.Control) string {
				return machine.Retrain(now, c)
			}),

		control(contract.UpdateApprove, "Let the trigger that waits go out: {\"by\": …, \"reason\": …}",
			func(time.Time, monitor.Control) error { return machine.CanAnswer(true) },
			func(now time.Time, c monitor.Control) string {
				return machine.Approve(now, c)
			}),
		control(contract.UpdateReject, "Drop the trigger that waits: {\"by\": …, \"reason\": …}",
			func(time.Time, monitor.Control) error { return machine.CanAnswer(false) },
			func(now time.Time, c monitor.Control) string {
				machine.RejectPending(now, c)
				return ""
			}),
		control(contract.UpdateCancel, "End the retraining in flight: {\"by\": …, \"reason\": …}",
			func(time.Time, monitor.Control) error { return machine.CanCancel() },
			func(now time.Time, c monitor.Control) string {
				return machine.Cancel(now, c)
			}),
		control(contract.UpdateStop, "End the monitor for good: {\"by\": …, \"reason\": …}",
			func(time.Time, monitor.Control) error { return nil },
			func(now time.Time, c monitor.Control) string {
				machine.StopBy(now, c)
				return ""
			}),
	}
}

func decodePolicy(payload []byte) (policy.Policy, error) {
	if len(bytes.TrimSpace(payload)) == 0 {
		payload = json.RawMessage(`{}`)
	}
	return policy.Decode(payload)
}

// refused is the error that whoever sent an update sees.
func refused(name string, err error) error {
	if err == nil {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s refused: %v", name, err), "Refused", nil)
}

func updateID(ctx workflow.Context) string { return workflow.GetCurrentUpdateInfo(ctx).ID }
