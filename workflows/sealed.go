package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/internal/seal"
)

// received is an update that has arrived, to be held to what its seal says.
func (m *watch) received(ctx workflow.Context, update string) seal.Received {
	return seal.Received{
		Workflow: workflow.GetInfo(ctx).WorkflowExecution.ID, Update: update, ID: updateID(ctx),
		Now: workflow.Now(ctx), Since: m.machine.RememberedSince(),
	}
}
