package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
)

// edit is a change of the source that a build is made with.
type edit struct{ file, before, after string }

// buildWith builds worker and starter from the source with some edits, which the
// tree itself does not get.
func buildWith(t *testing.T, edits ...edit) (worker, starter string) {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	replaced := map[string]string{}
	for i, e := range edits {
		path := filepath.Join(root, e.file)
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		if earlier := replaced[path]; earlier != "" {
			source, err = os.ReadFile(earlier)
			require.NoError(t, err)
		}
		require.Equal(t, 1, strings.Count(string(source), e.before), "%s in %s", e.before, e.file)
		replaced[path] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		require.NoError(t, os.WriteFile(replaced[path], []byte(strings.Replace(string(source), e.before, e.after, 1)), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))
	out, err := exec.Command("go", "build", "-overlay", file, "-o", dir+"/", "../worker", "../starter").CombinedOutput()
	require.NoError(t, err, string(out))
	return filepath.Join(dir, "worker"), filepath.Join(dir, "starter")
}

// nextRelease is what a later release may do: it records something new in a
// history, behind a version, writes a newer state and takes newer batches.
var nextRelease = []edit{
	{"monitor/state.go", "const StateVersion = 1", "const StateVersion = 2"},
	{"metric/batch.go", "return []int{1, 2}", "return []int{1, 2, 3}"},
	{"workflows/monitor.go", "	m.perform(ctx, wants)\n", `	if workflow.GetVersion(ctx, "next", workflow.DefaultVersion, 1) == 1 {
		_ = workflow.SideEffect(ctx, func(workflow.Context) any { return "next" })
	}
	m.perform(ctx, wants)
`},
}

// brokenRelease forgets the version.
var brokenRelease = []edit{{"workflows/monitor.go", "	m.perform(ctx, wants)\n", `	_ = workflow.NewTimer(ctx, time.Hour)
	m.perform(ctx, wants)
`}}

// tasksFailed are the causes for which a model's workflow tasks failed, over all its runs.
func tasksFailed(t *testing.T, model string) (causes []string) {
	t.Helper()
	for run := ""; ; {
		history := server.Client().GetWorkflowHistory(t.Context(), contract.WorkflowID(model), run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		run = ""
		for history.HasNext() {
			event, err := history.Next()
			require.NoError(t, err)
			if started := event.GetWorkflowExecutionStartedEventAttributes(); started != nil {
				run = started.GetContinuedExecutionRunId()
			}
			if failed := event.GetWorkflowTaskFailedEventAttributes(); failed != nil {
				causes = append(causes, failed.GetCause().String()+": "+failed.GetFailure().GetMessage())
			}
		}
		if run == "" {
			return causes
		}
	}
}

func TestAnUpgradeUnderLoadLosesNothingAndForksNoHistory(t *testing.T) {
	patience.Long(t)
	const queue, models = "upgrade", 4
	nextWorker, nextStarter := buildWith(t, nextRelease...)
	_, brokenStarter := buildWith(t, brokenRelease...)
	tr := startPipeline(t)
	r := &rolling{t, append(environment(queue), append(webhookEnv(tr), "LOG_LEVEL=error", "TEMPORAL_DEPLOYMENT_NAME="+queue, "VERSIONING_BEHAVIOR=auto-upgrade")...)}
	r.starts(workerPath, "one")
	assert.Contains(t, r.says(starterPath, "roll", "one"), "one is the current build of upgrade, after workers without a build")

	l := startLoad(t, queue, models)
	l.goesOn("build one counts")

	// A release that would fork histories is not rolled to.
	out, code := r.tries(brokenStarter, "roll", "broken")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "4 of 4 monitors replayed could not go on with this build")

	// The next one is, and back: histories that it has touched replay by a version it recorded.
	next := r.starts(nextWorker, "two")
	assert.Contains(t, r.says(nextStarter, "roll", "two"), "two is the current build of upgrade, after one")
	l.goesOn("build two counts")
	assert.Equal(t, []int{1, 2, 3}, status(t, l.model(0)).BatchVersions, "hubs may now send what build two reads")

	// A state that the next release wrote blocks the older one, and nothing is lost meanwhile.
	for m := range models {
		before := described(t, l.model(m)).GetRunId()
		patience.Until(t, "it has continued as new", func() bool {
			for range 100 {
				require.NoError(t, signalUntilTaken(t.Context(), l.model(m), contract.SignalMetric, json.RawMessage("[]")))
			}
			return described(t, l.model(m)).GetRunId() != before
		})
	}
	out, code = r.tries(starterPath, "roll", "one")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "state: version 2, but this worker reads up to 1; run the newer worker")
	r.says(starterPath, "roll", "one", "--replay", "0") // by force
	next.kill()
	patience.Until(t, "build one is stuck", func() bool {
		return strings.Contains(strings.Join(tasksFailed(t, l.model(0)), "\n"), "state: version 2, but this worker reads up to 1")
	})
	r.starts(nextWorker, "two")
	r.says(nextStarter, "roll", "two")
	l.goesOn("build two goes on")

	l.isCountedOnce()
	assert.Len(t, tr.asked(), models)
}
