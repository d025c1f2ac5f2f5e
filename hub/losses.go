package hub

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// lossMemory is how long after a loss each Flush names it at least. Who publishes
// and flushes mostly does so within a request or a batch; a loss named for ever
// would make each Flush of a long-lived process fail after a single one.
const lossMemory = time.Hour

// losses count the events of one model that a monitor refused for good, or whose
// batch was given up. Two marks tell the old ones from the others: a mark that is
// lossMemory old has only losses below it that are as old at least.
type losses struct {
	total  int64 // ever
	why    error // of the last one
	faded  int64 // of total, those that Flush names no longer
	marked int64 // total when the mark was set
	markAt time.Time
}

func (l *losses) add(events int64, why error) {
	l.total += events
	l.why = why
}

// fade forgets what is old enough, once all of total was told to a Flush.
func (l *losses) fade(now time.Time) {
	if now.Sub(l.markAt) < lossMemory {
		return
	}
	l.faded = l.marked
	l.marked = l.total
	l.markAt = now
}

// fadedLosses is how many of the pipe's first losses Flush names no longer.
func (p *pipe) fadedLosses() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.losses.faded
}

// fadeLosses lets those fade that are old, once all were told.
func (p *pipe) fadeLosses() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losses.fade(p.hub.now())
}

// lost counts the events that were ever lost.
func (p *pipe) lost() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.losses.total
}

// missed are events that are not durable, and why.
type missed struct {
	events int64
	causes []error
}

// missing returns the events lost beyond the first so many and, where a wait for
// the others failed, those that are pending. It looks once, so that a batch that is
// refused at this moment is counted as the one or the other.
func (p *pipe) missing(known int64, waiting error) (m missed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if lost := p.losses.total - known; lost > 0 {
		m.events += lost
		m.causes = append(m.causes, p.losses.why)
	}

	if waiting == nil {
		return m
	}

	if pending := p.unsettled(); pending > 0 {
		m.events += pending
		m.causes = append(m.causes, waiting)
	}

	return m
}

// shortfall sums up what is missed over models; its zero value is nothing.
type shortfall struct {
	events map[string]int64
	causes map[string]error // by their text, each once
}

func (s *shortfall) add(model string, m missed) {
	if m.events == 0 {
		return
	}

	if s.events == nil {
		s.events = map[string]int64{}
		s.causes = map[string]error{}
	}
	s.events[model] += m.events
	for _, cause := range m.causes {
		s.causes[cause.Error()] = cause
	}
}

// err is a *NotDurableError, or nil where nothing is missed.
func (s *shortfall) err() error {
	if len(s.events) == 0 {
		return nil
	}
	causes := make([]error, 0, len(s.causes))
	for _, text := range slices.Sorted(maps.Keys(s.causes)) {
		causes = append(causes, s.causes[text])
	}
	return &NotDurableError{Events: s.events, Err: errors.Join(causes...)}
}

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

// ErrMonitorStopped is what a publisher is told when its model's monitor was
// ended by an operator: late events do not raise it again.
var ErrMonitorStopped = errors.New("monitor stopped")
