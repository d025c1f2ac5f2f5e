package airflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// The states of a DAG run.
const (
	stateQueued  = "queued"
	stateRunning = "running"
	stateSuccess = "success"
	stateFailed  = "failed"
)

const (
	// maxReadableBytes is how much of a request id is shown in a dag_run_id. With the
	// hash it stays below the 250 characters of Airflow's column, and the 255 bytes of
	// a directory's name, which task logs make of it.
	maxReadableBytes = 180
	// hashBytes of SHA-256 tell requests apart; in hex, so that a database that knows
	// no case tells them apart too.
	hashBytes = 16
	// maxNoteBytes leaves room in the 1,000 characters of Airflow's column.
	maxNoteBytes = 900
)

// newRun is the body that starts the DAG run of a request.
func newRun(request modelops.Request) any {
	return struct {
		DagRunID    string           `json:"dag_run_id"`
		LogicalDate *string          `json:"logical_date"` // null, and not left out
		Conf        modelops.Request `json:"conf"`
		Note        string           `json:"note"`
	}{DagRunID: runID(request.RequestID), Conf: request, Note: noteOf(request)}
}

func noteOf(request modelops.Request) string {
	return plain.Excerpt(strings.TrimSpace("Retrains "+request.ModelName+" "+request.ModelVersion)+": "+request.Reason, maxNoteBytes)
}

// dagRun is what is asked of a DAG run.
type dagRun struct {
	State string `json:"state"`
	Conf  struct {
		RequestID any `json:"request_id"` // a stranger's is anything
	} `json:"conf"`
}

// is says whether the run carries the id of a request.
func (r dagRun) is(request modelops.Request) bool {
	return request.RequestID != "" && r.Conf.RequestID == request.RequestID
}

func (r dagRun) hasEnded() bool { return r.State == stateSuccess || r.State == stateFailed }

// run asks after the DAG run of a request.
func (b *Backend) run(ctx context.Context, request modelops.Request) (run dagRun, err error) {
	err = b.connection.call(ctx, http.MethodGet, b.path("dagRuns", runID(request.RequestID)), nil, nil, &run)
	return run, err
}

// unsafe is what a dag_run_id is better without: a slash, a percent sign and two
// dots are refused by Airflow, and whatever else by somebody's file system.
var unsafe = regexp.MustCompile(`[^A-Za-z0-9_.-]+|\.\.+`)

// runID is the dag_run_id of a request: what can be read of the request id, its
// parts joined by "__" as in Airflow's own ids, and a hash of all of it.
//
//	model-monitor/fraud%20EU/7c1e…/3 → model-monitor__fraud-EU__7c1e…__3__9f86d081884c7d659a2feaa0c55ad015
func runID(requestID string) string {
	parts := strings.Split(requestID, "/")
	for i, part := range parts {
		if decoded, err := url.PathUnescape(part); err == nil {
			part = decoded
		}
		parts[i] = unsafe.ReplaceAllString(part, "-")
	}
	readable := strings.Join(parts, "__")
	hash := sha256.Sum256([]byte(requestID))
	return readable[:min(len(readable), maxReadableBytes)] + "__" + hex.EncodeToString(hash[:hashBytes])
}
