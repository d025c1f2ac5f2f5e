package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// EventFault is why one element of a `metric` signal is refused.
type EventFault struct {
	Index int // in its list; 0 where there is no list
	Err   error
}

// DecodeEvents reads the payload of a `metric` signal as a machine does that takes
// every model's.
func DecodeEvents(payload []byte, now time.Time) (events []metric.Event, faults []EventFault) {
	if n := countElements(payload); n > metric.MaxObservations {
		m := NewMachine("any", "any", policy.Policy{})
		m.TakeEvents(now, payload)
		return nil, []EventFault{{0, textError(m.state.Rejections[0].Reason)}}
	}
	m := NewMachine("any", "any", policy.Policy{})
	for path, element := range elements(payload) {
		var reader metric.EventReader
		if event, isEvent := reader.Try(element); isEvent && event.IsValid(now) {
			events = append(events, *event)
			continue
		}
		faults = append(faults, EventFault{max(0, int(path)), strict.At(path.String(), explainEvent(now, &reader, element, m.state.ModelName))})
	}
	return events, faults
}

type textError string

func (e textError) Error() string { return string(e) }

// Unfitted is State of a machine whose state is far within its bound, which costs
// most of it to find.
func (m *Machine) Unfitted() State {
	m.Settle()
	return m.state
}
