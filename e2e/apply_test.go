package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// A folder of policies as a team keeps it in a repository: looked at, applied,
// applied again, and pruned; and what another owner applied stays.
func TestAFolderOfPoliciesIsAppliedAndPruned(t *testing.T) {
	t.Parallel()
	const queue = "apply"
	startWorker(t, queue)
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("0-defaults.yaml", "defaults: {teams: [payments]}\ncooldown: 2h\n")
	write("fraud.yaml", "model_name: apply-fraud\nteam: payments\n")
	write("churn.yaml", "model_name: apply-churn\nteam: payments\ncooldown: 3h\n")

	assert.Contains(t, mustStarter(t, queue, "", "validate", dir), "apply-fraud is fine: 3 rules, cooldown 2h")
	assert.Contains(t, mustStarter(t, queue, "", "apply", dir, "--dry-run"), "apply-fraud: would be started")
	stdout := mustStarter(t, queue, "", "list")
	assert.NotContains(t, stdout, "apply-fraud", "a dry run sends nothing")

	mustStarter(t, queue, "", "apply", dir, "--owner", "payments-repo")
	mustStarter(t, queue, "model_name: apply-other\n", "apply", "-", "--owner", "somebody else")
	assert.Contains(t, mustStarter(t, queue, "", "apply", dir, "--owner", "payments-repo"), "apply-fraud: unchanged")
	assert.EqualValues(t, 2*time.Hour, status(t, "apply-fraud").Policy.Cooldown.Or(0))

	write("fraud.yaml", "model_name: apply-fraud\nteam: payments\ncooldown: 30m\nrules: [{metric: accuracy, below: 0.8}]\n")
	stdout = mustStarter(t, queue, "", "apply", dir, "--owner", "payments-repo", "--dry-run")
	assert.Contains(t, stdout, "apply-fraud: would be policy changed")
	assert.Contains(t, stdout, `cooldown: "2h" → "30m"`)
	assert.Contains(t, stdout, "rule accuracy: below: 0.9 → 0.8")
	var answer struct {
		Results []struct {
			ModelName string `json:"model_name"`
			Changes   []struct{ Field string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(mustStarter(t, queue, "", "apply", dir, "--owner", "payments-repo", "-o", "json")), &answer))
	require.Len(t, answer.Results, 2)

	const weekly = "model_name: apply-other\ncooldown: 168h\nrules: [{name: decay, metric: accuracy, stat: mean, below: 0.8, period: 168h}]\n"
	const note = `note: rule "decay": the datapoint after one that triggers is suppressed for good`
	assert.Contains(t, mustStarter(t, queue, weekly, "validate", "-"), note)
	assert.Contains(t, mustStarter(t, queue, weekly, "apply", "-", "--owner", "somebody else", "--dry-run"), note)
	assert.Contains(t, mustStarter(t, queue, weekly, "apply", "-", "--owner", "somebody else"), note)
	assert.Contains(t, mustStarter(t, queue, weekly, "apply", "-", "--owner", "somebody else", "-o", "json"), "is suppressed for good")

	require.NoError(t, os.Remove(filepath.Join(dir, "churn.yaml")))
	_, stderr, code := starter(t, queue, "", "apply", dir, "--prune")
	assert.Equal(t, 2, code, stderr)
	patience.Until(t, "visibility shows the owner", func() bool {
		stdout, _, _ = starter(t, queue, "", "apply", dir, "--owner", "payments-repo", "--prune", "--dry-run")
		return strings.Contains(stdout, "apply-churn")
	})
	_, stderr, code = starter(t, queue, "", "apply", dir, "--owner", "payments-repo", "--prune")
	assert.Equal(t, 1, code, "without a terminal it does not guess")
	assert.Contains(t, stderr, "--yes")
	assert.Contains(t, mustStarter(t, queue, "", "apply", dir, "--owner", "payments-repo", "--prune", "--yes"), "apply-churn: stopped")
	assert.Equal(t, contract.PhaseWatching, status(t, "apply-other").Phase)
	assert.Equal(t, contract.PhaseStopping, status(t, "apply-churn").Phase)
}

func TestAModelThatNobodyAppliedIsWatchedAsThePublisherSays(t *testing.T) {
	t.Parallel()
	const queue = "enrol"
	startWorker(t, queue)
	_, stderr, code := starter(t, queue, "", "publish", "--model", "enrol-refused", "--accuracy", "0.5", "--enrol", "refuse")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "no monitor of \"enrol-refused\"; `modelvigil apply` a policy")

	mustStarter(t, queue, "", "publish", "--model", "enrol-observed", "--accuracy", "0.5", "--enrol", "observe")
	s := until(t, "enrol-observed", "the breach", func(s monitor.Status) bool { return s.Breaches > 0 })
	assert.True(t, s.Policy.DryRun)
	assert.Zero(t, s.Retrainings.Requested)

	mustStarter(t, queue, "model_name: enrol-refused\n", "apply", "-")
	mustStarter(t, queue, "", "publish", "--model", "enrol-refused", "--accuracy", "0.5", "--enrol", "refuse")
	until(t, "enrol-refused", "the event", func(s monitor.Status) bool { return s.Events == 1 && s.Retrainings.Requested == 1 })
}
