package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/modelvigil/modelvigil/contract"
)

// Of many policies one names a backend that the worker doesn't have: none is put in
// force, no monitor is started, and the one that runs goes on as it was.
func TestARefusedApplyChangesNothingAndStartsNothing(t *testing.T) {
	t.Parallel()
	const queue = "apply-refused"
	startWorker(t, queue)
	mustStarter(t, queue, "model_name: refused-running\ncooldown: 2h\n", "apply", "-")
	file := filepath.Join(t.TempDir(), "policies.yaml")
	require.NoError(t, os.WriteFile(file, []byte("model_name: refused-running\ncooldown: 3h\n---\nmodel_name: refused-good\n---\n"+
		"model_name: refused-bad\nretraining: {backend: webhook}\nnotify: [{channel: pager}]\n"), 0o600))

	for _, further := range [][]string{nil, {"--dry-run"}, {"-o", "json"}} {
		stdout, stderr, code := starter(t, queue, "", append([]string{"apply", file}, further...)...)

		assert.Equal(t, 1, code, stdout)
		assert.Contains(t, stderr, `document 3: set-policy refused: retraining.backend: the worker has no "webhook", only log; correct the name, or configure the worker: MODELOPS_WEBHOOK_URL`)
		assert.Contains(t, stderr, "notify[0].channel: ")
		assert.Contains(t, stderr, "nothing is applied")
		for _, model := range []string{"refused-good", "refused-bad"} {
			_, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), "")
			assert.ErrorAs(t, err, new(*serviceerror.NotFound), model)
		}
		assert.EqualValues(t, 2*time.Hour, status(t, "refused-running").Policy.Cooldown.Or(0))
	}
}

func TestApplyWithoutAWorkerSaysWhatItWaitsForAndStartsNoMonitor(t *testing.T) {
	t.Parallel()
	const queue = "apply-alone"

	_, stderr, code := starter(t, queue, "model_name: apply-alone\n", "apply", "-", "--timeout", "5s")

	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "waiting for a worker: at task queue apply-alone of namespace default at "+server.FrontendHostPort()+" no worker is there")
	assert.Contains(t, stderr, "start one with TASK_QUEUE=apply-alone")
	_, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID("apply-alone"), "")
	assert.ErrorAs(t, err, new(*serviceerror.NotFound))
}
