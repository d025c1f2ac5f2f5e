// Package webhook is the backend named "webhook": it posts each retraining
// request to an HTTP endpoint, signed, and asks the endpoint what became of it.
//
// # The request
//
// A POST of one CloudEvent 1.0 in structured mode (Event). It is signed by
// Standard Webhooks (https://www.standardwebhooks.com) where a secret is
// configured: the headers webhook-id, webhook-timestamp (of this attempt) and
// webhook-signature. The event's id is the request id. A receiver must take the
// same id for the same job: every doubtful delivery is made again.
//
// # The answer
//
// 2xx accepts; so does 409, which says that this request id is known already.
// The body may be empty or hold {"job_id": …, "status_url": …}; further fields
// are passed over. The status alone accepts: a body that can't be used costs the
// job's id or its following, and a line in the log, but neither fires a second
// job nor loses the first.
//
// 408, 429 and 5xx, and no answer at all, are tried again; 429 and 503 after
// Retry-After. Every other status is final. A redirect is followed if it is a
// 307 or 308 within the same scheme, host and port, so that a signature reaches
// nobody but the configured endpoint.
//
// # The status
//
// A status_url, absolute or relative to the endpoint, is at the endpoint's own
// origin or at one of Config.StatusOrigins; a job with another one is not followed.
// It is asked with GET for
// {"state": "running" | "succeeded" | "failed", "message": …, "model_version": …};
// only 2xx is an answer, and statuses are classed as above. These requests are
// signed too, with the same webhook-id and an empty body, provided that the
// status_url has the endpoint's scheme, host and port; anywhere else they go
// unsigned, and the address itself has to be the secret.
package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/modelvigil/modelvigil/modelops"
)

// Backend posts retraining requests. It is safe for concurrent use.
type Backend struct {
	*Endpoint
	log *slog.Logger
}

var (
	_ modelops.ModelOps  = (*Backend)(nil)
	_ modelops.Follower  = (*Backend)(nil)
	_ modelops.Canceller = (*Backend)(nil)
)

// New returns a backend, or an error that names every fault of the
// configuration and never its secrets.
func New(config Config) (*Backend, error) {
	endpoint, err := NewEndpoint(config)
	if err != nil {
		return nil, err
	}
	return &Backend{endpoint, cmp.Or(config.Logger, slog.Default())}, nil
}

// ScheduleRetraining posts the request. The job has the id and the status_url
// that the endpoint answers with, and is followed if there is a status_url.
func (b *Backend) ScheduleRetraining(ctx context.Context, request modelops.Request) (modelops.Job, error) {
	job, err := b.schedule(ctx, request)
	if err != nil {
		return modelops.Job{}, fmt.Errorf("schedule retraining of %s: %w", request.ModelName, err)
	}
	return job, nil
}

func (b *Backend) schedule(ctx context.Context, request modelops.Request) (modelops.Job, error) {
	answer, err := b.post(ctx, request.RequestID, newEvent(request))
	if err != nil {
		return modelops.Job{}, err
	}

	job, err := answer.job(b.mayAsk)
	if err != nil {
		b.log.WarnContext(ctx, "retraining is scheduled, but not all of the endpoint's answer can be used",
			"model_name", request.ModelName, "request_id", request.RequestID,
			"job_id", job.ID, "followed", job.Followed, "error", err)
	}
	return job, nil
}

// RetrainingOutcome asks the job's status_url once.
func (b *Backend) RetrainingOutcome(ctx context.Context, request modelops.Request, job modelops.Job) (modelops.Outcome, error) {
	outcome, err := b.ask(ctx, request, job)
	if err != nil {
		return modelops.Outcome{}, fmt.Errorf("ask after retraining of %s: %w", request.ModelName, err)
	}
	return outcome, nil
}

func (b *Backend) ask(ctx context.Context, request modelops.Request, job modelops.Job) (modelops.Outcome, error) {
	status, err := parseURL(job.StatusURL)
	if err != nil {
		return modelops.Outcome{}, modelops.Final(fmt.Errorf("status_url: %w", err))
	}
	if err := b.mayAsk(status); err != nil {
		return modelops.Outcome{}, modelops.Final(err)
	}

	answer, err := b.exchange(ctx, http.MethodGet, status, request.RequestID, nil)
	if err != nil {
		return modelops.Outcome{}, err
	}
	if !answer.ok() {
		return modelops.Outcome{}, answer.refusal()
	}

	outcome, err := answer.outcome()
	outcome.RequestID = request.RequestID
	return outcome, err
}

// CancelRetraining asks for the job's end by DELETE of its status_url. 404 and 410
// mean that it has ended.
func (b *Backend) CancelRetraining(ctx context.Context, request modelops.Request, job modelops.Job) error {
	if err := b.cancel(ctx, request, job); err != nil {
		return fmt.Errorf("cancel retraining of %s: %w", request.ModelName, err)
	}
	return nil
}

func (b *Backend) cancel(ctx context.Context, request modelops.Request, job modelops.Job) error {
	if job.StatusURL == "" {
		return modelops.Final(errors.New("the endpoint gave no status_url to DELETE; end it there by hand"))
	}
	status, err := parseURL(job.StatusURL)
	if err != nil {
		return modelops.Final(fmt.Errorf("status_url: %w", err))
	}
	if err := b.mayAsk(status); err != nil {
		return modelops.Final(err)
	}

	answer, err := b.exchange(ctx, http.MethodDelete, status, request.RequestID, nil)
	switch {
	case err != nil:
		return err
	case answer.ok(), answer.status == http.StatusNotFound, answer.status == http.StatusGone:
		return nil
	}

	return answer.refusal()
}
