package airflow_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/airflow"
	"github.com/modelvigil/modelvigil/activities/modelopstest"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestTheBackendIsConformant(t *testing.T) {
	const dag = "controlled"
	s := server(t, dag)
	ingress, pass := newProxy(t, s.URL())
	modelopstest.TestModelOps(t, modelopstest.Harness{
		New: func(t *testing.T) modelops.ModelOps {
			t.Cleanup(func() { endRuns(t, dag) })
			c := config(dag)
			c.URL = ingress.URL
			return newBackend(t, c)
		},
		Jobs: func(t *testing.T, id string) int { return len(runs(t, dag, id)) },
		Succeed: func(t *testing.T, id, version string) {
			answer(t, dag, id, map[string]any{"model_version": version})
		},
		Fail:     func(t *testing.T, id, message string) { answer(t, dag, id, map[string]any{"error": message}) },
		HasEnded: func(t *testing.T, id string) bool { return theRun(t, dag, id).hasEnded() },
		Forget: func(t *testing.T, id string) {
			r := theRun(t, dag, id)
			// Airflow deletes no run that is running.
			require.Equal(t, http.StatusOK, call(t, http.MethodPatch, r.path(), map[string]string{"state": "failed"}, nil))
			require.Equal(t, http.StatusNoContent, call(t, http.MethodDelete, r.path(), nil, nil))
		},
		Stranger: func(t *testing.T, request modelops.Request) func() bool {
			id := jobID(t, request)
			status := call(t, http.MethodPost, "/api/v2/dags/"+dag+"/dagRuns", map[string]any{
				"dag_run_id": id, "logical_date": nil, "conf": map[string]string{"request_id": "another"},
			}, nil)
			require.Equal(t, http.StatusOK, status)
			return func() bool {
				var r run
				require.Equal(t, http.StatusOK, call(t, http.MethodGet, run{DAG: dag, ID: id}.path(), nil, &r))
				return !r.hasEnded()
			}
		},
		LoseAnswer: func(*testing.T) {
			var undo func()
			undo = ingress.with(func(w http.ResponseWriter, r *http.Request) {
				lost := http.ResponseWriter(httptest.NewRecorder())
				if r.Method != http.MethodPost || r.URL.Path != "/api/v2/dags/"+dag+"/dagRuns" {
					lost = w
				}
				pass.ServeHTTP(lost, r)
				if lost != w {
					undo()
					panic(http.ErrAbortHandler)
				}
			})
		},
		Away: func(*testing.T) func() { return ingress.with(hangUp) },
		Refuse: func(t *testing.T) func() {
			right := s.Password
			require.NoError(t, s.SetPassword("another"))
			return func() { require.NoError(t, s.SetPassword(right)) }
		},
		Throttle: func(*testing.T) func() {
			return ingress.with(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "1")
				http.Error(w, "too many requests", http.StatusTooManyRequests)
			})
		},
		Secrets: []string{s.Password},
		Timeout: patience.Limit,
	})
}

// jobID is the dag_run_id that the backend gives to a request.
func jobID(t *testing.T, request modelops.Request) string {
	t.Helper()
	instead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer instead.Close()
	job, err := newBackend(t, airflow.Config{URL: instead.URL, DAG: "any", Token: "any"}).ScheduleRetraining(t.Context(), request)
	require.NoError(t, err)
	return job.ID
}
