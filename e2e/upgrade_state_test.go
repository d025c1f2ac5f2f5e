package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
)

// A run hands on the state that its own build writes, whichever it began with: a pinned one of
// a newer build may hand on what the build that is rolled back to can't read.
func TestARollBackIsRefusedWhereWhatPinnedMonitorsHandOnCannotBeRead(t *testing.T) {
	patience.Long(t)
	const queue, model = "states", "states"
	isPinned := tellsPinnedRuns(t)
	oneWorker, oneStarter := buildWith(t, withinSeconds)
	twoWorker, twoStarter := buildWith(t, withinSeconds, nextRelease[0])
	tr := startPipeline(t)
	r := &rolling{t, append(environment(queue), append(webhookEnv(tr), "LOG_LEVEL=error", "TEMPORAL_DEPLOYMENT_NAME="+queue)...)}
	publishes := func() { r.says(oneStarter, "publish", "--model", model, "--version", "v1", "--accuracy", "0.95") }
	ends := func(build string) {
		t.Helper()
		patience.Until(t, "it is with "+build, func() bool {
			publishes()
			return versioningOf(t, model).GetDeploymentVersion().GetBuildId() == build
		})
	}
	r.starts(oneWorker, "one")
	r.says(oneStarter, "roll", "one")
	ends("one")
	r.starts(twoWorker, "two")
	r.says(twoStarter, "roll", "two", "--expect", "1")
	ends("two")
	assert.Equal(t, 2, status(t, model).StateVersion)

	if !isPinned { // the run began with a state of before, and goes on by replay
		r.says(oneStarter, "roll", "one", "--expect", "1")
		ends("one")
		return
	}

	for _, args := range [][]string{{"roll", "one", "--expect", "1"}, {"roll", "--check", "--expect", "1"}} {
		out, code := r.tries(oneStarter, args...)
		assert.Equal(t, 1, code)
		assert.Contains(t, out, "monitors pinned to two hand on a state of version 2, and this build reads up to 1")
		assert.NotContains(t, out, "can go on")
	}
	r.says(twoStarter, "roll", "--check")
	assert.Contains(t, r.says(oneStarter, "roll", "one", "--now", "--expect", "1"), "1 monitor is taken off other builds", "in time, it goes on by replay")
	ends("one")
	r.says(twoStarter, "roll", "two", "--expect", "1")
	ends("two")
	patience.Until(t, "what it continues as is pinned", func() bool {
		for range 100 {
			require.NoError(t, signalUntilTaken(t.Context(), model, contract.SignalMetric, json.RawMessage("[]")))
		}
		v := versioningOf(t, model)
		return v.GetVersioningOverride() == nil && v.GetBehavior() == enumspb.VERSIONING_BEHAVIOR_PINNED
	})

	// By force, it is blocked, which is said until a build that can read the state has it again.
	r.says(oneStarter, "roll", "one", "--replay", "0", "--expect", "1")
	patience.Until(t, "it is blocked", func() bool {
		publishes()
		return strings.Contains(strings.Join(tasksFailed(t, model), "\n"), "state: version 2, but this worker reads up to 1")
	})
	patience.Until(t, "its task is tried again", func() bool {
		out := r.says(oneStarter, "roll", "one", "--replay", "0", "--expect", "1")
		require.NotContains(t, out, "may stop")
		return strings.Contains(out, "1 monitor is failing at a task, such as that of \"states\"")
	})
	out, code := r.tries(oneStarter, "roll", "one", "--expect", "1")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "can't go on with this build: argument: state: version 2", "though no task of it is completed")
	r.says(twoStarter, "roll", "two", "--expect", "1")
	patience.Until(t, "build two has it again", func() bool {
		return strings.Contains(r.says(twoStarter, "roll", "two", "--expect", "1"), "none pinned to another build; workers of other builds may stop")
	})
}
