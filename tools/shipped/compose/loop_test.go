package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a monitor's status says, as far as the loop looks at it.
type status struct {
	Phase       string
	Events      int64
	Breaches    int64
	Rejected    int64
	Retrainings map[string]int
	Decisions   []struct{ Kind, Reason string }
}

// The services of docker-compose.yml, run as it says: a model is watched, drifts
// and is retrained, while the server and its database crash in between.
func TestTheLoopPassesOnPostgreSQLWhateverCrashes(t *testing.T) {
	training := startTraining(t)
	s := up(t, "MODELOPS_BACKEND=webhook", "MODELOPS_POLL_INTERVAL=1s",
		"MODELOPS_WEBHOOK_URL=http://host.docker.internal:"+training.port()+"/retrainings")

	policy := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(policy, []byte("model_name: fraud\ncooldown: 1h\n"), 0o600))
	starter(t, s, "apply", policy)
	starter(t, s, "publish", "--model", "fraud", "--version", "v7", "--accuracy", "0.95")
	starter(t, s, "publish", "--model", "fraud", "--version", "v7", "--accuracy", "0.8")
	until(t, s, "the training is asked for", func(status) bool { return len(training.asked()) == 1 })

	// The server crashes while the model is retrained.
	s.Crash("temporal")
	require.NoError(t, s.Healthy(t.Context(), "temporal"))
	eventually(t, "the server, whose port is all that its health asks for, answers again", func() bool {
		_, err := s.Run(t.Context(), "modelvigil", "list")
		return err == nil
	})
	starter(t, s, "publish", "--model", "fraud", "--version", "v7", "--accuracy", "0.7")
	seen := until(t, s, "three events are counted", func(is status) bool { return is.Events == 3 })
	assert.Equal(t, "retraining", seen.Phase)

	// So does its database; what is published meanwhile waits for it.
	s.Crash("postgresql")
	starter(t, s, "publish", "--model", "fraud", "--version", "v7", "--accuracy", "0.6")
	require.NoError(t, s.Healthy(t.Context(), "postgresql"))
	training.finish()
	require.NoError(t, s.Up(t.Context(), "gateway"))
	post(t, s, `{"model_name": "fraud", "model_version": "v7", "accuracy": 0.5}`)
	seen = until(t, s, "the retraining has succeeded", func(is status) bool { return is.Retrainings["succeeded"] == 1 })
	assert.EqualValues(t, 5, seen.Events)
	assert.EqualValues(t, 4, seen.Breaches, "one triggered, three were suppressed")
	assert.Zero(t, seen.Rejected)
	assert.Equal(t, 1, seen.Retrainings["requested"])
	assert.Equal(t, "cooling_down", seen.Phase)
	assert.Equal(t, "accuracy 0.8000 below threshold 0.9000", seen.Decisions[0].Reason)
	assert.Len(t, training.asked(), 1, "a retraining is one request, whatever crashes")

	// Found by what they do: the worker has created the search attributes.
	until(t, s, "the monitor is found by its phase", func(status) bool {
		return strings.Contains(cli(t, s, "workflow", "list", "--query", `ModelName = "fraud" AND MonitorPhase = "cooling_down"`), "model-monitor/fraud")
	})
	cli(t, s, "operator", "search-attribute", "create", "--name", "CostCenter", "--type", "Keyword")
	assert.Contains(t, cli(t, s, "operator", "search-attribute", "list"), "CostCenter")
}

// The databases are of the server's minor version before last; what is run is the
// job as the file has it.
func TestAnOlderDatabaseIsUpgraded(t *testing.T) {
	s := prepare(t)
	output, err := s.Run(t.Context(), "schema", `
		export SQL_PASSWORD="$(cat /run/password/postgresql)"
		for part in "temporal postgresql/v12/temporal 1.18" "temporal_visibility postgresql/v12/visibility 1.9"; do
			set -- $part
			temporal-sql-tool --db "$1" create
			temporal-sql-tool --db "$1" setup-schema --version 0.0
			temporal-sql-tool --db "$1" update-schema --schema-name "$2" --version "$3"
		done`)
	require.NoError(t, err, output)
	require.NoError(t, s.Up(t.Context(), "worker"))
	starter(t, s, "publish", "--model", "fraud", "--version", "v1", "--accuracy", "0.95")
	until(t, s, "the event is counted", func(is status) bool { return is.Events == 1 })
}

// What was there stays, and a second run of the jobs changes nothing: so a newer
// image upgrades.
func TestTheJobsCanRunAgain(t *testing.T) {
	s := up(t)
	for _, job := range []string{"schema", "namespace"} {
		output, err := s.Run(t.Context(), job)
		require.NoError(t, err, "%s: %s", job, output)
	}
	starter(t, s, "publish", "--model", "again", "--version", "v1", "--accuracy", "0.8")
	until(t, s, "the log backend has taken the retraining", func(status) bool {
		return strings.Contains(s.Log("worker"), "accuracy 0.8000 below threshold 0.9000")
	})
}
