package hub

import (
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
