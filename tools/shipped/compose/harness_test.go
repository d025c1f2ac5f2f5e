package compose

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/tools/shipped/compose/stack"
)

// prepare makes a stack of the file, of which nothing runs yet.
func prepare(t *testing.T, variables ...string) *stack.Stack {
	t.Helper()
	programs, err := stack.ProgramsFromEnvironment()
	if err != nil {
		t.Skip(err)
	}
	programs.Modelvigil = t.TempDir()
	build := exec.Command("make", "build", "BIN="+programs.Modelvigil)
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
	return s
}

// up starts the file's worker, and with it all that it depends on.
func up(t *testing.T, variables ...string) *stack.Stack {
	t.Helper()
	s := prepare(t, variables...)
	begin := time.Now()
	require.NoError(t, s.Up(t.Context(), "worker"))
	t.Logf("up after %v", time.Since(begin).Round(100*time.Millisecond))
	return s
}

func starter(t *testing.T, s *stack.Stack, arguments ...string) string {
	t.Helper()
	output, err := s.Run(t.Context(), "modelvigil", append(arguments, "--timeout", stack.Patience.String())...)
	require.NoError(t, err, "modelvigil %s\n%s", strings.Join(arguments, " "), output)
	return output
}

// post publishes through the gateway, which takes nothing before it is ready.
func post(t *testing.T, s *stack.Stack, event string) {
	t.Helper()
	url := "http://" + s.Address("gateway", 8080) + "/v1/events?durable=true"
	eventually(t, "the gateway has made an event durable", func() bool {
		response, err := http.Post(url, "application/json", strings.NewReader(event))
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK
	})
}

// cli runs the Temporal CLI against the stack.
func cli(t *testing.T, s *stack.Stack, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Getenv("MODELVIGIL_TEMPORAL"), append(arguments, "--address", s.Address("temporal", 7233))...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "temporal %s\n%s", strings.Join(arguments, " "), out)
	return string(out)
}

// until waits for a fact about the model "fraud", as `modelvigil status` tells it.
func until(t *testing.T, s *stack.Stack, what string, fact func(status) bool) (is status) {
	t.Helper()
	eventually(t, what, func() bool {
		is = status{}
		output, err := s.Run(t.Context(), "modelvigil", "status", "fraud", "-o", "json")
		if err == nil {
			require.NoError(t, json.Unmarshal([]byte(output), &is), output)
		}
		return fact(is)
	})
	return is
}

// eventually waits for a fact.
func eventually(t *testing.T, what string, fact func() bool) {
	t.Helper()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(stack.Patience); !fact(); <-ticker.C {
		require.True(t, time.Now().Before(deadline), "not within %v: %s", stack.Patience, what)
	}
}

// training is a training service of this machine, as the worker's container sees it.
type training struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request // in the order in which they came, each once
	finished bool
}

// request is one for a retraining.
type request struct {
	id, model string
	at        time.Time
}

func startTraining(t *testing.T) *training {
	t.Helper()
	tr := &training{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /retrainings", func(w http.ResponseWriter, r *http.Request) {
		var event struct {
			ID   string
			Data struct {
				Model string `json:"model_name"`
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if !slices.ContainsFunc(tr.requests, func(known request) bool { return known.id == event.ID }) {
			tr.requests = append(tr.requests, request{event.ID, event.Data.Model, time.Now()})
		}
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

// asked are the requests so far.
func (tr *training) asked() []request {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.requests)
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
