package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Two instances of one kind, and a workflow as a trainer: each model is retrained
// by the one that its policy names, and a name that nobody knows is refused before
// anything depends on it.
func TestEachPolicyIsRetrainedByTheBackendItNames(t *testing.T) {
	t.Parallel()
	const queue, training = "named", "named-training"
	here, there := startPipeline(t), startPipeline(t)
	file := filepath.Join(t.TempDir(), "backends.yaml")
	require.NoError(t, os.WriteFile(file, []byte(
		"here: {kind: webhook, url: "+here.URL+"/retrainings, secret: {env: HOOK_KEY}}\n"+
			"there: {kind: webhook, url: "+there.URL+"/retrainings}\n"+
			"trainer: {kind: temporal, workflow_type: Train, task_queue: "+training+"}\n"), 0o600))
	const key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	p := startWorker(t, queue, "MODELOPS_BACKENDS_FILE="+file, "HOOK_KEY="+key, "MODELOPS_BACKEND=there", "MODELOPS_POLL_INTERVAL=100ms")

	_, stderr, code := starter(t, queue, "model_name: named-nowhere\nretraining: {backend: nowhere}\n", "apply", "-")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, `retraining.backend: the worker has no "nowhere", only here, log, there, trainer`)

	mustStarter(t, queue, "model_name: named-here\nretraining: {backend: here}\n---\n"+
		"model_name: named-default\n---\n"+
		"model_name: named-trainer\nretraining: {backend: trainer, params: {epochs: 3}}\n", "apply", "-")
	for _, model := range []string{"named-here", "named-default", "named-trainer"} {
		mustStarter(t, queue, "", "publish", "--model", model, "--version", "v7", "--accuracy", "0.5")
	}
	patience.Until(t, "each pipeline was asked once", func() bool { return len(here.asked()) == 1 && len(there.asked()) == 1 })

	waiting := until(t, "named-trainer", "its retraining is in flight", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	assert.Equal(t, "trainer", waiting.Current.Job.Backend)
	trainer := worker.New(server.Client(), training, worker.Options{})
	trainer.RegisterWorkflowWithOptions(train, workflow.RegisterOptions{Name: "Train"})
	require.NoError(t, trainer.Start())
	t.Cleanup(trainer.Stop)
	done := until(t, "named-trainer", "its success", func(s monitor.Status) bool { return s.Retrainings.Succeeded == 1 })
	last := done.Decisions[len(done.Decisions)-1]
	assert.Equal(t, policy.Succeeded, last.Kind)
	assert.Equal(t, "v7+3", last.ModelVersion)
	assert.NotContains(t, p.output.String(), key)

	described, err := server.Client().DescribeWorkflowExecution(t.Context(), last.RequestID, "")
	require.NoError(t, err)
	assert.Equal(t, "Train", described.GetWorkflowExecutionInfo().GetType().GetName())
}

// train is a user's workflow that retrains a model.
func train(_ workflow.Context, request modelops.Request) (map[string]string, error) {
	return map[string]string{"model_version": request.ModelVersion + "+" + string(request.Params["epochs"]), "message": "trained"}, nil
}
