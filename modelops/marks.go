package modelops

import (
	"errors"
	"fmt"
	"time"
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

// PauseOf is the pause that RetryAfter has put on an error; 0 where there is none.
func PauseOf(err error) time.Duration {
	var throttled *throttledError
	if !errors.As(err, &throttled) {
		return 0
	}
	return max(0, throttled.Pause)
}

type throttledError struct {
	Pause time.Duration // zero: the backend didn't say
	err   error
}

func (e *throttledError) Error() string {
	if e.Pause <= 0 {
		return e.err.Error()
	}
	return fmt.Sprintf("%v (retry after %v)", e.err, e.Pause)
}

func (e *throttledError) Unwrap() error { return e.err }
