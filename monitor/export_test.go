package monitor

import "time"

// EventFault is why one element of a `metric` signal is refused.
type EventFault struct {
	Index int // in its list; 0 where there is no list
	Err   error
}

// DecodeEvents reads the payload of a `metric` signal as a machine does that takes
// every model's.
func DecodeEvents(payload []byte, now time.Time) (events []MetricEvent, faults []EventFault) {
	if n := countElements(payload); n > maxObservations {
		m := NewMachine("any", "any", Policy{})
		m.TakeEvents(now, payload)
		return nil, []EventFault{{0, textError(m.state.Rejections[0].Reason)}}
	}
	m := NewMachine("any", "any", Policy{})
	for path, element := range elements(payload) {
		var reader EventReader
		if event, isEvent := reader.Try(element); isEvent && event.isValid(now) {
			events = append(events, *event)
			continue
		}
		faults = append(faults, EventFault{max(0, int(path)), at(path.String(), m.explainEvent(now, &reader, element))})
	}
	return events, faults
}

type textError string

func (e textError) Error() string { return string(e) }

// ADWIN is the detector of change, which river's own figures hold to its word.
type ADWIN = adwin

// Add is adwin.add.
func (a *adwin) Add(value, delta float64) (changed bool, before, after float64) {
	return a.add(value, delta)
}

// Unfitted is State of a machine whose state is far within its bound, which costs
// most of it to find.
func (m *Machine) Unfitted() State {
	m.settleStreaks()
	m.seen = nil
	return m.state
}
