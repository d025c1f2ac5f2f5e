package hub

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// NotDurableError says which events are not durable, and why. Those that a
// monitor refused are lost, and so is the rest once the hub is closed; until then it
// may still be delivered.
type NotDurableError struct {
	Events map[string]int64 // by model
	Err    error
}

func (e *NotDurableError) Error() string {
	const most = 5
	models := slices.Sorted(maps.Keys(e.Events))
	named := make([]string, 0, most)
	for _, model := range models[:min(most, len(models))] {
		named = append(named, fmt.Sprintf("%d of model %q", e.Events[model], model))
	}
	text := strings.Join(named, ", ")
	if more := len(models) - most; more > 0 {
		text += fmt.Sprintf(" and of %d models more", more)
	}
	return fmt.Sprintf("events not durable: %s: %v", text, e.Err)
}

// Unwrap returns the cause.
func (e *NotDurableError) Unwrap() error { return e.Err }

// ErrClosed is the kind of every error about a hub that takes no more
// events. errors.Is finds it through whatever wraps it.
var ErrClosed = errors.New("hub is closed")

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
