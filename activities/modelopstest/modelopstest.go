// Package modelopstest holds a backend to what a monitor relies on: that a request
// is one job, however often and however badly it is asked for; that a job is
// followed to its end and can be cancelled; that errors say whether asking again
// can help, and tell no secret.
//
//	func TestModelOps(t *testing.T) {
//		modelopstest.TestModelOps(t, modelopstest.Harness{
//			New:  func(t *testing.T) modelops.ModelOps { return newBackend(t, system.URL) },
//			Jobs: func(t *testing.T, requestID string) int { return system.count(requestID) },
//			…
//		})
//	}
//
// The backend is called as a worker calls it, through activities.Retraining. Run
// it against the real system rather than a mock of it.
package modelopstest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

// Harness is a backend's system as the suite handles it. New and Jobs must be
// given; what else is nil leaves out the tests that need it, and they are shown as
// skipped. All of them end the test by t when they can't do their work.
type Harness struct {
	// New returns a new backend over the same system, as a worker that was just
	// started has one. It registers what is to be closed with t.Cleanup.
	New func(t *testing.T) modelops.ModelOps
	// Jobs counts the system's jobs that carry a request id, running or ended.
	Jobs func(t *testing.T, requestID string) int

	// Succeed lets the running job of a request succeed, with this new model version.
	Succeed func(t *testing.T, requestID, modelVersion string)
	// Fail lets the running job of a request fail, with this message.
	Fail func(t *testing.T, requestID, message string)
	// HasEnded says whether the job of a request does not run any more.
	HasEnded func(t *testing.T, requestID string) bool
	// Forget deletes the job of a request, as by hand.
	Forget func(t *testing.T, requestID string)

	// Stranger puts a job that carries another request id into the system, by the
	// very name that the backend would give to the job of this request. Left nil
	// where the system's jobs have no names that a client chooses. isRunning says
	// whether that job still runs.
	Stranger func(t *testing.T, request modelops.Request) (isRunning func() bool)
	// LoseAnswer makes the next call that starts a job do so and go unanswered: its
	// connection breaks off, or its caller gets an error.
	LoseAnswer func(t *testing.T)
	// Away makes the system unreachable until back is called.
	Away func(t *testing.T) (back func())
	// Refuse makes the system refuse every request for good until undo is called:
	// wrong credentials, say, or a job description that isn't there.
	Refuse func(t *testing.T) (undo func())
	// Throttle makes the system ask for less until undo is called.
	Throttle func(t *testing.T) (undo func())

	// Secrets are texts that no error may hold.
	Secrets []string
	// Timeout ends a wait for what does not come; zero means minutes. It is no
	// bound of how long the system may take, which depends on the machine.
	Timeout time.Duration
}

// defaultTimeout is minutes more than a system takes on a busy machine.
const defaultTimeout = patience.Limit

// TestModelOps runs the suite, a subtest for each demand. A backend that isn't an
// modelops.Follower or an modelops.Canceller isn't held to what these promise.
func TestModelOps(t *testing.T, h Harness) {
	if h.New == nil || h.Jobs == nil {
		t.Fatal("modelopstest: Harness.New and Harness.Jobs must be given")
	}
	if h.Timeout <= 0 {
		h.Timeout = defaultTimeout
	}
	t.Run("one job", h.testOneJob)
	t.Run("follow", h.testFollow)
	t.Run("cancel", h.testCancel)
	t.Run("errors", h.testErrors)
}

// name is what the backend under test is called.
const name = "subject"

// subject is one backend object, called as by a worker.
type subject struct {
	h       Harness
	backend modelops.ModelOps
	calls   activities.Retraining
}

func (h Harness) subject(t *testing.T) subject {
	t.Helper()
	backend := h.New(t)
	return subject{h, backend, activities.Retraining{
		Backends: map[string]modelops.ModelOps{name: backend}, Default: name, PollInterval: time.Second,
	}}
}

// breach is a request that was never asked for, of a model whose name is not easy.
func breach() modelops.Request {
	const model = "Betrugsprüfung, EU/v2"
	return modelops.Request{
		RequestID: contract.WorkflowID(model) + "/" + uuid.NewString() + "/1", ModelName: model, ModelVersion: "v7",
		Reason: "accuracy 0.8000 below threshold 0.9000", Rule: "accuracy", Metric: "accuracy",
		Value: new(0.8), Threshold: new(0.9), TriggeredAt: time.Now().UTC().Truncate(time.Millisecond),
		Params: map[string]json.RawMessage{"epochs": json.RawMessage("3"), "note": json.RawMessage(`"it's \"quoted\""`)},
	}
}

// schedule asks once.
func (s subject) schedule(ctx context.Context, t *testing.T, request modelops.Request) (modelops.Job, *temporal.ApplicationError) {
	t.Helper()
	job, err := s.calls.ScheduleRetraining(ctx, activities.Call{Request: request})
	return stored(t, job), s.told(t, err)
}

// scheduled asks until it is answered, as Temporal does.
func (s subject) scheduled(t *testing.T, request modelops.Request) modelops.Job {
	t.Helper()
	var job modelops.Job
	s.h.eventually(t, "the request is taken", func() bool {
		var err *temporal.ApplicationError
		job, err = s.schedule(t.Context(), t, request)
		if err == nil {
			return true
		}

		if err.NonRetryable() {
			t.Fatalf("refused for good: %v", err)
		}
		return false
	})
	return job
}

// ask asks once after a job.
func (s subject) ask(t *testing.T, request modelops.Request, job modelops.Job) (modelops.Outcome, *temporal.ApplicationError) {
	t.Helper()
	outcome, err := s.calls.AwaitRetraining(t.Context(), activities.Call{Backend: name, Request: request, Job: job})
	return outcome, s.told(t, err)
}

// cancel asks once for a job's end.
func (s subject) cancel(t *testing.T, request modelops.Request, job modelops.Job) *temporal.ApplicationError {
	t.Helper()
	request.Params = nil // as a monitor does
	return s.told(t, s.calls.CancelRetraining(t.Context(), activities.Call{Backend: name, Request: request, Job: job}))
}

// told is what Temporal is told of an error.
func (s subject) told(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	if err == nil {
		return nil
	}

	var application *temporal.ApplicationError
	if !errors.As(err, &application) {
		t.Errorf("no application error, but a %T", err)
		application = &temporal.ApplicationError{}
	}
	if permanent := application.Type() == activities.ErrorPermanent; permanent != application.NonRetryable() {
		t.Errorf("type %s, but non-retryable: %v", application.Type(), application.NonRetryable())
	}
	message := application.Message()
	for _, secret := range s.h.Secrets {
		message = strings.ReplaceAll(message, secret, "<a secret>")
	}
	if message != application.Message() {
		t.Errorf("an error tells a secret: %s", message)
	}
	options := temporal.ApplicationErrorOptions{NonRetryable: application.NonRetryable()}
	clean := temporal.NewApplicationErrorWithOptions(message, application.Type(), options)
	_ = errors.As(clean, &application)
	return application
}

// stored is a job as a monitor keeps it.
func stored(t *testing.T, job modelops.Job) modelops.Job {
	t.Helper()
	encoded, err := json.Marshal(job)
	var kept modelops.Job
	if err == nil {
		err = json.Unmarshal(encoded, &kept)
	}
	if err != nil {
		t.Errorf("a job that can't be kept: %v", err)
	}
	return kept
}

// expectJobs fails the test unless the system has come to this many jobs.
func (h Harness) expectJobs(t *testing.T, requestID string, want int) {
	t.Helper()
	if want > 0 {
		h.eventually(t, "the job is there", func() bool { return h.Jobs(t, requestID) > 0 })
	}
	if got := h.Jobs(t, requestID); got != want {
		t.Errorf("jobs of one request: got %d, want %d", got, want)
	}
}

// eventually waits for a fact.
func (h Harness) eventually(t *testing.T, what string, fact func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(h.Timeout); !fact(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", h.Timeout, what)
		}
	}
}

// need skips a test that the harness or the backend has not all for.
func need(t *testing.T, has bool, what string) {
	t.Helper()
	if !has {
		t.Skipf("not tested: no %s", what)
	}
}
