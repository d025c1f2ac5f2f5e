package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

func TestWhatEndedMonitorsKnewOutlivesTheWorkersOfTheirBuild(t *testing.T) {
	t.Parallel()
	const queue, stopped, terminated = "ended", "ended-stopped", "ended-terminated"
	env := []string{"LOG_LEVEL=warn", "TEMPORAL_DEPLOYMENT_NAME=" + queue}
	r := &rolling{t, append(environment(queue), env...)}
	one := startWorker(t, queue, append(env, "TEMPORAL_WORKER_BUILD_ID=one")...)
	r.says(starterPath, "roll", "one")
	answers := map[string]json.RawMessage{}
	for _, model := range []string{stopped, terminated} {
		r.says(starterPath, "publish", "--model", model, "--version", "v1", "--accuracy", "0.5")
		until(t, model, "it has decided", func(s monitor.Status) bool { return len(s.Decisions) > 0 && s.Current == nil })
	}
	r.says(starterPath, "stop", stopped)
	require.NoError(t, server.Client().TerminateWorkflow(t.Context(), contract.WorkflowID(terminated), "", "by a test"))
	for _, model := range []string{stopped, terminated} {
		value, err := server.Client().QueryWorkflow(t.Context(), contract.WorkflowID(model), "", contract.QueryStatus)
		require.NoError(t, err)
		var answer json.RawMessage
		require.NoError(t, value.Get(&answer))
		answers[model] = answer
	}

	one.terminate(t)
	for model, answer := range answers {
		assert.JSONEq(t, string(answer), r.says(starterPath, "status", model, "-o", "json"), "as the worker has answered")
		assert.Contains(t, r.says(starterPath, "explain", model), "ended")
	}
}

// What is pinned to a build whose workers are gone needs somebody to do something, which
// everything says that an operator looks at.
func TestABuildWhoseWorkersWereStoppedTooEarlyIsNamedWhereverSomebodyLooks(t *testing.T) {
	patience.Long(t)
	if !tellsPinnedRuns(t) {
		t.Skip("monitors are pinned to no build here")
	}
	const queue, model = "gone", "gone"
	env := []string{"LOG_LEVEL=warn", "TEMPORAL_DEPLOYMENT_NAME=" + queue}
	r := &rolling{t, append(environment(queue), env...)}
	one := startWorker(t, queue, append(env, "TEMPORAL_WORKER_BUILD_ID=one")...)
	r.says(starterPath, "roll", "one")
	r.says(starterPath, "publish", "--model", model, "--version", "v1", "--accuracy", "0.95")
	until(t, model, "it counts", func(s monitor.Status) bool { return s.Events == 1 })
	startWorker(t, queue, append(env, "TEMPORAL_WORKER_BUILD_ID=two")...)
	assert.Contains(t, r.says(starterPath, "roll", "two", "--expect", "1"), "1 to one; each hands on within 5 minutes")
	one.terminate(t)

	const says, does = "build one has no worker", "`modelvigil roll two --now`"
	patience.Until(t, "a roll names the build", func() bool { // it asks in vain while the server still lists the worker
		out, code := r.tries(starterPath, "roll", "two", "--expect", "1")
		return code == 0 && strings.Contains(out, says) && strings.Contains(out, does) && !strings.Contains(out, "each hands on")
	})
	for _, args := range [][]string{{"status", model}, {"explain", model}, {"pause", model}, {"doctor"}} {
		cmd := slices.Concat(args, []string{"--timeout", "5s"})
		out, code := r.tries(starterPath, cmd...)
		assert.Equal(t, 1, code, out)
		assert.Contains(t, out, says, args[0])
		assert.Contains(t, out, does, args[0])
	}

	r.says(starterPath, "roll", "two", "--now", "--expect", "1")
	until(t, model, "it goes on", func(s monitor.Status) bool { return s.Paused != nil })
	r.says(starterPath, "doctor")
}
