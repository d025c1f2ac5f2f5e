package workflows

import (
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/seal"
)

// received is an update that has arrived, to be held to what its seal says. One that was
// sealed before since may have been carried out and forgotten.
func received(ctx workflow.Context, update string, since time.Time) seal.Received {
	return seal.Received{
		Workflow: workflow.GetInfo(ctx).WorkflowExecution.ID, Update: update, ID: updateID(ctx),
		Now: workflow.Now(ctx), Since: since,
	}
}

// registerSealed registers an update of a workflow that remembers no ids: what it is
// sent has to be sealed for it, where anything is sealed. What history has accepted is
// carried out, however it was sealed.
func registerSealed[In, Out any](
	ctx workflow.Context, name, description string, check func(In) error, handle func(workflow.Context, In) (Out, error),
) error {
	validator := func(ctx workflow.Context, raw converter.RawValue) error {
		in, err := decodeArgument[In](raw)
		if err == nil {
			err = received(ctx, name, time.Time{}).Check(raw.Payload())
		}
		if err == nil {
			err = check(in)
		}
		return refused(name, err)
	}

	handler := func(ctx workflow.Context, raw converter.RawValue) (Out, error) {
		in, err := decodeArgument[In](raw)
		if err != nil {
			var none Out
			return none, refused(name, err)
		}
		return handle(ctx, in)
	}

	return workflow.SetUpdateHandlerWithOptions(ctx, name, handler, workflow.UpdateHandlerOptions{Description: description, Validator: validator})
}

// decodeArgument reads an argument of JSON; none is the zero value.
func decodeArgument[In any](raw converter.RawValue) (in In, err error) {
	payload, err := jsonOf(raw)
	if err == nil && payload != nil {
		err = json.Unmarshal(payload, &in)
	}
	if err != nil {
		return in, fmt.Errorf("argument: %w", err)
	}
	return in, nil
}

// needsSeal says whether this run takes sealed signals alone. What the worker is told is
// recorded when the run begins: a replay takes the signals that were taken, whatever the
// worker is told by then.
func (m *monitorRun) needsSeal(ctx workflow.Context) (needs bool) {
	encoded := workflow.SideEffect(ctx, func(workflow.Context) any { return m.worker.NeedsSeal })
	return encoded.Get(&needs) == nil && needs
}

// unlessPlain is a signal as it is to be taken: one in the clear is unreadable where all
// have to be sealed.
func (m *monitorRun) unlessPlain(raw converter.RawValue) converter.RawValue {
	payload := raw.Payload()
	_, isUndecrypted := payload.GetMetadata()[contract.MetadataUndecrypted]
	if !m.sealedOnly || payload == nil || isUndecrypted || seal.IsSealed(payload) {
		return raw
	}

	marked := proto.CloneOf(payload)
	if marked.Metadata == nil {
		marked.Metadata = map[string][]byte{}
	}
	marked.Metadata[contract.MetadataUndecrypted] = []byte(seal.ErrPlain.Error())
	return converter.NewRawValue(marked)
}
