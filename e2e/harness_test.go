// Package e2e tests the built binaries against a real Temporal server.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
)

// Paths of what the tests run, set by TestMain.
var (
	temporalPath, workerPath, starterPath string
	server                                *testsuite.DevServer
)

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// runTests builds the binaries and starts the one dev server that the tests
// share; each test watches models of its own.
func runTests(m *testing.M) (int, error) {
	temporalPath = os.Getenv("MODELVIGIL_TEMPORAL")
	if temporalPath == "" {
		var err error
		if temporalPath, err = exec.LookPath("temporal"); err != nil {
			return 0, fmt.Errorf("no temporal CLI: set MODELVIGIL_TEMPORAL to its path, or run `make test`, which builds it: %w", err)
		}
	}
	dir, err := os.MkdirTemp("", "modelvigil-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	workerPath, starterPath = filepath.Join(dir, "worker"), filepath.Join(dir, "starter")
	if out, err := exec.Command("go", "build", "-o", dir, "../worker", "../starter").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the binaries: %w\n%s", err, out)
	}
	server, err = testsuite.StartDevServer(context.Background(), testsuite.DevServerOptions{
		ExistingPath: temporalPath, DBFilename: filepath.Join(dir, "temporal.db"), LogLevel: "error",
		ClientOptions: &client.Options{Logger: quietLog}, Stdout: io.Discard, Stderr: io.Discard,
		ExtraArgs: []string{"--dynamic-config-value", "matching.useNewMatcher=true"}, // which knows priorities, and is the default from server 1.31 on
	})
	if err != nil {
		return 0, fmt.Errorf("start the dev server: %w", err)
	}
	defer func() { _ = server.Stop() }()
	return m.Run(), nil
}

var quietLog = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// process is a binary under test.
type process struct {
	cmd    *exec.Cmd
	output *lockedBuffer
	done   chan error
}

// startWorker runs the built worker on a task queue and waits until it is ready.
func startWorker(t *testing.T, taskQueue string, env ...string) *process {
	t.Helper()
	listen := freeAddress(t)
	p := start(t, workerPath, nil, append(environment(taskQueue), append(env, "LISTEN_ADDRESS="+listen)...)...)
	patience.Until(t, "the worker is ready", func() bool {
		response, err := http.Get("http://" + listen + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK
	})
	return p
}

func start(t *testing.T, path string, args []string, env ...string) *process {
	t.Helper()
	p := &process{exec.Command(path, args...), &lockedBuffer{}, make(chan error, 1)}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(os.Environ(), env...), p.output, p.output
	require.NoError(t, p.cmd.Start())
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", filepath.Base(path), p.output.String())
		}
	})
	return p
}

// kill ends the process as a crash would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.done <- <-p.done // once ended it stays so
}

// terminate ends the process as an orchestrator would, and returns its exit code.
func (p *process) terminate(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.done <- patience.Receive(t, "the process ends on SIGTERM", p.done)
	return p.cmd.ProcessState.ExitCode()
}

// starter runs the built starter to its end.
func starter(t *testing.T, taskQueue, stdin string, args ...string) (stdout, stderr string, exitCode int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), starterPath, patient(args)...)
	var out, errOut bytes.Buffer
	cmd.Env = append(os.Environ(), environment(taskQueue)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut

	_ = cmd.Run()
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// patient lets a command wait for the server and the worker for as long as a test
// does, unless the test says for how long.
func patient(args []string) []string {
	asksNobody := []string{"top", "validate"}
	if slices.Contains(asksNobody, args[0]) || slices.Contains(args, "--timeout") {
		return args
	}
	return append(slices.Clone(args), "--timeout", patience.Limit.String())
}

// mustStarter runs the built starter and expects success.
func mustStarter(t *testing.T, taskQueue, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := starter(t, taskQueue, stdin, args...)
	require.Zero(t, code, "starter %s\n%s%s", strings.Join(args, " "), stdout, stderr)
	return stdout
}

func environment(taskQueue string) []string {
	return []string{"TEMPORAL_ADDRESS=" + server.FrontendHostPort(), "TASK_QUEUE=" + taskQueue}
}

// status asks a model's monitor, as any client would.
func status(t *testing.T, model string) monitor.Status {
	t.Helper()
	var s monitor.Status
	patience.Until(t, "the monitor of "+model+" answers", func() bool {
		answer, err := server.Client().QueryWorkflow(t.Context(), contract.WorkflowID(model), "", contract.QueryStatus)
		return err == nil && answer.Get(&s) == nil
	})
	return s
}

// until waits until a model's status is as wanted.
func until(t *testing.T, model, what string, wanted func(monitor.Status) bool) monitor.Status {
	t.Helper()
	var s monitor.Status
	patience.Until(t, what, func() bool {
		s = status(t, model)
		return wanted(s)
	})
	return s
}

// nextPort is below those that systems give to connections, so that none takes a port
// between its being found free and a program's listening to it.
var nextPort = func() *atomic.Int32 {
	const first, last = 10_000, 25_000
	var port atomic.Int32
	port.Store(first + rand.Int32N(last-first))
	return &port
}()

// freeAddress is one that nobody listens to, and no two tests get the same.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		address := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		listener, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		return address
	}
}

// pipeline is a training service behind the webhook backend.
type pipeline struct {
	*httptest.Server
	mu       sync.Mutex
	requests map[string]int // by request id, how often it was asked for
	headers  []http.Header  // of each request
	states   map[string]string
	failures int // answer so many requests with 503 first
}

func startPipeline(t *testing.T) *pipeline {
	t.Helper()
	tr := &pipeline{requests: map[string]int{}, states: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /retrainings", tr.take)
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]string{"state": tr.states[r.URL.Query().Get("id")], "model_version": "v2"})
	})
	tr.Server = httptest.NewServer(mux)
	t.Cleanup(tr.Close)
	return tr
}

func (tr *pipeline) take(w http.ResponseWriter, r *http.Request) {
	var event struct {
		Data modelops.Request `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.headers = append(tr.headers, r.Header)
	if tr.failures > 0 {
		tr.failures--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	id := event.Data.RequestID
	tr.requests[id]++
	tr.states[id] = "running"
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]string{"job_id": "job-1", "status_url": tr.URL + "/status?id=" + url.QueryEscape(id)})
}

// finish lets every retraining succeed.
func (tr *pipeline) finish() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for id := range tr.states {
		tr.states[id] = "succeeded"
	}
}

func (tr *pipeline) asked() map[string]int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	copied := map[string]int{}
	for id, n := range tr.requests {
		copied[id] = n
	}
	return copied
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
