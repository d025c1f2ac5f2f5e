package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
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
	{"workflows/monitor.go", "		m.perform(ctx, wants)\n", `		if workflow.GetVersion(ctx, "next", workflow.DefaultVersion, 1) == 1 {
			_ = workflow.SideEffect(ctx, func(workflow.Context) any { return "next" })
		}
		m.perform(ctx, wants)
`},
}

// brokenRelease forgets the version.
var brokenRelease = []edit{{"workflows/monitor.go", "		m.perform(ctx, wants)\n", `		_ = workflow.NewTimer(ctx, time.Hour)
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
	t.Setenv("TEMPORAL_DEPLOYMENT_NAME", queue)
	nextWorker, nextStarter := buildWith(t, nextRelease...)
	_, brokenStarter := buildWith(t, brokenRelease...)
	tr := startPipeline(t)
	env := append(environment(queue), append(webhookEnv(tr), "LOG_LEVEL=error")...)
	run := func(path, build string) *process {
		return start(t, path, nil, append(env, "TEMPORAL_WORKER_BUILD_ID="+build, "LISTEN_ADDRESS="+freeAddress(t))...)
	}
	say := func(path string, args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), path, patient(args)...)
		cmd.Env = append(os.Environ(), env...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	mustSay := func(path string, args ...string) string {
		t.Helper()
		out, code := say(path, args...)
		require.Zero(t, code, out)
		return out
	}
	run(workerPath, "one")
	assert.Contains(t, mustSay(starterPath, "roll", "one"), "go on with one from their next task, after workers without a build")

	// The load: events by a hub, one breach each second, until the end.
	h := hub.New(server.Client(), hub.Options{TaskQueue: queue})
	var published [models]atomic.Int64
	var work sync.WaitGroup
	done := make(chan struct{})
	finish := sync.OnceFunc(func() {
		close(done)
		work.Wait()
	})
	t.Cleanup(finish) // also where the test fails before
	work.Go(func() {  // healthy digests go more often than they have to
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				assert.NoError(t, h.Flush(context.Background()))
			case <-done:
				return
			}
		}
	})
	work.Go(func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			event := metric.NewEvent(upgraded(i%models), "v1", 0.95, 120, 0.02)
			if i%800 < models {
				event.Accuracy = metric.Some(0.5)
			}
			if assert.NoError(t, h.Publish(context.Background(), event)) {
				published[i%models].Add(1)
			}
			select {
			case <-ticker.C:
			case <-done:
				return
			}
		}
	})
	counted := func(model string) int64 { return status(t, model).Events }
	goesOn := func(what string) {
		t.Helper()
		for m := range models {
			before := published[m].Load()
			patience.Until(t, what, func() bool { return counted(upgraded(m)) > before })
		}
	}
	goesOn("build one counts")

	// A release that would fork histories is not rolled to. Visibility lists monitors a
	// moment after they have begun.
	patience.Until(t, "all are listed", func() bool { return len(find(t, "TaskQueue = '"+queue+"'")) == models })
	out, code := say(brokenStarter, "roll", "broken")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "4 of 4 monitors replayed could not go on with this build")

	// The next one is, and back: histories that it has touched replay by a version it recorded.
	next := run(nextWorker, "two")
	assert.Contains(t, mustSay(nextStarter, "roll", "two"), "go on with two from their next task, after one")
	goesOn("build two counts")
	assert.Equal(t, []int{1, 2, 3}, status(t, upgraded(0)).BatchVersions, "hubs may now send what build two reads")

	// A state that the next release wrote blocks the older one, and nothing is lost meanwhile.
	for m := range models {
		before := described(t, upgraded(m)).GetRunId()
		patience.Until(t, "it has continued as new", func() bool {
			for range 100 {
				require.NoError(t, signalUntilTaken(t.Context(), upgraded(m), contract.SignalMetric, json.RawMessage("[]")))
			}
			return described(t, upgraded(m)).GetRunId() != before
		})
	}
	out, code = say(starterPath, "roll", "one")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "state: version 2, but this worker reads up to 1; run the newer worker")
	mustSay(starterPath, "roll", "one", "--replay", "0") // by force
	next.kill()
	patience.Until(t, "build one is stuck", func() bool {
		return strings.Contains(strings.Join(tasksFailed(t, upgraded(0)), "\n"), "state: version 2, but this worker reads up to 1")
	})
	run(nextWorker, "two")
	mustSay(nextStarter, "roll", "two")
	goesOn("build two goes on")

	finish()
	require.NoError(t, h.Close(t.Context()))
	for m := range models {
		s := until(t, upgraded(m), "the last batch is handled", func(s monitor.Status) bool { return s.Events >= published[m].Load() })
		assert.Equal(t, published[m].Load(), s.Events, upgraded(m))
		assert.Zero(t, s.Gaps)
		assert.EqualValues(t, 1, s.Retrainings.Requested, "one in the cooldown, by whichever build")
		for _, cause := range tasksFailed(t, upgraded(m)) {
			assert.NotContains(t, cause, "NON_DETERMINISTIC", upgraded(m))
		}
	}
	assert.Len(t, tr.asked(), models)
}

func upgraded(m int) string { return fmt.Sprintf("upgrade-%d", m) }
