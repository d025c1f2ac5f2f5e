package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/monitor"
)

// update is one kind of update: check refuses it without a trace in history,
// apply carries it out and never waits.
type update struct {
	name, description string
	check             func(ctx workflow.Context, payload []byte) error
	apply             func(ctx workflow.Context, payload []byte) (requestID string, err error)
}

func (m *watch) registerUpdates(ctx workflow.Context) error {
	for _, u := range m.updates() {
		validator := func(ctx workflow.Context, raw converter.RawValue) error {
			if _, handled := m.machine.Recall(updateID(ctx)); handled {
				return nil
			}
			payload, err := jsonOf(raw)
			if err == nil {
				err = u.check(ctx, payload)
			}
			return refused(u.name, err)
		}
		handler := func(ctx workflow.Context, raw converter.RawValue) (monitor.UpdateResult, error) {
			id := updateID(ctx)
			if result, handled := m.machine.Recall(id); handled {
				return result, nil
			}
			m.calendar(ctx)
			m.drain(ctx) // what was sent before the update is seen before it
			payload, err := jsonOf(raw)
			if err == nil {
				err = u.check(ctx, payload) // the signals may have changed the answer
			}
			if err != nil {
				return monitor.UpdateResult{}, refused(u.name, err)
			}
			m.changed = true
			requestID, err := u.apply(ctx, payload)
			if err != nil {
				return monitor.UpdateResult{}, refused(u.name, err)
			}
			m.calendar(ctx)
			result := monitor.UpdateResult{Phase: m.machine.Phase(workflow.Now(ctx)), RequestID: requestID}
			m.machine.Remember(id, result)
			return result, nil
		}
		err := workflow.SetUpdateHandlerWithOptions(ctx, u.name, handler, workflow.UpdateHandlerOptions{
			Validator: validator, Description: u.description,
		})
		if err != nil {
			return fmt.Errorf("register update %s: %w", u.name, err)
		}
	}
	return nil
}

func (m *watch) updates() []update {
	control := func(name, description string, check func(workflow.Context, monitor.Control) error, apply func(workflow.Context, monitor.Control) string) update {
		return update{
			name, description,
			func(ctx workflow.Context, payload []byte) error {
				c, err := monitor.DecodeControl(payload)
				if err == nil {
					err = check(ctx, c)
				}
				return err
			},
			func(ctx workflow.Context, payload []byte) (string, error) {
				c, err := monitor.DecodeControl(payload)
				return apply(ctx, c), err
			},
		}
	}
	return []update{
		{
			monitor.UpdateSetPolicy, "Put a policy in force: {\"rules\": …, \"cooldown\": …, \"retraining\": …}",
			func(ctx workflow.Context, payload []byte) error {
				if _, err := decodePolicy(payload); err != nil {
					return err
				}
				return m.isRunning(ctx, monitor.Control{})
			},
			func(ctx workflow.Context, payload []byte) (string, error) {
				policy, err := decodePolicy(payload)
				if err == nil {
					m.machine.SetPolicy(workflow.Now(ctx), policy)
				}
				return "", err
			},
		},
		control(monitor.UpdatePause, "Hold back automatic retraining: {\"by\": …, \"reason\": …}", m.isRunning,
			func(ctx workflow.Context, c monitor.Control) string {
				m.machine.PauseBy(workflow.Now(ctx), c)
				return ""
			}),
		control(monitor.UpdateResume, "End a pause: {\"by\": …, \"reason\": …}", m.isRunning,
			func(ctx workflow.Context, c monitor.Control) string {
				m.machine.ResumeBy(workflow.Now(ctx), c)
				return ""
			}),
		control(monitor.UpdateRetrain, "Retrain now: {\"by\": …, \"reason\": …, \"force\": ignore cooldown, blackout and a pending approval}",
			func(ctx workflow.Context, c monitor.Control) error { return m.machine.CanRetrain(workflow.Now(ctx), c) },
			func(ctx workflow.Context, c monitor.Control) string {
				return m.machine.Retrain(workflow.Now(ctx), c)
			}),
		control(monitor.UpdateApprove, "Let the trigger that waits go out: {\"by\": …, \"reason\": …}",
			func(workflow.Context, monitor.Control) error { return m.machine.CanAnswer(true) },
			func(ctx workflow.Context, c monitor.Control) string {
				return m.machine.Approve(workflow.Now(ctx), c)
			}),
		control(monitor.UpdateReject, "Drop the trigger that waits: {\"by\": …, \"reason\": …}",
			func(workflow.Context, monitor.Control) error { return m.machine.CanAnswer(false) },
			func(ctx workflow.Context, c monitor.Control) string {
				m.machine.RejectPending(workflow.Now(ctx), c)
				return ""
			}),
		control(monitor.UpdateCancel, "End the retraining in flight: {\"by\": …, \"reason\": …}",
			func(workflow.Context, monitor.Control) error { return m.machine.CanCancel() },
			func(ctx workflow.Context, c monitor.Control) string {
				return m.machine.Cancel(workflow.Now(ctx), c)
			}),
		control(monitor.UpdateStop, "End the monitor for good: {\"by\": …, \"reason\": …}",
			func(workflow.Context, monitor.Control) error { return nil },
			func(ctx workflow.Context, c monitor.Control) string {
				m.machine.StopBy(workflow.Now(ctx), c)
				return ""
			}),
	}
}

func (m *watch) isRunning(ctx workflow.Context, _ monitor.Control) error {
	if m.machine.Phase(workflow.Now(ctx)) == monitor.PhaseStopping {
		return errors.New("the monitor is stopping")
	}
	return nil
}

func decodePolicy(payload []byte) (monitor.Policy, error) {
	if len(bytes.TrimSpace(payload)) == 0 {
		payload = json.RawMessage(`{}`)
	}
	return monitor.DecodePolicy(payload)
}

// refused is the error that whoever sent an update sees.
func refused(name string, err error) error {
	if err == nil {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s refused: %v", name, err), "Refused", nil)
}

func updateID(ctx workflow.Context) string { return workflow.GetCurrentUpdateInfo(ctx).ID }
