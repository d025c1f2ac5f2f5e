package activities

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/modelops"
)

// Types of the application errors of these activities. Their message is a
// modelops.Error's, ErrorFrozen's the gate's; only ErrorPermanent and
// ErrorFrozen are non-retryable.
const (
	ErrorPermanent = "ModelOpsPermanent" // marked by Final: somebody must mend something
	ErrorTransient = "ModelOpsTransient" // everything that has no other type
	ErrorThrottled = "ModelOpsThrottled" // marked by RetryAfter or Throttled: the backend asks for less
	ErrorRunning   = "ModelOpsRunning"   // ErrRunning: no error, there is no outcome yet
	ErrorFrozen    = "ModelOpsHeld"      // the gate is closed; the monitor asks again
)

// IsFrozen says whether an activity's error is the gate's word.
func IsFrozen(err error) bool {
	var application *temporal.ApplicationError
	return errors.As(err, &application) && application.Type() == ErrorFrozen
}

// typeOf is the type under which Temporal is told of an error.
func typeOf(err error) string {
	switch {
	case modelops.IsFinal(err):
		return ErrorPermanent
	case errors.Is(err, modelops.ErrRunning):
		return ErrorRunning
	case modelops.IsThrottled(err):
		return ErrorThrottled
	}
	return ErrorTransient
}
