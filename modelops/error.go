package modelops

import "fmt"

// Error says that a backend did not take, or could not follow, a
// retraining. It wraps the backend's own error.
type Error struct {
	Backend   string
	RequestID string
	// Final is true when asking again cannot help, such as a request the
	// backend has refused; otherwise the call may be tried again.
	Final bool
	Err   error
}

func (e *Error) Error() string {
	return fmt.Sprintf("backend %q, retraining %s: %v", e.Backend, e.RequestID, e.Err)
}

// Unwrap returns the backend's own error.
func (e *Error) Unwrap() error { return e.Err }
