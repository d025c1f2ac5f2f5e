// Package roll hands monitors from one build of the workers to another: it finds them, replays
// their histories, makes a build the current one, and tells whom the builds of before still have.
package roll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/workflows/lastpolicy"
	"github.com/modelvigil/modelvigil/workflows/replay"
)

const (
	// lookPause is the time from one look at the list of monitors to the next.
	lookPause = time.Second
	// callsAtOnce bounds questions to the server, and the histories that are in memory.
	callsAtOnce = 8
)

// Fleet is the monitors of one task queue, as they are to be rolled.
type Fleet struct {
	Client               client.Client
	Codec                replay.Codec
	Namespace, TaskQueue string
	Timeout              time.Duration // of one wait for the server or a worker, above zero
	// Expected is how many monitors are known to run, by somebody who needs no list for it;
	// 0: nobody has said. As long as fewer are seen, nothing is decided.
	Expected int
	// Explain says what an error of the server means, and what to do.
	Explain func(ctx context.Context, err error) error
	Out     io.Writer
}

// Monitor is one that runs, as its own record at the server says.
type Monitor struct {
	ModelName, WorkflowID, RunID string
	Version                           // of its last task; empty: of a worker without a build
	IsPinned                     bool // to that build, until it continues as new
	IsBeginning                  bool // no task of its run is completed yet
	IsFailing                    bool // the task that is to be done was tried before
}

// Monitors are the monitors that run, by name.
//
// Lists lag: the server writes them some time after the fact, one shard behind another. So
// the list is only where to ask: until it holds no more from one look to the next, and
// with the runs of the last minutes that have continued as new, whose successors may
// not be in it yet. What runs, and by which build, each monitor's own record says. If it is
// fewer than expected, that is an error once the timeout is over.
func (f *Fleet) Monitors(ctx context.Context) ([]Monitor, error) {
	deadline := time.After(f.Timeout)
	known := map[string]bool{}
	var running []Monitor
	for isAsked, looks := false, 0; ; looks++ {
		before := len(known)
		if err := f.list(ctx, known); err != nil {
			return nil, err
		}

		grows := looks == 0 || len(known) > before
		isAsked = isAsked && !grows
		if !grows && !isAsked {
			var err error
			running, err = f.ask(ctx, known)
			if err != nil {
				return nil, err
			}
			isAsked = true
		}

		if isAsked && len(running) >= f.Expected {
			return running, nil
		}

		select {
		case <-ctx.Done():
			return nil, f.Explain(ctx, ctx.Err())
		case <-time.After(lookPause):
		case <-deadline:
			return nil, f.unseen(len(known), len(running), isAsked)
		}
	}
}

// unseen says what the timeout did not suffice for.
func (f *Fleet) unseen(listed, running int, isAsked bool) error {
	if !isAsked {
		return fmt.Errorf("the list of monitors, %d by now, still grew after %v; wait until the server is less busy, or allow more by --timeout", listed, f.Timeout)
	}
	return fmt.Errorf("%d of the %s expected were seen to run within %v: the server's list lags, or the others have ended; allow more by --timeout, or expect %[1]d",
		running, plain.Count(int64(f.Expected), "monitor"), f.Timeout)
}

// MayRun is the query for monitors that run, for all that a list knows: of the runs of the
// last minutes that have continued as new, the successors may not be listed yet.
func MayRun() string {
	return fmt.Sprintf("WorkflowType = '%s' AND (ExecutionStatus = 'Running' OR ExecutionStatus = 'ContinuedAsNew' AND CloseTime > '%s')",
		contract.WorkflowType, time.Now().Add(-lastpolicy.ListLag).UTC().Format(time.RFC3339))
}

// list adds the workflow ids of monitors that may run.
func (f *Fleet) list(ctx context.Context, known map[string]bool) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: f.Namespace, PageSize: 1000, Query: MayRun(),
	}
	for {
		bounded, cancel := context.WithTimeout(ctx, f.Timeout)
		answer, err := f.Client.ListWorkflow(bounded, request)
		cancel()
		if err != nil {
			return f.Explain(ctx, fmt.Errorf("list monitors: %w", err))
		}

		for _, listed := range answer.GetExecutions() {
			if listed.GetTaskQueue() == f.TaskQueue { // others are for other workers
				known[listed.GetExecution().GetWorkflowId()] = true
			}
		}

		request.NextPageToken = answer.GetNextPageToken()
		if len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

// ask asks for each monitor's own record, and returns those that run.
func (f *Fleet) ask(ctx context.Context, ids map[string]bool) (running []Monitor, err error) {
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(callsAtOnce)
	for id := range ids {
		group.Go(func() error {
			bounded, cancel := context.WithTimeout(groupCtx, f.Timeout)
			defer cancel()
			answer, err := f.Client.DescribeWorkflowExecution(bounded, id, "")
			ended := new(serviceerror.NotFound)
			switch {
			case errors.As(err, &ended): // and deleted, since it was listed
				return nil
			case err != nil:
				return f.Explain(ctx, fmt.Errorf("describe %s: %w", plain.Text(id), err))
			}

			info := answer.GetWorkflowExecutionInfo()
			if info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
				mu.Lock()
				defer mu.Unlock()
				m := MonitorOf(info)
				m.IsFailing = answer.GetPendingWorkflowTask().GetAttempt() > 1
				running = append(running, m)
			}
			return nil
		})
	}

	err = group.Wait()
	slices.SortFunc(running, func(a, b Monitor) int { return cmp.Compare(a.WorkflowID, b.WorkflowID) })
	return running, err
}

// MonitorOf is what the record of a monitor's run says.
func MonitorOf(info *workflowpb.WorkflowExecutionInfo) Monitor {
	versioning := info.GetVersioningInfo()
	m := Monitor{
		WorkflowID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(),
		Version:     Version{versioning.GetDeploymentVersion().GetDeploymentName(), versioning.GetDeploymentVersion().GetBuildId()},
		IsPinned:    versioning.GetBehavior() == enumspb.VERSIONING_BEHAVIOR_PINNED,
		IsBeginning: info.GetMostRecentWorkerVersionStamp() == nil, //nolint:staticcheck // deprecated, but nothing else tells: each completed task leaves one
	}
	m.ModelName, _ = contract.ModelName(m.WorkflowID) // empty where the id is nobody's

	if override := versioning.GetVersioningOverride(); override != nil { // an operator's
		m.IsPinned = override.GetPinned() != nil
	}
	return m
}
