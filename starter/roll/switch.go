package roll

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// Version is a build of a deployment.
type Version struct{ Deployment, Build string }

// Switch makes a version the current one, once its workers poll every queue.
func (f *Fleet) Switch(ctx context.Context, to Version) error {
	handle := f.Client.WorkerDeploymentClient().GetHandle(to.Deployment)
	bounded, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	from := "workers without a build"
	if before, err := handle.Describe(bounded, client.WorkerDeploymentDescribeOptions{}); err == nil {
		if current := before.Info.RoutingConfig.CurrentVersion; current != nil {
			from = current.BuildID
		}
	}

	for {
		_, err := handle.SetCurrentVersion(bounded, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: to.Build})
		if err == nil {
			_, err = fmt.Fprintf(f.Out, "%s: monitors go on with %s from their next task, after %s\n",
				plain.Text(to.Deployment), plain.Text(to.Build), plain.Text(from))
			return err
		}

		var missing *serviceerror.NotFound
		var lacking *serviceerror.FailedPrecondition
		var slow *serviceerror.DeadlineExceeded // of one call: a busy server takes longer
		comes := errors.As(err, &missing) || errors.As(err, &lacking) || errors.As(err, &slow)
		if !comes && bounded.Err() == nil {
			return f.Explain(ctx, fmt.Errorf("make %s the current build of %s: %w", plain.Text(to.Build), plain.Text(to.Deployment), err))
		}

		select {
		case <-bounded.Done():
			return fmt.Errorf("no workers of build %s poll all queues of deployment %s within %v: %s; are they running, with TEMPORAL_DEPLOYMENT_NAME=%[2]s and TEMPORAL_WORKER_BUILD_ID=%[1]s?",
				plain.Text(to.Build), plain.Text(to.Deployment), f.Timeout, plain.Text(err.Error()))
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// Unpin lets those who are pinned to another version go on with the current one at their
// next task, as if they had never been pinned. What they continue as is pinned again.
func (f *Fleet) Unpin(ctx context.Context, monitors []Monitor, to Version) error {
	var unpinned atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(callsAtOnce)
	for _, m := range left(monitors, to) {
		group.Go(func() error {
			bounded, cancel := context.WithTimeout(groupCtx, f.Timeout)
			defer cancel()
			_, err := f.Client.UpdateWorkflowExecutionOptions(bounded, client.UpdateWorkflowExecutionOptionsRequest{
				WorkflowId: m.WorkflowID, RunId: m.RunID,
				WorkflowExecutionOptionsChanges: client.WorkflowExecutionOptionsChanges{
					VersioningOverride: &client.VersioningOverrideChange{Value: &client.AutoUpgradeVersioningOverride{}},
				},
			})
			ended := new(serviceerror.NotFound)
			switch {
			case errors.As(err, &ended): // which is the other way to get off a pin
				return nil
			case err != nil:
				return f.Explain(ctx, fmt.Errorf("take the monitor of %q off build %s: %w", plain.Text(m.ModelName), plain.Text(m.Build), err))
			}
			unpinned.Add(1)
			return nil
		})
	}

	if err := group.Wait(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(f.Out, "%s taken off other builds\n", plain.CountIs(int(unpinned.Load()), "monitor"))
	return err
}

// Tell says who is still pinned to other versions, which is who their workers are needed for.
func (f *Fleet) Tell(monitors []Monitor, to Version) error {
	byBuild := map[string]int{}
	for _, m := range left(monitors, to) {
		byBuild[m.Build]++
	}
	if len(byBuild) == 0 {
		_, err := fmt.Fprintf(f.Out, "%s, none pinned to another build; workers of other builds may stop in a minute, when calls under way are done\n",
			plain.Count(int64(len(monitors)), "monitor"))
		return err
	}

	var counts []string
	for _, build := range slices.Sorted(maps.Keys(byBuild)) {
		counts = append(counts, fmt.Sprintf("%d to %s", byBuild[build], plain.Text(build)))
	}
	_, err := fmt.Fprintf(f.Out, "%s, still pinned: %s; each hands on within 5 minutes of its next task, and within a day if it has none. "+
		"Leave the workers of these builds up until `modelvigil roll %s` names them no more\n",
		plain.Count(int64(len(monitors)), "monitor"), strings.Join(counts, ", "), plain.Text(to.Build))
	return err
}

// left are those that are pinned to another version.
func left(monitors []Monitor, to Version) (others []Monitor) {
	for _, m := range monitors {
		if m.IsPinned && (Version{m.Deployment, m.Build}) != to {
			others = append(others, m)
		}
	}
	return others
}
