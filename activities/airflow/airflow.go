// Package airflow is the backend named "airflow": it starts a run of one DAG for
// each retraining request through the REST API v2 of Airflow 3, and tells the
// monitor what became of it.
//
// # The DAG run
//
// Its conf is the decision, a modelops.Request in JSON:
//
//	{"request_id", "model_name", "model_version", "reason", "rule", "metric",
//	 "value", "threshold", "triggered_at", "params"}
//
// It has no logical date, so that any number of runs fit beside each other, and its
// note says which model it retrains and why. Its dag_run_id is made from the request
// id: readable, of characters that Airflow takes by default ([scheduler]
// allowed_run_id_pattern), and ending in a hash of all of it. A run of this id
// counts as the retraining only if its conf carries the request id. A run that has
// ended keeps its id, so a request is never run twice, as long as nobody deletes it.
//
// A DAG that is paused, has import errors or isn't there is refused for good: its
// runs would wait for ever.
//
// # The outcome
//
// A run that succeeds has the model version of the XCom "model_version" (see
// Config.ModelVersionKey), a string or a number, where one of its tasks has pushed
// it:
//
//	@task(multiple_outputs=True)
//	def train() -> dict:
//	    conf = get_current_context()["dag_run"].conf
//	    …
//	    return {"model_version": "v8"}
//
// A run that fails is told with the task that failed first and, where its log can be
// read, the exception that it ended with; what Airflow masks in logs stays masked.
// testdata/dags/retrain.py is a whole DAG.
//
// Cancelling marks the run as failed. Airflow ends its running tasks and skips the
// others.
//
// # The user
//
// It has to read the DAG, to create, read and edit its runs, and to read their task
// instances, XComs and task logs, as the role `user` of the simple auth manager may.
// Without the last three, outcomes lack words and model versions, and are outcomes
// still.
package airflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

const (
	// defaultTimeout bounds one call to Airflow, from connecting to the last byte of
	// the answer. One that fails is made again by the activity's retries.
	defaultTimeout = 30 * time.Second
	// defaultModelVersionKey is the XCom that tells the new model version.
	defaultModelVersionKey = "model_version"
)

// Config says which DAG retrains models, and where.
type Config struct {
	// URL is Airflow's web address, absolute, http or https: what comes before
	// /api/v2. It holds no user name or password.
	URL string
	// DAG is the dag_id.
	DAG string
	// Token is sent as it is. Where it is empty, Username and Password are exchanged
	// for one at /auth/token, and again whenever Airflow doesn't take it any more.
	Token              string
	Username, Password string
	// ModelVersionKey is the key of the XCom that tells the new model version, of
	// whichever task pushed it last, or "task_id/key"; empty means
	// model_version.
	ModelVersionKey string
	// Timeout of one call; zero means 30 s.
	Timeout time.Duration
	// Transport carries requests; nil means one of the backend's own, which verifies
	// certificates and heeds HTTPS_PROXY and its kin.
	Transport http.RoundTripper
}

// Backend starts DAG runs. It is safe for concurrent use.
type Backend struct {
	dag        string
	where      string // as errors show it
	task, key  string // of the model version's XCom; an empty task is any
	connection *connection
}

var (
	_ modelops.ModelOps  = (*Backend)(nil)
	_ modelops.Follower  = (*Backend)(nil)
	_ modelops.Canceller = (*Backend)(nil)
)

// dagID is what Airflow takes as a dag_id, without "~", which means all DAGs.
var dagID = regexp.MustCompile(`^[\p{L}\p{N}_.-]{1,250}$`)

// New returns a backend, or an error that names every fault of the configuration
// and never its secrets. It connects with the first call, so an Airflow that is away
// is no error here.
func New(config Config) (*Backend, error) {
	var faults []error
	base, err := parseURL(config.URL)
	if err != nil {
		faults = append(faults, fmt.Errorf("url: %w", err))
	}
	switch {
	case config.DAG == "":
		faults = append(faults, errors.New("dag: is missing; must be the dag_id of the DAG that retrains a model"))
	case !dagID.MatchString(config.DAG):
		faults = append(faults, fmt.Errorf("dag: must be a dag_id, of letters, digits, -, _ and . only, got %q", plain.Excerpt(config.DAG, maxExcerptBytes)))
	}

	faults = append(faults, credentialFaults(config)...)
	task, key := splitKey(cmp.Or(config.ModelVersionKey, defaultModelVersionKey))
	if key == "" {
		faults = append(faults, fmt.Errorf("model_version_key: must be an XCom's key, or task_id/key, got %q", plain.Excerpt(config.ModelVersionKey, maxExcerptBytes)))
	}
	if config.Timeout < 0 {
		faults = append(faults, fmt.Errorf("timeout: must not be negative, got %v", config.Timeout))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	return &Backend{
		dag: config.DAG, where: fmt.Sprintf("airflow dag %q at %s", config.DAG, base), task: task, key: key,
		connection: newConnection(base, config),
	}, nil
}

func credentialFaults(config Config) (faults []error) {
	login := config.Username != "" || config.Password != ""
	switch {
	case config.Token == "" && !login:
		faults = append(faults, errors.New("token: is missing; set it, or username and password"))
	case config.Token != "" && login:
		faults = append(faults, errors.New("token: is set beside username or password; set either"))
	case login && config.Username == "":
		faults = append(faults, errors.New("username: is missing, and password is set"))
	case login && config.Password == "":
		faults = append(faults, errors.New("password: is missing, and username is set"))
	}

	if strings.ContainsFunc(config.Token, isNoHeaderText) {
		faults = append(faults, errors.New("token: must be one word of ASCII characters, as a header takes it"))
	}
	return faults
}

// splitKey is the task and the key of "task_id/key" or "key". A task id has no slash.
func splitKey(text string) (task, key string) {
	if task, key, both := strings.Cut(text, "/"); both && task != "" {
		return task, key
	}
	return "", strings.TrimPrefix(text, "/")
}

// Close closes the connections that are kept open between calls.
func (b *Backend) Close() { b.connection.client.CloseIdleConnections() }

// ScheduleRetraining starts a DAG run. The job's id is the dag_run_id. It is final
// that the DAG isn't there, is paused or has import errors, that Airflow refuses the
// credentials or the request, and that the id belongs to a run that is not this
// retraining.
func (b *Backend) ScheduleRetraining(ctx context.Context, request modelops.Request) (modelops.Job, error) {
	if err := b.start(ctx, request); err != nil {
		return modelops.Job{}, fmt.Errorf("schedule retraining of %s through %s: %w", request.ModelName, b.where, err)
	}
	return modelops.Job{ID: runID(request.RequestID), Followed: true}, nil
}

func (b *Backend) start(ctx context.Context, request modelops.Request) error {
	if err := b.ready(ctx); err != nil {
		// Nothing may be started, but what an earlier try has started is still ours.
		if modelops.IsFinal(err) && b.isOurs(ctx, request) {
			return nil
		}
		return err
	}
	err := b.connection.call(ctx, http.MethodPost, b.path("dagRuns"), nil, newRun(request), nil)
	if statusOf(err) != http.StatusConflict {
		return err
	}

	existing, err := b.run(ctx, request)
	switch {
	case statusOf(err) == http.StatusNotFound: // deleted since; the next try starts it anew
		return fmt.Errorf("the DAG run %s was there, and is not any more", runID(request.RequestID))
	case err != nil:
		return err
	case !existing.is(request):
		return modelops.Final(fmt.Errorf("the DAG run %s is there, and is not this retraining: its conf carries another request_id; "+
			"let nothing else start runs of such ids there", runID(request.RequestID)))
	}

	return nil
}

// isOurs says whether the DAG run of a request is there.
func (b *Backend) isOurs(ctx context.Context, request modelops.Request) bool {
	existing, err := b.run(ctx, request)
	return err == nil && existing.is(request)
}

// ready is nil if the DAG's runs are run, or says why they aren't.
func (b *Backend) ready(ctx context.Context) error {
	var dag struct {
		IsPaused        bool `json:"is_paused"`
		IsStale         bool `json:"is_stale"`
		HasImportErrors bool `json:"has_import_errors"`
	}
	err := b.connection.call(ctx, http.MethodGet, b.path(), nil, nil, &dag)
	switch {
	case err != nil && statusOf(err) == http.StatusNotFound:
		return fmt.Errorf("%w; correct the dag in the backend's settings, or deploy the DAG", err)
	case err != nil:
		return err
	case dag.HasImportErrors: // the DAG may be stale for it
		return modelops.Final(errors.New("the DAG has import errors; mend its file (`airflow dags list-import-errors` tells them)"))
	case dag.IsStale:
		return modelops.Final(errors.New("no file defines the DAG any more; deploy it again, or correct the dag in the backend's settings"))
	case dag.IsPaused:
		return modelops.Final(fmt.Errorf("the DAG is paused, and a run of it would wait for ever; unpause it (`airflow dags unpause %s`, or its switch in the UI)", b.dag))
	}

	return nil
}

// CancelRetraining marks the DAG run as failed. The job may be empty, for the run is
// found by the request id. No such run, one that has ended, and one that is not this
// retraining are no error.
func (b *Backend) CancelRetraining(ctx context.Context, request modelops.Request, _ modelops.Job) error {
	if err := b.cancel(ctx, request); err != nil {
		return fmt.Errorf("cancel retraining of %s through %s: %w", request.ModelName, b.where, err)
	}
	return nil
}

func (b *Backend) cancel(ctx context.Context, request modelops.Request) error {
	existing, err := b.run(ctx, request)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return nil
	case err != nil:
		return err
	case !existing.is(request) || existing.hasEnded():
		return nil
	}

	// Airflow has no way to do this only if the run hasn't ended since.
	err = b.connection.call(ctx, http.MethodPatch, b.path("dagRuns", runID(request.RequestID)), nil, map[string]string{
		"state": stateFailed, "note": noteOf(request) + " (ended by its monitor)",
	}, nil)
	if statusOf(err) == http.StatusNotFound {
		return nil
	}

	return err
}

// path is below the DAG's.
func (b *Backend) path(segments ...string) string {
	path := "/api/v2/dags/" + url.PathEscape(b.dag)
	for _, segment := range segments {
		path += "/" + url.PathEscape(segment)
	}
	return path
}
