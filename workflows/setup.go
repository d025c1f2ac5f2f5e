package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Input is the argument of MonitorWorkflow. Left out, the model's name comes
// from the workflow id, and the policy is the default.
type Input struct {
	ModelName string         `json:"model_name,omitempty"`
	Policy    *policy.Policy `json:"policy,omitempty"`
	// State is for continue-as-new alone; from anyone else it is refused.
	State *monitor.State `json:"state,omitempty"`
}

// invalidInput is the type of the error that a monitor fails with when its
// argument makes no sense.
const invalidInput = "InvalidInput"

// setup makes the machine and registers what can be asked of it. It must not
// block: an update may come with the first task.
func setup(ctx workflow.Context, raw converter.RawValue) (*monitorRun, error) {
	machine, err := MachineOf(workflow.GetInfo(ctx), raw)
	if err != nil && (workflow.GetInfo(ctx).ContinuedExecutionRunID != "" || IsUndecrypted(err)) {
		// A worker that was rolled back can't read its successor's state, and one that
		// lacks a key can't read anything. To fail would be to forget it; the task is
		// tried again until a fitting worker is there.
		panic(fmt.Sprintf("go on with monitor %s: %v", workflow.GetInfo(ctx).WorkflowExecution.ID, err))
	}

	if err != nil {
		return nil, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("start monitor %s: %v", workflow.GetInfo(ctx).WorkflowExecution.ID, err), invalidInput, nil)
	}

	m := &monitorRun{machine: machine, log: workflow.GetLogger(ctx), cancels: map[string]*call{}, notices: map[string]*call{}}
	m.began = workflow.Now(ctx)
	m.asksAgain = machine.Wants(m.began).Schedule != nil
	m.shown = shownBefore(ctx)
	m.told = machine.Guidance(m.began)
	m.retires = m.began.Add(ageOf(workflow.GetInfo(ctx).OriginalRunID))
	m.measure(ctx)
	m.trace(ctx)
	m.follower, _ = ctx.Value(followerKey{}).(Follower)
	m.gave(ctx, Begun{})
	if err := workflow.SetQueryHandler(ctx, contract.QueryStatus, func() (monitor.Status, error) {
		return machine.Status(workflow.Now(ctx)), nil
	}); err != nil {
		return nil, err
	}
	if err := workflow.SetQueryHandler(ctx, contract.QueryGuidance, func() (contract.Guidance, error) {
		return machine.Guidance(workflow.Now(ctx)), nil
	}); err != nil {
		return nil, err
	}
	if err := workflow.SetQueryHandler(ctx, contract.QueryProfile, machine.Profile); err != nil {
		return nil, err
	}

	return m, m.registerUpdates(ctx)
}

// MachineOf makes the machine of a first run, or restores that of an earlier one,
// from a run's argument.
func MachineOf(info *workflow.Info, raw converter.RawValue) (*monitor.Machine, error) {
	id := info.WorkflowExecution.ID
	name, err := contract.ModelName(id)
	if err != nil {
		return nil, err
	}
	payload, err := jsonOf(raw)
	if err != nil {
		return nil, fmt.Errorf("argument: %w", err)
	}

	input, err := decodeInput(payload, info.ContinuedExecutionRunID != "")
	switch {
	case err != nil:
		return nil, fmt.Errorf("argument: %w", err)
	case input.ModelName != "" && input.ModelName != name:
		return nil, fmt.Errorf("argument: model_name: %q does not fit the workflow id; start it as %s",
			input.ModelName, contract.WorkflowID(input.ModelName))
	case input.State != nil:
		return monitor.Restore(*input.State), nil
	}

	var policy policy.Policy
	if input.Policy != nil {
		policy = *input.Policy
	}
	return monitor.NewMachine(name, id+"/"+info.FirstRunID, policy), nil
}

func decodeInput(payload []byte, continued bool) (Input, error) {
	var input Input
	if len(payload) == 0 {
		return input, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil {
		return input, err
	}

	if !continued { // else a newer worker may hand on more
		var faults []error
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if name != "model_name" && name != "policy" && name != "state" {
				faults = append(faults, fmt.Errorf("%s: unknown field; the fields are model_name and policy", name))
			}
		}

		if len(faults) > 0 {
			return input, errors.Join(faults...)
		}
	}
	if name := fields["model_name"]; isSet(name) {
		if err := json.Unmarshal(name, &input.ModelName); err != nil {
			return input, fmt.Errorf("model_name: %w", err)
		}
	}

	switch {
	case isSet(fields["state"]) && !continued:
		return input, errors.New("state: only a monitor's own continue-as-new hands it on; leave it out")
	case isSet(fields["state"]): // it holds the policy
		state, err := monitor.DecodeState(fields["state"])
		input.State = &state
		return input, err
	case isSet(fields["policy"]):
		policy, err := policy.Decode(fields["policy"])
		if err != nil {
			return input, fmt.Errorf("policy: %w", err)
		}
		input.Policy = &policy
	}

	return input, nil
}

func isSet(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// jsonOf returns the JSON of a raw argument; nothing when there was none.
func jsonOf(raw converter.RawValue) ([]byte, error) {
	payload := raw.Payload()
	if payload == nil {
		return nil, nil
	}
	if reason, undecrypted := payload.GetMetadata()[contract.MetadataUndecrypted]; undecrypted {
		return nil, &undecryptedError{string(reason)}
	}

	switch encoding := string(payload.GetMetadata()[converter.MetadataEncoding]); encoding {
	case converter.MetadataEncodingNil:
		return nil, nil
	case converter.MetadataEncodingJSON, converter.MetadataEncodingProtoJSON:
		if data := payload.GetData(); utf8.Valid(data) {
			return data, nil
		}
		return nil, errors.New("payload: must be valid UTF-8")
	case "binary/encrypted":
		return nil, &undecryptedError{"encrypted, and this worker has no keys; set ENCRYPTION_KEYS_FILE"}
	default:
		return nil, fmt.Errorf("payload encoding %q: must be %q", encoding, converter.MetadataEncodingJSON)
	}
}

// undecryptedError says why a payload could not be decrypted.
type undecryptedError struct{ reason string }

func (e *undecryptedError) Error() string { return "payload: " + e.reason }

// IsUndecrypted says that something could not be read for lack of a key.
func IsUndecrypted(err error) bool {
	var undecrypted *undecryptedError
	return errors.As(err, &undecrypted)
}
