package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

func TestTheDoctorNamesWhatIsToBeMended(t *testing.T) {
	mustStarter(t, "doctor", "", "setup")
	const queue = "doctor"
	t.Setenv("MODELOPS_TEMPORAL_WORKFLOW_TYPE", "Train")
	t.Setenv("MODELOPS_TEMPORAL_TASK_QUEUE", "doctor-training")
	away := "http://" + freeAddress(t)
	t.Setenv("MODELOPS_WEBHOOK_URL", away)
	for _, setting := range notifying(t, "channels: {alerts: {kind: alertmanager, url: '"+away+"'}, chat: {kind: shoutrrr, url: {env: CHAT}}}", "CHAT=generic://127.0.0.1:1/x") {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
	stdout, stderr, code := starter(t, queue, "", "doctor")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "7 things are to be mended")
	for _, line := range []string{
		"ok    cluster: ", "ok    namespace default: keeps ended runs for ", "ok    freezes: none", "ok    backend log, the default: has nothing to check",
		"MEND  task queue doctor: no worker is there; start one with TASK_QUEUE=doctor", "MEND  task queue doctor-retraining: no worker", "MEND  task queue doctor-following: no worker", "MEND  task queue doctor-notices: no worker",
		"MEND  channel alerts: Get \"" + away + "/api/v2/status\": dial tcp", "ok    channel chat: ready",
		`MEND  backend temporal: no worker is at task queue doctor-training in namespace "default"`, "MEND  backend webhook: HEAD " + away + ": no answer",
	} {
		assert.Contains(t, stdout, line)
	}

	t.Setenv("NOTIFICATIONS_FILE", "")
	startWorker(t, queue)
	trainer := startPipeline(t)
	t.Setenv("MODELOPS_WEBHOOK_URL", trainer.URL)
	t.Setenv("MODELOPS_TEMPORAL_WORKFLOW_TYPE", "")
	t.Setenv("MODELOPS_TEMPORAL_TASK_QUEUE", "")
	patience.Until(t, "the pollers are known", func() bool {
		_, _, code := starter(t, queue, "", "doctor")
		return code == 0
	})
	require.Contains(t, mustStarter(t, queue, "", "doctor"), "ok    backend webhook: ready")

	policy := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(policy, []byte("model_name: doctor-patient\nretraining: {backend: webhook}"), 0o600))
	mustStarter(t, queue, "", "apply", policy)
	t.Setenv("MODELOPS_WEBHOOK_URL", "")
	patience.Until(t, "a backend that a monitor wants is missed", func() bool {
		told, _, _ := starter(t, queue, "", "doctor")
		return strings.Contains(told, "MEND  backend webhook: is not in this environment, and the monitors of 1 model want it, such as doctor-patient; set it, or apply")
	})
}
