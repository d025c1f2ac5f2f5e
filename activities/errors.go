package activities

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
)

// Types of the application errors of these activities. Their message is a
// monitor.ModelOpsError's, ErrorHeld's the gate's; only ErrorPermanent and
// ErrorHeld are non-retryable.
const (
	ErrorPermanent = "ModelOpsPermanent" // marked by Final: somebody must mend something
	ErrorTransient = "ModelOpsTransient" // everything that has no other type
	ErrorThrottled = "ModelOpsThrottled" // marked by RetryAfter or Throttled: the backend asks for less
	ErrorRunning   = "ModelOpsRunning"   // ErrRunning: no error, there is no outcome yet
	ErrorHeld      = "ModelOpsHeld"      // the gate is closed; the monitor asks again
)

// ErrRunning is a Follower's answer while the retraining is under way.
var ErrRunning = errors.New("retraining is under way")

// Final marks an error that asking again cannot help, such as a request that
// the backend refuses; nil stays nil.
func Final(err error) error {
	if err == nil {
		return nil
	}
	return &finalError{err}
}

// IsFinal says whether an error is marked by Final.
func IsFinal(err error) bool {
	var final *finalError
	return errors.As(err, &final)
}

type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// RetryAfter marks an error with the pause, above zero, that the backend asked
// for before the next try; nil stays nil.
func RetryAfter(pause time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &throttledError{pause, err}
}

// Throttled marks an error by which the backend asks for less and doesn't say
// for how long; nil stays nil.
func Throttled(err error) error { return RetryAfter(0, err) }

// IsThrottled says whether an error is marked by RetryAfter or Throttled.
func IsThrottled(err error) bool {
	var throttled *throttledError
	return errors.As(err, &throttled)
}

type throttledError struct {
	pause time.Duration // zero: the backend didn't say
	err   error
}

func (e *throttledError) Error() string {
	if e.pause <= 0 {
		return e.err.Error()
	}
	return fmt.Sprintf("%v (retry after %v)", e.err, e.pause)
}

func (e *throttledError) Unwrap() error { return e.err }

// IsHeld says whether an activity's error is the gate's word.
func IsHeld(err error) bool {
	var application *temporal.ApplicationError
	return errors.As(err, &application) && application.Type() == ErrorHeld
}

// typeOf is the type under which Temporal is told of an error.
func typeOf(err error) string {
	switch {
	case IsFinal(err):
		return ErrorPermanent
	case errors.Is(err, ErrRunning):
		return ErrorRunning
	case IsThrottled(err):
		return ErrorThrottled
	}
	return ErrorTransient
}
