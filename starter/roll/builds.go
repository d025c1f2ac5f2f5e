package roll

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// Version is a build of a deployment.
type Version struct{ Deployment, Build string }

// Builds are those whose workers are there for the monitors of a task queue.
type Builds struct {
	current string // empty: workers without a build get what is new
	polling map[Version]bool
}

// BuildsOf asks the server which builds' workers poll a task queue.
func BuildsOf(ctx context.Context, c client.Client, namespace, queue string) (Builds, error) {
	answer, err := c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue}, TaskQueueType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
	})
	if err != nil {
		return Builds{}, err
	}

	b := Builds{current: answer.GetVersioningInfo().GetCurrentDeploymentVersion().GetBuildId(), polling: map[Version]bool{}}
	for _, poller := range Living(answer.GetPollers(), time.Now()) {
		b.polling[Version{poller.GetDeploymentOptions().GetDeploymentName(), poller.GetDeploymentOptions().GetBuildId()}] = true
	}
	return b, nil
}

// pollsEvery is how often a worker that has nothing to do asks anew, at the least: the
// server ends a long poll after 59 s (temporalio/temporal, MatchingLongPollExpirationInterval
// less a second). It names pollers for five minutes after their last poll.
const pollsEvery = time.Minute

// Living are the pollers that have asked for work of late.
func Living(pollers []*taskqueuepb.PollerInfo, now time.Time) (living []*taskqueuepb.PollerInfo) {
	for _, poller := range pollers {
		if now.Sub(poller.GetLastAccessTime().AsTime()) <= pollsEvery {
			living = append(living, poller)
		}
	}
	return living
}

func (f *Fleet) builds(ctx context.Context) (Builds, error) {
	bounded, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	builds, err := BuildsOf(bounded, f.Client, f.Namespace, f.TaskQueue)
	if err != nil {
		return Builds{}, f.Explain(ctx, fmt.Errorf("ask for the workers of task queue %s: %w", plain.Text(f.TaskQueue), err))
	}
	return builds, nil
}

// Lack says what to do for monitors that are pinned to a version that has no worker; it
// is empty where there is one.
func (b *Builds) Lack(v Version) string {
	if b.polling[v] {
		return ""
	}
	to := "BUILD"
	if b.current != "" && b.current != v.Build {
		to = b.current
	}
	return fmt.Sprintf("build %s has no worker, and no other build's can go on with what is pinned to it: start one with TEMPORAL_WORKER_BUILD_ID=%[1]s, "+
		"or take its monitors off it by `modelvigil roll %s --now`", plain.Text(v.Build), plain.Text(to))
}

// PinnedTo is the version that the server's list of workflows says a monitor is pinned to;
// empty, where it is to none.
func PinnedTo(listed *workflowpb.WorkflowExecutionInfo) (v Version) {
	var behavior, version string
	fields := listed.GetSearchAttributes().GetIndexedFields()
	for name, into := range map[string]*string{"TemporalWorkflowVersioningBehavior": &behavior, "TemporalWorkerDeploymentVersion": &version} {
		_ = converter.GetDefaultDataConverter().FromPayload(cmp.Or(fields[name], &commonpb.Payload{}), into) // else it stays empty
	}
	if behavior == "Pinned" {
		v.Deployment, v.Build, _ = strings.Cut(version, ":")
	}
	return v
}
