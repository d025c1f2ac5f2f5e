package airflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/airflow"
	"github.com/modelvigil/modelvigil/e2e/airflow/airflowtest"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

var real *airflowtest.Server // nil without an Airflow

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (int, error) {
	if path := os.Getenv(airflowtest.PathVariable); path != "" {
		dir, err := os.MkdirTemp("", "modelvigil-airflow-")
		if err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		begun := time.Now()
		if real, err = airflowtest.Start(context.Background(), path, dir, "testdata/dags"); err != nil {
			return 0, err
		}
		defer real.Close()
		fmt.Printf("airflow is up after %v\n", time.Since(begun).Round(time.Second))
	}
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if code == 0 && real == nil {
		return 0, patience.Leaks()
	}
	if code == 0 {
		real.Close()
		return 0, patience.Leaks()
	}
	return code, nil
}

// server is the real Airflow, with a DAG of its that is ready.
func server(t *testing.T, dag string) *airflowtest.Server {
	t.Helper()
	if real == nil {
		t.Skip(airflowtest.PathVariable + " names no Airflow; `make e2e-airflow` sets it")
	}
	require.NoError(t, real.AwaitDAG(t.Context(), dag, func(map[string]any) bool { return true }))
	return real
}

// call asks the real Airflow as its administrator.
func call(t *testing.T, method, path string, body, into any) int {
	t.Helper()
	status, err := real.Call(context.WithoutCancel(t.Context()), method, path, body, into)
	if status == 0 {
		require.NoError(t, err)
	}
	return status
}

// config is of a DAG of the real Airflow, as a user with no more rights than needed.
func config(dag string) airflow.Config {
	return airflow.Config{URL: real.URL(), DAG: dag, Username: "trainer", Password: real.Password}
}

func newBackend(t *testing.T, config airflow.Config) *airflow.Backend {
	t.Helper()
	backend, err := airflow.New(config)
	require.NoError(t, err)
	t.Cleanup(backend.Close)
	return backend
}

func breach() modelops.Request {
	return modelops.Request{
		RequestID: "model-monitor/fraud/" + uuid.NewString() + "/1", ModelName: "fraud", ModelVersion: "v7",
		Reason: "accuracy 0.8000 below threshold 0.9000", Rule: "accuracy", Metric: "accuracy",
		Value: new(0.8), Threshold: new(0.9), TriggeredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Params: map[string]json.RawMessage{"epochs": json.RawMessage("3")},
	}
}

// run is a DAG run as Airflow tells it.
type run struct {
	ID          string         `json:"dag_run_id"`
	DAG         string         `json:"dag_id"`
	State       string         `json:"state"`
	LogicalDate *time.Time     `json:"logical_date"`
	Note        string         `json:"note"`
	Conf        map[string]any `json:"conf"`
}

func (r run) hasEnded() bool { return r.State == "success" || r.State == "failed" }

func (r run) path() string { return "/api/v2/dags/" + r.DAG + "/dagRuns/" + url.PathEscape(r.ID) }

// runs are all runs of a DAG that carry a request id.
func runs(t *testing.T, dag, requestID string) (found []run) {
	t.Helper()
	var list struct {
		Runs []run `json:"dag_runs"`
	}
	status := call(t, http.MethodGet, "/api/v2/dags/"+dag+"/dagRuns?order_by=-id&limit=100", nil, &list)
	require.Equal(t, http.StatusOK, status)
	for _, r := range list.Runs {
		if r.Conf["request_id"] == requestID {
			found = append(found, r)
		}
	}
	return found
}

// theRun is the one run of a request.
func theRun(t *testing.T, dag, requestID string) run {
	t.Helper()
	found := runs(t, dag, requestID)
	require.Len(t, found, 1)
	return found[0]
}

// answer tells the run of a request how to end, and waits until it has.
func answer(t *testing.T, dag, requestID string, told map[string]any) {
	t.Helper()
	text, err := json.Marshal(told)
	require.NoError(t, err)
	r := theRun(t, dag, requestID)
	require.NoError(t, os.WriteFile(filepath.Join(real.Answers, r.ID), text, 0o600))
	eventually(t, "the run ends", func() bool { return theRun(t, dag, requestID).hasEnded() })
}

// endRuns marks all runs of a DAG as failed that still run, so that their tasks make
// room for others.
func endRuns(t *testing.T, dag string) {
	t.Helper()
	var list struct {
		Runs []run `json:"dag_runs"`
	}
	call(t, http.MethodGet, "/api/v2/dags/"+dag+"/dagRuns?state=queued&state=running&limit=100", nil, &list)
	for _, r := range list.Runs {
		call(t, http.MethodPatch, r.path(), map[string]string{"state": "failed"}, nil)
	}
}

// eventually waits for a fact; where it does not come, Airflow may say why.
func eventually(t *testing.T, what string, fact func() bool) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Log(real.Output())
		}
	}()
	patience.Until(t, what, fact)
}

// proxy stands before the real Airflow, as an ingress does, and can misbehave.
type proxy struct {
	*httptest.Server
	fault atomic.Pointer[http.HandlerFunc] // answers in Airflow's place
}

// newProxy returns a proxy, whose faults answer in place of pass.
func newProxy(t *testing.T, target string) (p *proxy, pass http.Handler) {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	pass = &httputil.ReverseProxy{
		Transport:    transport,
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p = &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := p.fault.Load(); fault != nil {
			(*fault)(w, r)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p, pass
}

// with lets a fault answer until undo is called.
func (p *proxy) with(fault http.HandlerFunc) (undo func()) {
	p.fault.Store(&fault)
	return func() { p.fault.Store(nil) }
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// counter counts the requests to a path.
type counter struct {
	path string
	n    atomic.Int32
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == c.path {
		c.n.Add(1)
	}
	return http.DefaultTransport.RoundTrip(r)
}
