package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/monitor"
)

// sendAgain is the pause before an update that met a failing task is sent again.
const sendAgain = 100 * time.Millisecond

// carryOut sends an update until it has an answer, and reads that. A workflow task that
// fails takes the updates with it that it was to answer, and tasks do fail when signals
// come while a run hands on to its successor. Each send has the same update id, by which
// a monitor knows what it has carried out already.
func carryOut(ctx context.Context, answer any, send func() (client.WorkflowUpdateHandle, error)) error {
	for {
		handle, err := send()
		if err == nil {
			err = handle.Get(ctx, answer)
		}
		var notReady *serviceerror.WorkflowNotReady
		if !errors.As(err, &notReady) {
			return err
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sendAgain):
		}
	}
}

// updateResult is an update's answer, and all of it as it came.
type updateResult struct {
	monitor.UpdateResult
	wire json.RawMessage
}

// MarshalJSON is the wire form exactly.
func (r updateResult) MarshalJSON() ([]byte, error) { return r.wire, nil }

// UnmarshalJSON keeps the wire form.
func (r *updateResult) UnmarshalJSON(wire []byte) error {
	r.wire = json.RawMessage(append([]byte{}, wire...))
	return json.Unmarshal(wire, &r.UpdateResult)
}
