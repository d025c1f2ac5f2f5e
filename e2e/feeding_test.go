package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

const feedingExamples = "../examples/feeding"

// feedingSDKs is the directory of tools/feeding/install.sh.
func feedingSDKs(t *testing.T) string {
	t.Helper()
	home := os.Getenv("MODELVIGIL_FEEDING")
	if home == "" {
		t.Skip("MODELVIGIL_FEEDING names no directory with the SDKs of Python and Node; `make e2e-feeding` sets it")
	}
	return home
}

// feedProgram is an example of a plain Temporal client, as its reader runs it.
type feedProgram struct {
	command []string
	env     []string
	// publishArgs are what publish takes besides standard input.
	publishArgs func(model string) []string
}

func feedPrograms(t *testing.T) map[string]func(t *testing.T) feedProgram {
	home := feedingSDKs(t)
	none := func(string) []string { return nil }
	return map[string]func(t *testing.T) feedProgram{
		"Python": func(*testing.T) feedProgram {
			return feedProgram{[]string{filepath.Join(home, "python/bin/python"), filepath.Join(feedingExamples, "python/feed.py")}, []string{"PYTHONDONTWRITEBYTECODE=1"}, none}
		},
		"Node": func(t *testing.T) feedProgram { // which looks for modules beside the program
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(feedingExamples, "node"))))
			require.NoError(t, os.Symlink(filepath.Join(home, "node/node_modules"), filepath.Join(dir, "node_modules")))
			return feedProgram{[]string{"node", filepath.Join(dir, "feed.js")}, nil, none}
		},
		"temporal CLI": func(t *testing.T) feedProgram {
			dir := t.TempDir()
			require.NoError(t, os.Symlink(temporalPath, filepath.Join(dir, "temporal")))
			return feedProgram{[]string{filepath.Join(feedingExamples, "shell/feed.sh")}, []string{"PATH=" + dir + ":" + os.Getenv("PATH")}, func(model string) []string { return []string{model} }}
		},
	}
}

// run runs it to its end.
func (p feedProgram) run(t *testing.T, queue, stdin string, args ...string) (stdout, stderr string, exitCode int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.command[0], append(p.command[1:len(p.command):len(p.command)], args...)...)
	var out, errOut bytes.Buffer
	cmd.Env = append(append(os.Environ(), environment(queue)...), p.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	_ = cmd.Run()
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

func (p feedProgram) must(t *testing.T, queue, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := p.run(t, queue, stdin, args...)
	require.Zero(t, code, "%v\n%s%s", args, stdout, stderr)
	return stdout
}

// Each language feeds a model whose name needs encoding, reads the breach's
// decision, pauses, and is told when the monitor was stopped.
func TestFeedingFromPlainTemporalClients(t *testing.T) {
	t.Parallel()
	programs := feedPrograms(t)
	const queue = "feeding"
	startWorker(t, queue)
	for language, install := range programs {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			p := install(t)
			model := "fraud 100% é/" + language
			const healthy = 2_500 // more than two signals hold
			fed := p.must(t, queue, events(model, healthy, 0.95)+events(model, 1, 0.5), append([]string{"publish"}, p.publishArgs(model)...)...)
			assert.Contains(t, fed, fmt.Sprintf("published %d events", healthy+1))

			until(t, model, "every event is counted", func(s monitor.Status) bool { return s.Events == healthy+1 })
			var told monitor.Status
			require.NoError(t, json.Unmarshal(queryResult(t, p.must(t, queue, "", "status", model)), &told))
			assert.Equal(t, model, told.ModelName)
			assert.EqualValues(t, healthy+1, told.Events)
			assert.Zero(t, told.Rejected)
			assert.LessOrEqual(t, told.Signals, int64(4), "events are sent in arrays")
			require.NotEmpty(t, told.Decisions)
			assert.Equal(t, policy.Triggered, told.Decisions[0].Kind)
			assert.Equal(t, "accuracy 0.5000 below threshold 0.9000", told.Decisions[0].Reason)

			p.must(t, queue, "", "pause", model, `a "quoted" reason`)
			paused := until(t, model, "it is paused", func(s monitor.Status) bool { return s.Phase == contract.PhasePaused })
			assert.Equal(t, `a "quoted" reason`, paused.Paused.Reason)
			_, stderr, code := p.run(t, queue, "", "approve", model, "nothing waits")
			assert.NotZero(t, code)
			assert.Contains(t, stderr, "approv", "a refusal is told")

			p.must(t, queue, "", "stop", model, "retired")
			patience.Until(t, "it has stopped", func() bool {
				_, stderr, code = p.run(t, queue, events(model, 1, 0.9), append([]string{"publish"}, p.publishArgs(model)...)...)
				return code != 0
			})
			assert.Contains(t, stderr, "monitor stopped: "+model)
		})
	}
}

// events are lines of one model.
func events(model string, n int, accuracy float64) string {
	name, _ := json.Marshal(model)
	return strings.Repeat(fmt.Sprintf(`{"model_name": %s, "model_version": "v7", "accuracy": %v}`+"\n", name, accuracy), n)
}

// queryResult unwraps what the temporal CLI puts around an answer.
func queryResult(t *testing.T, output string) []byte {
	t.Helper()
	var wrapped struct{ QueryResult []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(output), &wrapped), output)
	if len(wrapped.QueryResult) == 1 {
		return wrapped.QueryResult[0]
	}
	return []byte(output)
}
