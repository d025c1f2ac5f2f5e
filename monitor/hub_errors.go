package monitor

import (
	"errors"
	"fmt"
)

// ErrHubClosed is the kind of every error about a hub that takes no more
// events. errors.Is finds it through whatever wraps it.
var ErrHubClosed = errors.New("hub is closed")

// ErrMonitorStopped is what a publisher is told when its model's monitor was
// ended by an operator: late events do not raise it again.
var ErrMonitorStopped = errors.New("monitor stopped")

// ObserverError says that an observer failed on an event. It wraps the
// observer's own error.
type ObserverError struct {
	Observer string // the name it was registered under
	Err      error
}

func (e *ObserverError) Error() string { return fmt.Sprintf("observer %q: %v", e.Observer, e.Err) }

// Unwrap returns the observer's own error.
func (e *ObserverError) Unwrap() error { return e.Err }
