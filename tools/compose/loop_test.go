package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/tools/compose/stack"
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
	until(t, s, "the training is asked for", func(status) bool { return training.asked() == 1 })

	// The server crashes while the model is retrained.
	s.Crash("temporal")
	require.NoError(t, s.Healthy(t.Context(), "temporal"))
	starter(t, s, "publish", "--model", "fraud", "--version", "v7", "--accuracy", "0.7")
	seen := until(t, s, "three events are counted", func(is status) bool { return is.Events == 3 })
	assert.Equal(t, "retraining", seen.Phase)

	// So does its database; what is published meanwhile waits for it.
	s.Crash("postgresql")
	starter(t, s, "publish", "--model", "fraud", "--version", "v7", "--accuracy", "0.6")
	require.NoError(t, s.Healthy(t.Context(), "postgresql"))
	training.finish()
	seen = until(t, s, "the retraining has succeeded", func(is status) bool { return is.Retrainings["succeeded"] == 1 })
	assert.EqualValues(t, 4, seen.Events)
	assert.EqualValues(t, 3, seen.Breaches, "one triggered, two were suppressed")
	assert.Zero(t, seen.Rejected)
	assert.Equal(t, 1, seen.Retrainings["requested"])
	assert.Equal(t, "cooling_down", seen.Phase)
	assert.Equal(t, "accuracy 0.8000 below threshold 0.9000", seen.Decisions[0].Reason)
	assert.Equal(t, 1, training.asked(), "a retraining is one request, whatever crashes")

	// Found by what they do: the worker has created the search attributes.
	until(t, s, "the monitor is found by its phase", func(status) bool {
		return strings.Contains(cli(t, s, "workflow", "list", "--query", `ModelName = "fraud" AND MonitorPhase = "cooling_down"`), "model-monitor/fraud")
	})
	cli(t, s, "operator", "search-attribute", "create", "--name", "CostCenter", "--type", "Keyword")
	assert.Contains(t, cli(t, s, "operator", "search-attribute", "list"), "CostCenter")
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

// up starts the file's worker, and with it all that it depends on.
func up(t *testing.T, variables ...string) *stack.Stack {
	t.Helper()
	programs, err := stack.ProgramsFromEnvironment()
	if err != nil {
		t.Skip(err)
	}
	programs.Modelvigil = t.TempDir()
	build := exec.Command("go", "build", "-o", programs.Modelvigil, "./worker", "./starter")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	project, err := stack.Load(t.Context(), filepath.Join(root, "docker-compose.yml"), variables...)
	require.NoError(t, err)
	s, err := stack.New(project, programs)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range []string{"postgresql", "temporal", "worker"} {
				log := s.Log(name)
				t.Logf("%s:\n%s", name, log[max(0, len(log)-5000):])
			}
		}
		s.Stop()
	})
	begin := time.Now()
	require.NoError(t, s.Up(t.Context(), "worker"))
	t.Logf("up after %v", time.Since(begin).Round(100*time.Millisecond))
	return s
}

func starter(t *testing.T, s *stack.Stack, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	output, err := s.Run(ctx, "starter", arguments...)
	require.NoError(t, err, "starter %s\n%s", strings.Join(arguments, " "), output)
	return output
}

// cli runs the Temporal CLI against the stack.
func cli(t *testing.T, s *stack.Stack, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Getenv("MODELVIGIL_TEMPORAL"), append(arguments, "--address", s.Address("temporal", 7233))...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "temporal %s\n%s", strings.Join(arguments, " "), out)
	return string(out)
}

// until waits for a fact about the model "fraud", as `starter status` tells it.
func until(t *testing.T, s *stack.Stack, what string, fact func(status) bool) (is status) {
	t.Helper()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(3 * time.Minute); ; <-ticker.C {
		is = status{}
		output, err := s.Run(t.Context(), "starter", "status", "fraud", "-o", "json")
		if err == nil {
			require.NoError(t, json.Unmarshal([]byte(output), &is), output)
		}
		if fact(is) {
			return is
		}
		require.True(t, time.Now().Before(deadline), "not within 3 minutes: %s; status: %s", what, output)
	}
}

// training is a training service of this machine, as the worker's container sees it.
type training struct {
	*httptest.Server
	mu       sync.Mutex
	requests map[string]bool
	finished bool
}

func startTraining(t *testing.T) *training {
	t.Helper()
	tr := &training{requests: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /retrainings", func(w http.ResponseWriter, r *http.Request) {
		var event struct{ ID string }
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.requests[event.ID] = true
		w.WriteHeader(http.StatusAccepted)
		_, _ = fmt.Fprintf(w, `{"job_id": "job-1", "status_url": %q}`, tr.URL+"/status")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		state := "running"
		if tr.finished {
			state = "succeeded"
		}
		_, _ = fmt.Fprintf(w, `{"state": %q, "model_version": "v8"}`, state)
	})
	tr.Server = httptest.NewServer(mux)
	t.Cleanup(tr.Close)
	return tr
}

func (tr *training) asked() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.requests)
}

func (tr *training) finish() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.finished = true
}

func (tr *training) port() string {
	address, _ := url.Parse(tr.URL)
	return address.Port()
}
