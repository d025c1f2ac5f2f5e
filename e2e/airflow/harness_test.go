// Package airflow_test shows the whole loop with a real Airflow: the built binaries,
// a Temporal server, and DAG runs that Airflow's scheduler runs.
package airflow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/e2e/airflow/airflowtest"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// dag is the example that the backend's documentation has.
const dag = "retrain"

// What the tests run, set by TestMain.
var (
	workerPath, starterPath string
	temporal                *testsuite.DevServer
	airflow                 *airflowtest.Server // nil without one
)

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (int, error) {
	path := os.Getenv(airflowtest.PathVariable)
	if path == "" {
		return m.Run(), nil // each test says why it is skipped
	}
	dir, err := os.MkdirTemp("", "modelvigil-e2e-airflow-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	workerPath, starterPath = filepath.Join(dir, "worker"), filepath.Join(dir, "starter")
	if out, err := exec.Command("go", "build", "-o", dir, "../../worker", "../../starter").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the binaries: %w\n%s", err, out)
	}
	if temporal, err = startTemporal(dir); err != nil {
		return 0, err
	}
	defer func() { _ = temporal.Stop() }()
	if airflow, err = airflowtest.Start(context.Background(), path, filepath.Join(dir, "airflow"), "../../activities/airflow/testdata/dags"); err != nil {
		return 0, err
	}
	defer airflow.Close()
	return m.Run(), nil
}

func startTemporal(dir string) (*testsuite.DevServer, error) {
	cli := os.Getenv("MODELVIGIL_TEMPORAL")
	if cli == "" {
		return nil, errors.New("no temporal CLI: set MODELVIGIL_TEMPORAL to its path, or run `make e2e-airflow`, which builds it")
	}
	server, err := testsuite.StartDevServer(context.Background(), testsuite.DevServerOptions{
		ExistingPath: cli, DBFilename: filepath.Join(dir, "temporal.db"), LogLevel: "error",
		ClientOptions: &client.Options{Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))},
		Stdout:        io.Discard, Stderr: io.Discard,
	})
	if err != nil {
		return nil, fmt.Errorf("start the Temporal dev server: %w", err)
	}
	return server, nil
}

// needAirflow skips a test without one, and waits until its DAG is there.
func needAirflow(t *testing.T) {
	t.Helper()
	if airflow == nil {
		t.Skip(airflowtest.PathVariable + " names no Airflow; `make e2e-airflow` sets it")
	}
	require.NoError(t, airflow.AwaitDAG(t.Context(), dag, func(map[string]any) bool { return true }))
}

// worker is the built worker, as a process.
type worker struct {
	cmd    *exec.Cmd
	output *bytes.Buffer
	ended  chan struct{}
}

// startWorker runs the built worker over the real Airflow, until it is ready.
func startWorker(t *testing.T, taskQueue string, further ...string) *worker {
	t.Helper()
	listen := freeAddress(t)
	w := &worker{exec.Command(workerPath), &bytes.Buffer{}, make(chan struct{})}
	w.cmd.Env = append(append(os.Environ(), environment(taskQueue)...),
		"LISTEN_ADDRESS="+listen, "MODELOPS_POLL_INTERVAL=1s", "MODELOPS_BACKEND=airflow",
		"MODELOPS_AIRFLOW_URL="+airflow.URL(), "MODELOPS_AIRFLOW_DAG="+dag,
		"MODELOPS_AIRFLOW_USERNAME="+airflow.Username(), "MODELOPS_AIRFLOW_PASSWORD="+airflow.Password)
	w.cmd.Env = append(w.cmd.Env, further...)
	w.cmd.Stdout, w.cmd.Stderr = w.output, w.output
	require.NoError(t, w.cmd.Start())
	go func() {
		_ = w.cmd.Wait()
		close(w.ended)
	}()
	t.Cleanup(func() {
		w.kill()
		if t.Failed() {
			t.Logf("output of the worker:\n%s", w.output)
		}
	})
	eventually(t, "the worker is ready", func() bool {
		select {
		case <-w.ended:
			t.Fatalf("the worker has ended:\n%s", w.output)
		default:
		}
		response, err := http.Get("http://" + listen + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return w
}

// kill ends the worker as a crash would.
func (w *worker) kill() {
	_ = w.cmd.Process.Kill()
	<-w.ended
}

func environment(taskQueue string) []string {
	return []string{"TEMPORAL_ADDRESS=" + temporal.FrontendHostPort(), "TASK_QUEUE=" + taskQueue}
}

// starter runs the built starter and expects success.
func starter(t *testing.T, taskQueue, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), starterPath, append(args, "--timeout", patience.Limit.String())...)
	cmd.Env, cmd.Stdin = append(os.Environ(), environment(taskQueue)...), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "starter %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// publish tells a model's monitor of a breach.
func publish(t *testing.T, taskQueue, model string) {
	t.Helper()
	starter(t, taskQueue, fmt.Sprintf(`{"model_name": %q, "model_version": "v7", "accuracy": 0.8}`, model), "publish", "--file", "-")
}

// until waits until a model's status is as wanted.
func until(t *testing.T, model, what string, wanted func(monitor.Status) bool) (s monitor.Status) {
	t.Helper()
	eventually(t, what, func() bool {
		answer, err := temporal.Client().QueryWorkflow(t.Context(), contract.WorkflowID(model), "", contract.QueryStatus)
		var now monitor.Status
		if err != nil || answer.Get(&now) != nil {
			return false
		}
		s = now
		return wanted(s)
	})
	return s
}

// dagRun is a DAG run as Airflow tells it.
type dagRun struct {
	ID    string         `json:"dag_run_id"`
	State string         `json:"state"`
	Conf  map[string]any `json:"conf"`
}

// dagRuns are all runs for a model.
func dagRuns(t *testing.T, model string) (found []dagRun) {
	t.Helper()
	var list struct {
		Runs []dagRun `json:"dag_runs"`
	}
	_, err := airflow.Call(t.Context(), http.MethodGet, "/api/v2/dags/"+dag+"/dagRuns?limit=100", nil, &list)
	require.NoError(t, err)
	require.Less(t, len(list.Runs), 100, "there may be more")
	for _, run := range list.Runs {
		if run.Conf["model_name"] == model {
			found = append(found, run)
		}
	}
	return found
}

// eventually waits for a fact; where it does not come, Airflow may say why.
func eventually(t *testing.T, what string, fact func() bool) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Log(airflow.Output())
		}
	}()
	patience.Until(t, what, fact)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
