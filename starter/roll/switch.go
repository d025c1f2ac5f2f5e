package roll

import (
	"cmp"
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

// Switch makes a version the current one, once its workers poll every queue.
func (f *Fleet) Switch(ctx context.Context, to Version) error {
	handle := f.Client.WorkerDeploymentClient().GetHandle(to.Deployment)
	bounded, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	after := ", after workers without a build"
	if before, err := handle.Describe(bounded, client.WorkerDeploymentDescribeOptions{}); err == nil {
		if current := before.Info.RoutingConfig.CurrentVersion; current != nil {
			after = ", after " + plain.Text(current.BuildID)
			if current.BuildID == to.Build {
				after = " already"
			}
		}
	}

	for {
		_, err := handle.SetCurrentVersion(bounded, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: to.Build})
		if err == nil {
			_, err = fmt.Fprintf(f.Out, "%s is the current build of %s%s\n",
				plain.Text(to.Build), plain.Text(to.Deployment), after)
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

// Tell says who is still pinned to other versions, which is who their workers are needed for,
// and who can't go on as it is.
func (f *Fleet) Tell(ctx context.Context, monitors []Monitor, to Version) error {
	builds, err := f.builds(ctx)
	if err != nil {
		return err
	}

	byVersion := map[Version]int{}
	for _, m := range left(monitors, to) {
		byVersion[m.Version]++
	}
	says := []string{plain.Count(int64(len(monitors)), "monitor") + ", none pinned to another build"}
	if len(byVersion) > 0 {
		says = pinned(byVersion, &builds, to)
		says[0] = plain.Count(int64(len(monitors)), "monitor") + ", still pinned: " + says[0]
	}

	unsure := unsure(monitors)
	if len(byVersion) == 0 && len(unsure) == 0 {
		says[0] += "; workers of other builds may stop in a minute, when calls under way are done"
	}
	_, err = fmt.Fprintln(f.Out, strings.Join(append(says, unsure...), "\n"))
	return err
}

// pinned says how many monitors are pinned to which other versions, and in a line to each
// what becomes of them.
func pinned(byVersion map[Version]int, builds *Builds, to Version) (says []string) {
	versions := slices.SortedFunc(maps.Keys(byVersion), func(a, b Version) int {
		return cmp.Or(cmp.Compare(a.Build, b.Build), cmp.Compare(a.Deployment, b.Deployment))
	})
	var counts, lacks []string
	for _, v := range versions {
		counts = append(counts, fmt.Sprintf("%d to %s", byVersion[v], plain.Text(v.Build)))
		if lack := builds.Lack(v); lack != "" {
			lacks = append(lacks, lack)
		}
	}

	says = append(says, strings.Join(counts, ", "))
	if len(lacks) < len(versions) {
		says[0] += fmt.Sprintf("; each hands on within 5 minutes of its next task, and within a day if it has none. "+
			"Leave the workers of these builds up until `modelvigil roll %s` names them no more", plain.Text(to.Build))
	}
	return append(says, lacks...)
}

// unsure says whose tasks fail, and who has not done one yet: a run that another build has
// handed on is pinned to none before, and the build that it gets may not be able to read it.
func unsure(monitors []Monitor) (says []string) {
	var failing, beginning []Monitor
	for _, m := range monitors {
		switch {
		case m.IsFailing:
			failing = append(failing, m)
		case m.IsBeginning:
			beginning = append(beginning, m)
		}
	}

	if len(failing) > 0 {
		says = append(says, fmt.Sprintf("%s failing at a task, such as that of %q: the log of its worker says why; leave the workers of other builds up until one can do it",
			plain.CountIs(len(failing), "monitor"), plain.Text(failing[0].ModelName)))
	}
	if len(beginning) > 0 {
		says = append(says, fmt.Sprintf("%s about to begin, such as that of %q; say it again to see that the build can go on with it",
			plain.CountIs(len(beginning), "monitor"), plain.Text(beginning[0].ModelName)))
	}
	return says
}

// left are those that are pinned to another version.
func left(monitors []Monitor, to Version) (others []Monitor) {
	for _, m := range monitors {
		if m.IsPinned && m.Version != to {
			others = append(others, m)
		}
	}
	return others
}
