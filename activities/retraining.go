package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/modelops"
)

// DefaultPollInterval is how often a retraining under way is asked after.
const DefaultPollInterval = 15 * time.Second

// Retraining holds the activities, and what they depend on. Register it on a
// worker of the retraining task queue.
type Retraining struct {
	Backends     map[string]modelops.ModelOps // by the name that policies use
	Default      string                       // the backend of policies that name none
	PollInterval time.Duration                // zero means DefaultPollInterval
	Gate         Gate                         // asked before every retraining; nil lets all pass
}

// Gate holds retrainings back, for reasons that no single model knows.
type Gate interface {
	// Permit says why a model must not be retrained now, or "". An error is tried
	// again.
	Permit(ctx context.Context, model, team string) (frozen string, err error)
}

// maxMessageBytes bounds an error's text. What is longer, or no UTF-8, can't be
// told to the server: the call would seem to hang, and be made again.
const maxMessageBytes = 2000

// Call is the argument of both activities.
type Call struct {
	Backend string           `json:"backend,omitempty"` // empty means the worker's default
	Team    string           `json:"team,omitempty"`    // the policy's, for ScheduleRetraining
	Request modelops.Request `json:"request"`
	Job     modelops.Job     `json:"job,omitzero"` // for AwaitRetraining
}

// ScheduleRetraining asks the backend for a retraining. Temporal retries it
// until the backend has taken the request or has refused it for good. While the
// gate is closed it fails with ErrorFrozen, and has asked nobody.
func (r *Retraining) ScheduleRetraining(ctx context.Context, call Call) (modelops.Job, error) {
	name, backend, err := r.backend(call)
	if err != nil {
		return modelops.Job{}, r.failure(name, call, err)
	}

	defer keepAlive(ctx)()
	if r.Gate != nil {
		frozen, err := r.Gate.Permit(ctx, call.Request.ModelName, call.Team)
		if err != nil {
			return modelops.Job{}, r.failure(name, call, fmt.Errorf("ask whether the fleet is frozen: %w", err))
		}
		if frozen != "" {
			return modelops.Job{}, temporal.NewNonRetryableApplicationError(frozen, ErrorFrozen, nil)
		}
	}

	var job modelops.Job
	err = measured(ctx, MetricBackendCall, ofBackend(name, callSchedule), func() (err error) {
		job, err = backend.ScheduleRetraining(ctx, call.Request)
		return err
	})
	if err != nil {
		return modelops.Job{}, r.failure(name, call, err)
	}

	_, follows := backend.(modelops.Follower)
	job.Backend = name
	job.Followed = job.Followed && follows
	return job, nil
}

// AwaitRetraining asks the backend what became of a job, once; while it is under
// way the activity fails with the poll interval as its retry delay. Such retries
// add nothing to the workflow's history.
func (r *Retraining) AwaitRetraining(ctx context.Context, call Call) (modelops.Outcome, error) {
	name, backend, err := r.backend(call)
	if err != nil {
		return modelops.Outcome{}, r.failure(name, call, err)
	}
	follower, follows := backend.(modelops.Follower)
	if !follows {
		return modelops.Outcome{}, r.failure(name, call, modelops.Final(errors.New("can't be asked for an outcome any more")))
	}

	defer keepAlive(ctx)()
	var outcome modelops.Outcome
	err = measured(ctx, MetricBackendCall, ofBackend(name, callAwait), func() (err error) {
		outcome, err = follower.RetrainingOutcome(ctx, call.Request, call.Job)
		if err == nil && outcome.State != modelops.Succeeded && outcome.State != modelops.Failed {
			err = fmt.Errorf("answered with state %q, neither %q nor %q", outcome.State, modelops.Succeeded, modelops.Failed)
		}
		if err == nil {
			err = modelops.ValidateVersion(outcome.ModelVersion)
		}
		return err
	})
	if err != nil {
		return modelops.Outcome{}, r.failure(name, call, err)
	}

	outcome.RequestID = call.Request.RequestID
	return outcome, nil
}

// CancelRetraining tells the backend to end a retraining that an operator has
// cancelled, or that took too long.
func (r *Retraining) CancelRetraining(ctx context.Context, call Call) error {
	name, backend, err := r.backend(call)
	if err != nil {
		return r.failure(name, call, err)
	}
	canceller, cancels := backend.(modelops.Canceller)
	if !cancels {
		return r.failure(name, call, modelops.Final(errors.New("can't be told to end a retraining; end it there by hand")))
	}

	defer keepAlive(ctx)()
	err = measured(ctx, MetricBackendCall, ofBackend(name, callCancel), func() error { return canceller.CancelRetraining(ctx, call.Request, call.Job) })
	if err != nil {
		return r.failure(name, call, err)
	}

	return nil
}

// HeartbeatTimeout is after how long without a sign of life a call is taken for
// lost, and made again: the longest that the crash of a worker holds one up.
const HeartbeatTimeout = 10 * time.Second

// keepAlive shows that a call is under way until the returned function is called.
func keepAlive(ctx context.Context) (stop func()) {
	if !activity.IsActivity(ctx) { // called by a test of a backend
		return func() {}
	}

	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(HeartbeatTimeout / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func (r *Retraining) backend(call Call) (string, modelops.ModelOps, error) {
	name := call.Backend
	if name == "" {
		name = r.Default
	}
	backend, known := r.Backends[name]
	if !known {
		names := strings.Join(slices.Sorted(maps.Keys(r.Backends)), ", ")
		return name, nil, modelops.Final(fmt.Errorf("this worker has no such backend, only %s; correct the policy's retraining.backend or configure the worker", names))
	}
	return name, backend, nil
}

// failure is a backend's error in the form that tells Temporal whether and when
// to try again.
func (r *Retraining) failure(name string, call Call, err error) error {
	options := temporal.ApplicationErrorOptions{NonRetryable: modelops.IsFinal(err), NextRetryDelay: modelops.PauseOf(err)}
	switch {
	case options.NextRetryDelay > 0:
	case call.Job.Backend != "": // a poll, tried again at its own pace
		options.NextRetryDelay = r.PollInterval
		if options.NextRetryDelay <= 0 {
			options.NextRetryDelay = DefaultPollInterval
		}
	}

	if errors.Is(err, modelops.ErrRunning) {
		options.Category = temporal.ApplicationErrorCategoryBenign
	}
	wrapped := &modelops.Error{Backend: name, RequestID: call.Request.RequestID, Final: options.NonRetryable, Err: err}
	message := wrapped.Error()
	message = strings.ToValidUTF8(message[:min(len(message), maxMessageBytes)], "\uFFFD")
	return temporal.NewApplicationErrorWithOptions(message, typeOf(err), options)
}
