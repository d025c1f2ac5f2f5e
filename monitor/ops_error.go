package monitor

import "fmt"

// ModelOpsError says that a backend did not take, or could not follow, a
// retraining. It wraps the backend's own error.
type ModelOpsError struct {
	Backend   string
	RequestID string
	// Final is true when asking again cannot help, such as a request the
	// backend has refused; otherwise the call may be tried again.
	Final bool
	Err   error
}

func (e *ModelOpsError) Error() string {
	return fmt.Sprintf("backend %q, retraining %s: %v", e.Backend, e.RequestID, e.Err)
}

// Unwrap returns the backend's own error.
func (e *ModelOpsError) Unwrap() error { return e.Err }
