// Package tripwire says which readings are urgent: those that would breach under the
// rules last learnt of a monitor. It repeats what policy.Rule.IsBeyond decides, at the
// pace of a publish, and decides nothing itself: what is urgent is sent at once, and
// judged by the monitor.
package tripwire

import (
	"math"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Tripwire is what each event of a model is held against. It is never changed.
type Tripwire struct {
	named   [3]band // in the order of metric.NamedByEvents
	further map[string]band
}

// band is where a reading is healthy, its ends included.
type band struct{ low, high float64 }

var anything = band{math.Inf(-1), math.Inf(1)}

func (b band) holds(value float64) bool { return value >= b.low && value <= b.high }

// New compiles the rules that each event is judged by, whatever a breach leads to;
// without any nothing is urgent.
func New(rules []policy.Rule) *Tripwire {
	t := &Tripwire{named: [3]band{anything, anything, anything}, further: map[string]band{}}
	for _, rule := range rules {
		if !rule.IsInstant() {
			continue
		}

		b, known := t.further[rule.Metric]
		slot := -1
		for i, name := range metric.NamedByEvents() {
			if name == rule.Metric {
				slot = i
				b = t.named[i]
				known = true
			}
		}

		if !known {
			b = anything
		}
		b.low, b.high = max(b.low, rule.Below.Or(b.low)), min(b.high, rule.Above.Or(b.high))
		if slot >= 0 {
			t.named[slot] = b
		} else {
			t.further[rule.Metric] = b
		}
	}

	return t
}

// IsUrgent says that a reading of the event would breach.
func (t *Tripwire) IsUrgent(event *metric.Event) bool {
	for i, reading := range [3]metric.Reading{event.Accuracy, event.LatencyMS, event.DriftScore} {
		if value, taken := reading.Get(); taken && !t.named[i].holds(value) {
			return true
		}
	}

	if len(event.Metrics) == 0 || len(t.further) == 0 { // ranging is not free
		return false
	}

	for name, value := range event.Metrics {
		if b, ruled := t.further[name]; ruled && !b.holds(value) {
			return true
		}
	}

	return false
}
