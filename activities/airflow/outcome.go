package airflow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

const (
	// maxMessageBytes is how much of a task's own words is kept in an outcome.
	maxMessageBytes = 1000
	// maxPage is how many entries Airflow gives at once ([api] maximum_page_limit).
	maxPage = 100
	// anyTask stands for all tasks of a run in a path.
	anyTask = "~"
)

// RetrainingOutcome asks once whether the DAG run has ended, and how.
func (b *Backend) RetrainingOutcome(ctx context.Context, request modelops.Request, _ modelops.Job) (modelops.Outcome, error) {
	outcome, err := b.outcome(ctx, request)
	if err != nil {
		return modelops.Outcome{}, fmt.Errorf("ask after run %s of %s: %w", runID(request.RequestID), b.where, err)
	}
	return outcome, nil
}

func (b *Backend) outcome(ctx context.Context, request modelops.Request) (modelops.Outcome, error) {
	run, err := b.run(ctx, request)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return modelops.Outcome{}, fmt.Errorf("%w (has it been deleted, or is the backend configured for another DAG now?)", err)
	case err != nil:
		return modelops.Outcome{}, err
	case !run.is(request):
		return modelops.Outcome{}, modelops.Final(errors.New("it is a run that is not this retraining: its conf carries another request_id"))
	}

	id := runID(request.RequestID)
	switch run.State {
	case stateSuccess:
		return b.success(ctx, id)
	case stateFailed:
		return b.failure(ctx, id)
	case stateRunning:
		return modelops.Outcome{}, modelops.ErrRunning
	case stateQueued:
		if err := b.ready(ctx); modelops.IsFinal(err) { // for a run that waits it isn't: somebody may mend it
			return modelops.Outcome{}, fmt.Errorf("%w: it is queued, but %s", modelops.ErrRunning, err.Error())
		}
		return modelops.Outcome{}, modelops.ErrRunning
	}

	return modelops.Outcome{}, fmt.Errorf("its state is %q, which is none of %s, %s, %s and %s", plain.Excerpt(run.State, maxExcerptBytes),
		stateQueued, stateRunning, stateSuccess, stateFailed)
}

// success is the outcome of a run that has succeeded. What can't be learned of its
// model version for good is told, and costs nothing else.
func (b *Backend) success(ctx context.Context, run string) (modelops.Outcome, error) {
	version, err := b.modelVersion(ctx, run)
	if err != nil && !modelops.IsFinal(err) {
		return modelops.Outcome{}, err
	}

	outcome := modelops.Outcome{State: modelops.Succeeded, ModelVersion: version}
	if err != nil {
		outcome.Message = plain.Excerpt(fmt.Sprintf("its model version is passed over: %v", err), maxMessageBytes)
	}
	return outcome, nil
}

// failure is the outcome of a run that has failed, in the words of the task that
// failed first. What can't be learned of them costs nothing else.
func (b *Backend) failure(ctx context.Context, run string) (modelops.Outcome, error) {
	failed, err := b.failedTasks(ctx, run)
	if err != nil && !modelops.IsFinal(err) {
		return modelops.Outcome{}, err
	}

	var message string
	switch {
	case err != nil:
		message = fmt.Sprintf("the DAG run failed; which task did can't be asked: %v", err)
	case len(failed.Instances) == 0:
		message = "the DAG run failed, and none of its tasks did: it was marked so, or took longer than its dagrun_timeout"
	default:
		first := failed.Instances[0]
		message = "task " + first.String() + " failed"
		if reason := b.lastError(ctx, run, first); reason != "" {
			message += ": " + reason
		}
		message = plain.Excerpt(message, maxMessageBytes) + failed.others()
	}

	return modelops.Outcome{State: modelops.Failed, Message: plain.Excerpt(message, maxMessageBytes+maxExcerptBytes)}, nil
}

// modelVersion is what the XCom that was pushed last tells of it, by any task where
// none is configured. Its error is final where there is none, or what there is can be
// no version.
func (b *Backend) modelVersion(ctx context.Context, run string) (string, error) {
	var list struct {
		Entries []xcom `json:"xcom_entries"`
	}
	err := b.connection.call(ctx, http.MethodGet, b.path("dagRuns", run, "taskInstances", cmp.Or(b.task, anyTask), "xcomEntries"),
		url.Values{"xcom_key": {b.key}, "limit": {strconv.Itoa(maxPage)}}, nil, &list)
	if err != nil {
		return "", err
	}
	if len(list.Entries) == 0 {
		return "", modelops.Final(fmt.Errorf("the XCom %q of %s is not there", b.key, cmp.Or(b.task, "any task")))
	}

	last := slices.MaxFunc(list.Entries, func(a, b xcom) int { return a.Timestamp.Compare(b.Timestamp) })
	var entry struct {
		Value json.RawMessage `json:"value"`
	}
	err = b.connection.call(ctx, http.MethodGet, b.path("dagRuns", run, "taskInstances", last.TaskID, "xcomEntries", b.key),
		url.Values{"map_index": {strconv.Itoa(last.MapIndex)}}, nil, &entry)
	if err != nil {
		return "", err
	}

	version, err := modelops.Version(entry.Value)
	if err != nil {
		return "", modelops.Final(err)
	}
	return version, nil
}

// xcom is an entry of the list of XComs.
type xcom struct {
	TaskID    string    `json:"task_id"`
	MapIndex  int       `json:"map_index"`
	Timestamp time.Time `json:"timestamp"`
}
