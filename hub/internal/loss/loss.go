// Package loss keeps the books of events that are lost: those that a monitor refused for
// good, and those whose batch was given up.
package loss

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is how long after a loss each Flush names it at least. Who publishes
// and flushes mostly does so within a request or a batch; a loss named for ever
// would make each Flush of a long-lived process fail after a single one.
const Memory = time.Hour

// Losses count the lost events of one model. Two marks tell the old ones from the
// others: a mark that is Memory old has only losses below it that are as old at least.
type Losses struct {
	total  int64 // ever
	why    error // of the last one
	faded  int64 // of total, those that Flush names no longer
	marked int64 // total when the mark was set
	markAt time.Time
}

// Add counts lost events.
func (l *Losses) Add(events int64, why error) {
	l.total += events
	l.why = why
}

// Fade forgets what is old enough, once all of them were told to a Flush.
func (l *Losses) Fade(now time.Time) {
	if now.Sub(l.markAt) < Memory {
		return
	}
	l.faded = l.marked
	l.marked = l.total
	l.markAt = now
}

// Total is how many events were ever lost.
func (l *Losses) Total() int64 { return l.total }

// Faded is how many of the first losses Flush names no longer.
func (l *Losses) Faded() int64 { return l.faded }

// Beyond are the losses but for the first so many.
func (l *Losses) Beyond(known int64) (m Missed) {
	if lost := l.total - known; lost > 0 {
		m.Add(lost, l.why)
	}
	return m
}

// merge adds the losses that came after l.
func (l *Losses) merge(later *Losses) {
	l.total += later.total
	l.why = later.why
	l.faded += later.faded
	l.marked += later.marked
	if later.markAt.After(l.markAt) {
		l.markAt = later.markAt
	}
}

// Missed are events that are not durable, and why.
type Missed struct {
	Events int64
	causes []error
}

// Add counts events that are missed for a cause.
func (m *Missed) Add(events int64, why error) {
	m.Events += events
	m.causes = append(m.causes, why)
}

// Join adds what else is missed.
func (m *Missed) Join(other Missed) {
	m.Events += other.Events
	m.causes = append(m.causes, other.causes...)
}

// Shortfall sums up what is missed over models; its zero value is nothing.
type Shortfall struct {
	Events map[string]int64 // by model
	causes map[string]error // by their text, each once
}

// Add counts what is missed of a model.
func (s *Shortfall) Add(model string, m Missed) {
	if m.Events == 0 {
		return
	}

	if s.Events == nil {
		s.Events = map[string]int64{}
		s.causes = map[string]error{}
	}
	s.Events[model] += m.Events
	for _, cause := range m.causes {
		s.causes[cause.Error()] = cause
	}
}

// Cause joins the causes.
func (s *Shortfall) Cause() error {
	causes := make([]error, 0, len(s.causes))
	for _, text := range slices.Sorted(maps.Keys(s.causes)) {
		causes = append(causes, s.causes[text])
	}
	return errors.Join(causes...)
}

const (
	// Others is what the losses of models are counted under whose names are not kept.
	Others = ""
	// maxNames bounds the names that are kept. With misspelt ones each day brings more.
	maxNames = 1000
)

// Tally are the losses of models that a hub has forgotten. Its zero value is empty, and
// it is safe for concurrent use.
type Tally struct {
	mu sync.Mutex
	by map[string]*Losses // by model
}

// Keep takes the losses of a model that is forgotten; it may be one that was forgotten
// before.
func (t *Tally) Keep(model string, lost Losses) {
	if lost.total == 0 {
		return
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]*Losses{}
	}
	if t.by[model] == nil && len(t.by) >= maxNames {
		model = Others
	}
	if t.by[model] == nil {
		t.by[model] = &Losses{markAt: lost.markAt}
	}
	t.by[model].merge(&lost)
}

// Tell adds what a Flush names to what it misses, and lets those fade that are old.
func (t *Tally) Tell(missing *Shortfall, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for model, lost := range t.by {
		missing.Add(model, lost.Beyond(lost.faded))
		lost.Fade(now)
	}
}

// TellAll adds all that was ever lost.
func (t *Tally) TellAll(missing *Shortfall) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for model, lost := range t.by {
		missing.Add(model, lost.Beyond(0))
	}
}
