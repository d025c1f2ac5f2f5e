// Package lastpolicy finds the policy that the last monitor of a model ended with,
// for the one that comes after it.
package lastpolicy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"

	"github.com/modelvigil/modelvigil/workflows"
)

// Server is what a Finder asks; a client of Temporal's is one.
type Server interface {
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool,
		filter enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// maxReading is how many histories are read at once, of some MiB each: where a whole
// fleet was terminated, all of it is raised at once.
const maxReading = 8

// Finder looks for last policies. It is safe for concurrent use.
type Finder struct {
	server  Server
	data    converter.DataConverter
	roll    roll
	reading chan struct{}
}

// New returns a Finder. data is how the monitors' workers write payloads.
func New(server Server, data converter.DataConverter) *Finder {
	return &Finder{
		server: server, data: data, reading: make(chan struct{}, maxReading),
		roll: roll{server: server, turn: make(chan struct{}, 1)},
	}
}

// Register lets the monitors of a worker look for the policies of earlier ones.
func Register(w worker.ActivityRegistry, server Server, data converter.DataConverter) {
	w.RegisterActivityWithOptions(New(server, data).Find, activity.RegisterOptions{Name: workflows.LastPolicyActivity})
}

// Find is the activity: it returns what the last monitor of the model has left. A run
// whose argument made no sense watched nothing, and is passed over.
func (f *Finder) Find(ctx context.Context, successor workflows.Successor) (workflows.LastPolicy, error) {
	runs, err := f.roll.runsOf(ctx, successor.WorkflowID)
	if err != nil {
		return workflows.LastPolicy{}, fmt.Errorf("look for earlier monitors: %w", err)
	}

	slices.SortFunc(runs, func(a, b run) int { return b.started.Compare(a.started) })
	for _, earlier := range runs {
		if earlier.id == successor.RunID {
			continue
		}

		found, err := f.read(ctx, successor.WorkflowID, earlier.id)
		var gone *serviceerror.NotFound
		switch {
		case errors.As(err, &gone): // it is deleted, and still listed
		case err != nil:
			return workflows.LastPolicy{}, fmt.Errorf("read the history of the last monitor, run %s: %w", earlier.id, err)
		case found.machine == nil: // its argument made no sense
		case found.firstRunID == successor.FirstRunID: // the successor was reset from it
		default:
			policy, err := json.Marshal(found.machine.State().Policy)
			return workflows.LastPolicy{RunID: found.runID, Ended: found.ended, Policy: policy}, err
		}
	}

	return workflows.LastPolicy{}, nil
}

// read reads a run, and those that it has continued as: what is listed lags behind.
func (f *Finder) read(ctx context.Context, workflowID, runID string) (*reader, error) {
	select {
	case f.reading <- struct{}{}:
		defer func() { <-f.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	for {
		r := newReader(f.data, runID)
		events := f.server.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			if err == nil {
				err = r.read(event)
			}
			if err != nil {
				return nil, err
			}
		}

		if r.continuedAs == "" {
			return r, nil
		}

		runID = r.continuedAs
	}
}
