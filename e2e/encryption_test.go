package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// keysFile writes a file of keys, of a byte each, the current one first.
func keysFile(t *testing.T, keys string) string {
	t.Helper()
	var lines strings.Builder
	for _, id := range keys {
		lines.WriteString(string(id) + ": " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(id)}, 32)) + "\n")
	}
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(lines.String()), 0o600))
	return path
}

// starterWith runs the built starter with further settings, and expects success.
func starterWith(t *testing.T, queue, stdin string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), starterPath, patient(args)...)
	cmd.Env, cmd.Stdin = append(append(os.Environ(), environment(queue)...), env...), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "starter %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// historyOf is everything that the server has of a model's run, as text.
func historyOf(t *testing.T, model string) string {
	t.Helper()
	var all strings.Builder
	history := server.Client().GetWorkflowHistory(t.Context(), contract.WorkflowID(model), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(t, err)
		text, err := protojson.Marshal(event)
		require.NoError(t, err)
		all.Write(text)
		all.WriteString("\n")
	}
	description, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
	require.NoError(t, err)
	text, err := protojson.Marshal(description)
	require.NoError(t, err)
	return all.String() + string(text)
}

// leaks says in what form the server could read a word: protojson shows data in base64.
func leaks(text, word string) bool {
	if strings.Contains(text, word) {
		return true
	}
	for offset := range 3 { // base64 of the word in the middle of something else
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + word))
		if middle := encoded[4 : len(encoded)-4]; strings.Contains(text, middle) {
			return true
		}
	}
	return false
}

func TestWithKeysTheServerReadsNothingAndEveryCommandStillDoes(t *testing.T) {
	t.Parallel()
	const queue, model = "encrypted", "encrypted"
	keys := "ENCRYPTION_KEYS_FILE=" + keysFile(t, "b")
	tr := startPipeline(t)
	startWorker(t, queue, append(webhookEnv(tr), keys)...)
	policy := "model_name: " + model + "\nrules: [{name: canary-rule, metric: canary_metric, below: 0.7}]\ncooldown: 1h\nretraining: {params: {where: canary-params}}\n"
	starterWith(t, queue, policy, []string{keys}, "apply", "-")
	starterWith(t, queue, `{"model_name": "encrypted", "model_version": "v1", "metrics": {"canary_metric": 0.5}}`+"\n", []string{keys}, "publish", "--file", "-")
	patience.Until(t, "the pipeline is asked", func() bool { return len(tr.asked()) == 1 })
	tr.finish()
	var s monitor.Status
	patience.Until(t, "the outcome is recorded", func() bool {
		require.NoError(t, json.Unmarshal([]byte(starterWith(t, queue, "", []string{keys}, "status", model, "-o", "json")), &s))
		return s.Retrainings.Succeeded == 1
	})
	starterWith(t, queue, "", []string{keys}, "pause", model, "--by", "ada", "--reason", "canary-reason")

	assert.Contains(t, starterWith(t, queue, "", []string{keys}, "explain", model), "canary_metric")
	assert.Contains(t, starterWith(t, queue, "", []string{keys}, "list"), "paused", "the memo is decrypted")
	again := starterWith(t, queue, policy, []string{keys}, "whatif", model, "--policy", "-", "-o", "json")
	assert.Contains(t, again, "canary_metric 0.5000 below threshold 0.7000")

	seen := historyOf(t, model)
	for _, canary := range []string{"canary-rule", "canary_metric", "canary-params", "canary-reason", "below threshold"} {
		assert.False(t, leaks(seen, canary), "the server sees %s", canary)
	}

	t.Run("the Temporal CLI reads it through the codec server, and other origins don't", func(t *testing.T) {
		address := freeAddress(t)
		start(t, starterPath, []string{"codec", "--listen", address, "--origin", "http://ui.example"}, keys)
		show := func() string {
			out, _ := exec.Command(temporalPath, "workflow", "show", "--address", server.FrontendHostPort(), "--workflow-id", contract.WorkflowID(model),
				"-o", "json", "--codec-endpoint", "http://"+address).CombinedOutput()
			return string(out)
		}
		patience.Until(t, "the CLI reads the history", func() bool { return leaks(show(), "canary_metric") })
		for origin, code := range map[string]int{"http://ui.example": http.StatusNoContent, "http://evil.example": http.StatusForbidden} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, "http://"+address+"/decode", nil)
			require.NoError(t, err)
			request.Header.Set("Origin", origin)
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			_ = response.Body.Close()
			assert.Equal(t, code, response.StatusCode, origin)
		}
	})
}

func TestAPayloadThatCannotBeDecryptedIsCountedAndExplained(t *testing.T) {
	t.Parallel()
	const queue, model = "undecrypted", "undecrypted"
	ours, theirs := "ENCRYPTION_KEYS_FILE="+keysFile(t, "o"), "ENCRYPTION_KEYS_FILE="+keysFile(t, "t")
	both := "ENCRYPTION_KEYS_FILE=" + keysFile(t, "ot")
	event := `{"model_name": "undecrypted", "accuracy": 0.95}` + "\n"

	// A worker without keys, or without the right one, does not end a monitor that it can't read.
	startWithout := startWorker(t, queue)
	starterWith(t, queue, event, []string{ours}, "publish", "--file", "-")
	patience.Until(t, "it has failed to read it", func() bool { return len(tasksFailed(t, model)) > 0 })
	description, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, description.GetWorkflowExecutionInfo().GetStatus())
	startWithout.kill()
	startWorker(t, queue, ours)
	told := func(env string) (s monitor.Status) {
		t.Helper()
		require.NoError(t, json.Unmarshal([]byte(starterWith(t, queue, "", []string{env}, "status", model, "-o", "json")), &s))
		return s
	}
	require.EqualValues(t, 1, told(ours).Events)

	starterWith(t, queue, event, []string{theirs}, "publish", "--file", "-") // acknowledged: the server can't tell
	var s monitor.Status
	patience.Until(t, "the signal is handled", func() bool { s = told(ours); return s.Rejected > 0 }) // and the publisher's farewell, where that comes by itself
	require.EqualValues(t, 1, s.Events)
	assert.Equal(t, `payload: encrypted with key "t", which is not among the keys here; add it to ENCRYPTION_KEYS_FILE`, s.Rejections[0].Reason)

	// What was written in the clear is still read, and so is what an older key wrote after a rotation.
	keys, err := encryption.Open(strings.TrimPrefix(both, "ENCRYPTION_KEYS_FILE="))
	require.NoError(t, err)
	options := client.Options{HostPort: server.FrontendHostPort(), Logger: quietLog}
	require.NoError(t, server.Client().SignalWorkflow(t.Context(), contract.WorkflowID(model), "", contract.SignalMetric, json.RawMessage(event)))
	keys.Apply(&options)
	ourClient, err := client.Dial(options)
	require.NoError(t, err)
	defer ourClient.Close()
	require.NoError(t, ourClient.SignalWorkflow(t.Context(), contract.WorkflowID(model), "", contract.SignalMetric, json.RawMessage(event)))
	patience.Until(t, "both are counted", func() bool { return told(ours).Events == 3 })
}

// refusedWith runs the built starter with further settings, and returns what it said.
func refusedWith(t *testing.T, queue string, env []string, args ...string) (output string, exitCode int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), starterPath, patient(args)...)
	cmd.Env = append(append(os.Environ(), environment(queue)...), env...)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}
