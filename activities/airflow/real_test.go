package airflow_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/airflow"
	"github.com/modelvigil/modelvigil/modelops"
)

// scheduled asks until the run is taken, as Temporal does: an Airflow whose database
// is busy says 500.
func scheduled(t *testing.T, b *airflow.Backend, request modelops.Request) (job modelops.Job) {
	t.Helper()
	eventually(t, "the run is taken", func() bool {
		var err error
		job, err = b.ScheduleRetraining(t.Context(), request)
		require.False(t, modelops.IsFinal(err), err)
		return err == nil
	})
	return job
}

// cancelled asks until the run is told to end.
func cancelled(t *testing.T, b *airflow.Backend, request modelops.Request) {
	t.Helper()
	eventually(t, "the run is told to end", func() bool {
		err := b.CancelRetraining(t.Context(), request, modelops.Job{})
		require.False(t, modelops.IsFinal(err), err)
		return err == nil
	})
}

// outcome asks until the run has ended.
func outcome(t *testing.T, b *airflow.Backend, request modelops.Request) (o modelops.Outcome) {
	t.Helper()
	eventually(t, "the run has an outcome", func() bool {
		var err error
		o, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
		require.False(t, modelops.IsFinal(err), err)
		return err == nil
	})
	return o
}

func TestTheDAGRunGetsTheDecision(t *testing.T) {
	server(t, "controlled")
	t.Cleanup(func() { endRuns(t, "controlled") })
	b, request := newBackend(t, config("controlled")), breach()
	job := scheduled(t, b, request)
	r := theRun(t, "controlled", request.RequestID)
	assert.Equal(t, modelops.Job{ID: r.ID, Followed: true}, job)
	assert.Regexp(t, `^model-monitor__fraud__[0-9a-f-]{36}__1__[0-9a-f]{32}$`, r.ID)
	assert.Equal(t, "Retrains fraud v7: accuracy 0.8000 below threshold 0.9000", r.Note)
	assert.Nil(t, r.LogicalDate)
	want, err := json.Marshal(request)
	require.NoError(t, err)
	got, err := json.Marshal(r.Conf)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(got))

	cancelled(t, b, request)
	assert.Equal(t, r.Note+" (ended by its monitor)", theRun(t, "controlled", request.RequestID).Note)
}

func TestTheExampleDAGTellsItsModelVersionAndItsFailure(t *testing.T) {
	server(t, "retrain")
	b, good, bad := newBackend(t, config("retrain")), breach(), breach()
	bad.Params = map[string]json.RawMessage{"fail": json.RawMessage(`"out of memory\nin epoch 2"`)}
	for _, request := range []modelops.Request{good, bad} {
		scheduled(t, b, request)
	}
	assert.Equal(t, modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v7-retrained-1"}, outcome(t, b, good))
	assert.Equal(t, modelops.Outcome{State: modelops.Failed, Message: "task train failed: RuntimeError: out of memory in epoch 2"}, outcome(t, b, bad))

	c := config("retrain")
	c.ModelVersionKey = "train/no/such"
	assert.Equal(t, modelops.Outcome{State: modelops.Succeeded, Message: `its model version is passed over: the XCom "no/such" of train is not there`},
		outcome(t, newBackend(t, c), good))
	c.ModelVersionKey = "train/return_value"
	o := outcome(t, newBackend(t, c), good)
	assert.Equal(t, modelops.Outcome{
		State: modelops.Succeeded, Message: "its model version is passed over: model_version: must be a string or a number, got an object",
	}, o)
}

func TestOfMappedTasksTheLastWordAndTheFirstFailureCount(t *testing.T) {
	server(t, "chain")
	b, good, bad := newBackend(t, config("chain")), breach(), breach()
	for _, request := range []modelops.Request{good, bad} {
		scheduled(t, b, request)
	}
	answer(t, "chain", good.RequestID, map[string]any{"model_version": 8})
	answer(t, "chain", bad.RequestID, map[string]any{"error": "out of memory"})
	assert.Contains(t, []string{"8", "9"}, outcome(t, b, good).ModelVersion, "a number is a version too")
	assert.Regexp(t, `^task train\[[01]\] failed: RuntimeError: out of memory; so did train\[[01]\]$`, outcome(t, b, bad).Message)
}

func TestARunThatIsMarkedAsFailedSaysSo(t *testing.T) {
	server(t, "paused")
	b, request := newBackend(t, config("paused")), breach()
	status := call(t, http.MethodPost, "/api/v2/dags/paused/dagRuns", map[string]any{
		"dag_run_id": jobID(t, request), "logical_date": nil, "conf": request,
	}, nil)
	require.Equal(t, http.StatusOK, status)

	scheduled(t, b, request) // paused since, but the run is there
	_, err := b.RetrainingOutcome(t.Context(), request, modelops.Job{})
	require.ErrorIs(t, err, modelops.ErrRunning)
	require.ErrorContains(t, err, "it is queued, but the DAG is paused, and a run of it would wait for ever; unpause it")

	cancelled(t, b, request)
	assert.Equal(t, modelops.Outcome{
		State: modelops.Failed, Message: "the DAG run failed, and none of its tasks did: it was marked so, or took longer than its dagrun_timeout",
	}, outcome(t, b, request))
}

func TestACheckOfWhatIsWellFindsNothing(t *testing.T) {
	server(t, "controlled")
	require.NoError(t, newBackend(t, config("controlled")).Check(t.Context()))
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	s := server(t, "paused")
	server(t, "controlled")
	tests := map[string]struct {
		change func(*airflow.Config)
		want   string
	}{
		"a DAG that is paused":     {func(c *airflow.Config) { c.DAG = "paused" }, "the DAG is paused, and a run of it would wait for ever; unpause it (`airflow dags unpause paused`"},
		"a DAG that isn't there":   {func(c *airflow.Config) { c.DAG = "nowhere" }, "404 Not Found: The Dag with ID: `nowhere` was not found; correct the dag in the backend's settings, or deploy the DAG"},
		"a wrong password":         {func(c *airflow.Config) { c.Password = "wrong" }, `log in as "trainer": POST /auth/token: 401 Unauthorized: Invalid credentials; correct the username and password in the backend's settings`},
		"a token that is none":     {func(c *airflow.Config) { c.Username, c.Password, c.Token = "", "", "none" }, "403 Forbidden: Invalid JWT token; set a token that is valid, of a user who may"},
		"a user who may only read": {func(c *airflow.Config) { c.Username = "reader" }, `403 Forbidden: Forbidden; let the user "reader" read the DAG, and create, read and edit its runs`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, request := config("controlled"), breach()
			test.change(&c)
			_, err := newBackend(t, c).ScheduleRetraining(t.Context(), request)
			require.ErrorContains(t, err, test.want)
			assert.True(t, modelops.IsFinal(err))
			assert.NotContains(t, err.Error(), s.Password)
			assert.Empty(t, runs(t, "controlled", request.RequestID))
			if name != "a user who may only read" { // which looking doesn't show
				require.ErrorContains(t, newBackend(t, c).Check(t.Context()), test.want)
			}
		})
	}
}

func TestADAGWhoseFileBreaksOrGoesIsRefused(t *testing.T) {
	tests := map[string]struct {
		change func(file string) error
		flag   string
		want   string
	}{
		"breaks": {func(file string) error { return os.WriteFile(file, []byte("from airflow.sdk import NoDAG\n"), 0o600) }, "has_import_errors", "the DAG has import errors; mend its file (`airflow dags list-import-errors` tells them)"},
		"goes":   {os.Remove, "is_stale", "no file defines the DAG any more; deploy it again"},
	}
	for dag, test := range tests {
		t.Run(dag, func(t *testing.T) {
			file := filepath.Join(server(t, "controlled").DAGs, dag+".py")
			require.NoError(t, os.WriteFile(file, []byte("from airflow.sdk import DAG\nwith DAG('"+dag+"', schedule=None): pass\n"), 0o600))
			t.Cleanup(func() { _ = os.Remove(file) })
			s := server(t, dag)
			require.NoError(t, test.change(file))
			require.NoError(t, s.AwaitDAG(t.Context(), dag, func(fields map[string]any) bool { return fields[test.flag] == true }))
			_, err := newBackend(t, config(dag)).ScheduleRetraining(t.Context(), breach())
			require.ErrorContains(t, err, test.want)
			assert.True(t, modelops.IsFinal(err))
		})
	}
}

func TestATokenThatExpiresWhileARunIsFollowedIsRenewed(t *testing.T) {
	s := server(t, "controlled")
	t.Cleanup(func() { endRuns(t, "controlled") })
	api, err := s.NewAPI()
	require.NoError(t, err)
	require.NoError(t, api.Start(t.Context(), "AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME=1"))
	t.Cleanup(api.Stop)
	logins := &counter{path: "/auth/token"}
	c, request := config("controlled"), breach()
	c.URL, c.Transport = api.URL(), logins
	b := newBackend(t, c)
	scheduled(t, b, request)
	eventually(t, "three tokens were used", func() bool {
		_, err := b.RetrainingOutcome(t.Context(), request, modelops.Job{})
		require.ErrorIs(t, err, modelops.ErrRunning)
		return logins.n.Load() >= 3
	})
	answer(t, "controlled", request.RequestID, map[string]any{"model_version": "v8"})
	assert.Equal(t, "v8", outcome(t, b, request).ModelVersion)

	// A token that can't be renewed says what to do.
	var login struct {
		AccessToken string `json:"access_token"`
	}
	_, err = api.Call(t.Context(), http.MethodPost, "/auth/token", map[string]string{"username": c.Username, "password": c.Password}, &login)
	require.NoError(t, err)
	c.Username, c.Password, c.Token = "", "", login.AccessToken
	b = newBackend(t, c)
	eventually(t, "the token has expired", func() bool {
		_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
		return err != nil
	})
	require.ErrorContains(t, err, "401 Unauthorized: Token Expired; set a token that is valid, or username and password")
	assert.True(t, modelops.IsFinal(err))
	assert.NotContains(t, err.Error(), c.Token)
}

func TestAnAPIServerThatIsRestartedIsFollowedOn(t *testing.T) {
	s := server(t, "controlled")
	t.Cleanup(func() { endRuns(t, "controlled") })
	api, err := s.NewAPI()
	require.NoError(t, err)
	require.NoError(t, api.Start(t.Context()))
	t.Cleanup(api.Stop)
	c, request := config("controlled"), breach()
	c.URL = api.URL()
	b := newBackend(t, c)
	scheduled(t, b, request)
	_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
	require.ErrorIs(t, err, modelops.ErrRunning)

	api.Stop()
	_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
	require.ErrorContains(t, err, "no answer: ")
	assert.False(t, modelops.IsFinal(err))
	assert.NotErrorIs(t, err, modelops.ErrRunning)

	require.NoError(t, api.Start(t.Context(), "AIRFLOW__API_AUTH__JWT_SECRET=another one, of 64 bytes or more, which takes no token that was given out before"))
	_, err = b.RetrainingOutcome(t.Context(), request, modelops.Job{})
	require.ErrorIs(t, err, modelops.ErrRunning, "with a new token")
	answer(t, "controlled", request.RequestID, map[string]any{"model_version": "v8"})
	assert.Equal(t, "v8", outcome(t, b, request).ModelVersion)
}
