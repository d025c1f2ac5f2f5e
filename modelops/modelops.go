package modelops

import (
	"context"
)

// ModelOps takes retraining requests. Implement it to add a backend.
type ModelOps interface {
	// ScheduleRetraining asks for a retraining and returns without waiting for
	// it. It is idempotent on request.RequestID: the same id again answers with
	// the same job and starts none. A job that exists already counts as this one
	// only if it carries the request id. An error is tried again with growing
	// pauses, unless it is marked by Final; RetryAfter says how long to wait. No
	// error may tell a secret: it goes into the monitor's history.
	ScheduleRetraining(ctx context.Context, request Request) (Job, error)
}

// Follower is a ModelOps that can be asked what became of a job. It is asked
// only about jobs that it answered with Followed set. The outcome's RequestID is
// filled in by whoever asks.
type Follower interface {
	// RetrainingOutcome asks after a job once. It returns ErrRunning while there
	// is no outcome; any other error is tried again, unless marked by Final.
	RetrainingOutcome(ctx context.Context, request Request, job Job) (Outcome, error)
}

// Canceller is a ModelOps that can be told to end a retraining.
type Canceller interface {
	// CancelRetraining ends the retraining that a request asked for; job is empty
	// where the request was never answered. One that has ended already, or was never
	// begun, is no error. Any other error is tried again, unless marked by Final.
	CancelRetraining(ctx context.Context, request Request, job Job) error
}

// Checker is a ModelOps that can say, without starting anything, what would keep it
// from retraining. `modelvigil doctor` asks it.
type Checker interface {
	// Check returns nil, or an error that joins what is to be mended, one each.
	Check(ctx context.Context) error
}
