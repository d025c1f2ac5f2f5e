package hub

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/hub/internal/loss"
)

// lost are the events of the pipe that were ever lost.
func (p *pipe) lost() loss.Losses {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.losses
}

// fadeLosses lets those fade that are old, once all were told.
func (p *pipe) fadeLosses() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losses.Fade(p.hub.now())
}

// missing returns the events lost beyond the first so many and, where a wait for
// the others failed, those that are pending. It looks once, so that a batch that is
// refused at this moment is counted as the one or the other.
func (p *pipe) missing(known int64, waiting error) loss.Missed {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.losses.Beyond(known)
	if waiting == nil {
		return m
	}

	if pending := p.unsettled(); pending > 0 {
		m.Add(pending, waiting)
	}

	return m
}

// notDurable is a *NotDurableError, or nil where nothing is missed.
func notDurable(missing *loss.Shortfall) error {
	if len(missing.Events) == 0 {
		return nil
	}
	return &NotDurableError{Events: missing.Events, Err: missing.Cause()}
}

// NotDurableError says which events are not durable, and why. Those that a
// monitor refused are lost, and so is the rest once the hub is closed; until then it
// may still be delivered.
type NotDurableError struct {
	// Events are by model. With no name are those of models whose names are not kept: a
	// hub forgets idle ones, and keeps the names of the first thousand that had losses.
	Events map[string]int64
	Err    error
}

func (e *NotDurableError) Error() string {
	const most = 5
	models := slices.Sorted(maps.Keys(e.Events))
	named := make([]string, 0, most)
	for _, model := range models[:min(most, len(models))] {
		if model == loss.Others {
			named = append(named, fmt.Sprintf("%d of models that are forgotten", e.Events[model]))
			continue
		}
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

// ErrMonitorStopped is what a publisher is told when its model's monitor was
// ended by an operator: late events do not raise it again.
var ErrMonitorStopped = errors.New("monitor stopped")
