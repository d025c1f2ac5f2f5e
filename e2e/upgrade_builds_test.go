package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
)

// withinSeconds are builds whose pinned monitors hand on within seconds of a roll, so that a
// test has not to wait for minutes.
var withinSeconds = edit{"workflows/monitor.go", "moveSpread   = 4 * time.Minute", "moveSpread   = 5 * time.Second"}

// failingRelease fails the tasks of a run, but the first ones.
var failingRelease = edit{"workflows/monitor.go", "	m.perform(ctx, wants)\n", `	if workflow.GetInfo(ctx).GetCurrentHistoryLength() > 30 {
		panic("of build three")
	}
	m.perform(ctx, wants)
`}

// rolling is workers of several builds of one deployment, and what rolls between them.
type rolling struct {
	t   *testing.T
	env []string
}

// starts runs a worker of a build.
func (r *rolling) starts(path, build string) *process {
	r.t.Helper()
	return start(r.t, path, nil, append(r.env, "TEMPORAL_WORKER_BUILD_ID="+build, "LISTEN_ADDRESS="+freeAddress(r.t))...)
}

// says runs a command, which succeeds, and returns what it says.
func (r *rolling) says(path string, args ...string) string {
	r.t.Helper()
	out, code := r.tries(path, args...)
	require.Zero(r.t, code, out)
	return out
}

// tries runs a command and returns what it says, and its exit code.
func (r *rolling) tries(path string, args ...string) (string, int) {
	cmd := exec.CommandContext(r.t.Context(), path, patient(args)...)
	cmd.Env = append(os.Environ(), r.env...)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// versioningOf is by which build a model's monitor goes, as the server has it.
func versioningOf(t *testing.T, model string) *workflowpb.WorkflowExecutionVersioningInfo {
	t.Helper()
	answer, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
	require.NoError(t, err)
	return answer.GetWorkflowExecutionInfo().GetVersioningInfo()
}

// buildsOf are the builds that completed tasks of each run of a model's monitor, latest run first.
func buildsOf(t *testing.T, model string) (runs [][]string) {
	t.Helper()
	id := contract.WorkflowID(model)
	for run := described(t, model).GetRunId(); run != ""; {
		history := server.Client().GetWorkflowHistory(t.Context(), id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		run = ""
		var builds []string
		for history.HasNext() {
			event, err := history.Next()
			require.NoError(t, err)
			if started := event.GetWorkflowExecutionStartedEventAttributes(); started != nil {
				run = started.GetContinuedExecutionRunId()
			}
			if completed := event.GetWorkflowTaskCompletedEventAttributes(); completed != nil {
				builds = append(builds, completed.GetDeploymentVersion().GetBuildId())
			}
		}
		runs = append(runs, slices.Compact(builds))
	}
	return runs
}

// tellsPinnedRuns says that the server tells pinned runs of a roll, so that workers pin monitors.
func tellsPinnedRuns(t *testing.T) bool {
	t.Helper()
	info, err := server.Client().WorkflowService().GetSystemInfo(t.Context(), &workflowservice.GetSystemInfoRequest{})
	require.NoError(t, err)
	var major, minor int
	_, err = fmt.Sscanf(info.GetServerVersion(), "%d.%d.", &major, &minor)
	require.NoError(t, err, info.GetServerVersion())
	return major > 1 || minor >= 32
}

// Where the server tells pinned runs of a roll, no run has tasks of two builds: not even
// one of builds that could not replay each other's histories. Elsewhere monitors upgrade by
// replay, as any build of a release can.
func TestEveryMonitorEndsOnTheBuildThatWasRolledToAndBack(t *testing.T) {
	patience.Long(t)
	const queue, models = "builds", 4
	isPinned := tellsPinnedRuns(t)
	other := []edit{withinSeconds, nextRelease[1]}
	behavior := enumspb.VERSIONING_BEHAVIOR_AUTO_UPGRADE
	if isPinned {
		other = append(other, brokenRelease...)
		behavior = enumspb.VERSIONING_BEHAVIOR_PINNED
	}

	oneWorker, oneStarter := buildWith(t, withinSeconds)
	twoWorker, twoStarter := buildWith(t, other...)
	threeWorker, threeStarter := buildWith(t, withinSeconds, failingRelease)
	tr := startPipeline(t)
	r := &rolling{t, append(environment(queue), append(webhookEnv(tr), "LOG_LEVEL=warn", "TEMPORAL_DEPLOYMENT_NAME="+queue)...)}
	one := r.starts(oneWorker, "one")
	r.says(oneStarter, "roll", "one")
	l := startLoad(t, queue, models)
	l.goesOn("build one counts")

	ends := func(build string) {
		t.Helper()
		for m := range models {
			patience.Until(t, l.model(m)+" is with "+build, func() bool {
				v := versioningOf(t, l.model(m))
				return v.GetDeploymentVersion().GetBuildId() == build && v.GetBehavior() == behavior
			})
		}
		l.goesOn("build " + build + " counts")
	}
	ends("one")

	isLeftBy := func(build, path, to string) { // a roll to the current build says who is left
		t.Helper()
		patience.Until(t, "no monitor is pinned to "+build, func() bool {
			return strings.Contains(r.says(path, "roll", to, "--replay", "0", "--expect", "4"), "4 monitors, none pinned to another build")
		})
	}
	two := r.starts(twoWorker, "two")
	r.says(twoStarter, "roll", "two", "--replay", "0")
	ends("two")
	isLeftBy("one", twoStarter, "two")
	one.terminate(t)
	l.goesOn("build two counts alone")

	r.starts(oneWorker, "one")
	r.says(oneStarter, "roll", "one", "--replay", "0")
	ends("one")
	isLeftBy("two", oneStarter, "one")
	two.terminate(t)
	l.goesOn("build one counts alone")

	// A build whose tasks fail can't hand on, nor can one without a worker: what is pinned to
	// it is taken off it.
	three := r.starts(threeWorker, "three")
	out, code := r.tries(threeStarter, "roll", "three")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "can't go on with this build: of build three")
	r.says(threeStarter, "roll", "three", "--replay", "0") // by force
	for m := range models {
		patience.Until(t, l.model(m)+" fails", func() bool { return strings.Contains(strings.Join(tasksFailed(t, l.model(m)), "\n"), "of build three") })
	}
	three.terminate(t)
	r.says(oneStarter, "roll", "one", "--now")
	isLeftBy("three", oneStarter, "one")
	l.goesOn("build one counts after a rollback")

	l.isCountedOnce()
	assert.Len(t, tr.asked(), models)
	for m := range models {
		if !isPinned {
			break
		}
		for _, builds := range buildsOf(t, l.model(m)) {
			if !slices.Contains(builds, "three") { // of which they were taken off
				assert.Len(t, builds, 1, "a run stays with its build")
			}
		}
	}
}
