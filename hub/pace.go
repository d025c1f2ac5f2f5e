package hub

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	// healthyShare is how much of the budget may go to digests that are not
	// urgent, so that an urgent one never queues behind them.
	healthyShare = 0.8
	// healthyPause is about how long a digest that found no share pauses.
	healthyPause = time.Second
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 15 * time.Second
)

// tripwire tells Publish which readings are urgent: those that would breach
// under the rules last learnt. It never decides anything.
type tripwire struct {
	named   [3]band
	further map[string]band
}

// band is where a reading is healthy, its ends included.
type band struct{ low, high float64 }

var anything = band{math.Inf(-1), math.Inf(1)}

func (b band) holds(value float64) bool { return value >= b.low && value <= b.high }

// newTripwire compiles the rules that each event is judged by, whatever a breach
// leads to; without any nothing is urgent.
func newTripwire(rules []policy.Rule) *tripwire {
	t := &tripwire{named: [3]band{anything, anything, anything}, further: map[string]band{}}
	for _, rule := range rules {
		if !rule.IsInstant() {
			continue
		}

		b, known := t.further[rule.Metric]
		slot := -1
		for i, name := range namedMetrics {
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

func (t *tripwire) isUrgent(event *metric.Event) bool {
	for i, reading := range [3]metric.Reading{event.Accuracy, event.LatencyMS, event.DriftScore} {
		if value, taken := reading.Get(); taken && !t.named[i].holds(value) {
			return true
		}
	}

	if len(event.Metrics) == 0 { // ranging over none is not free
		return false
	}

	for name, value := range event.Metrics {
		if b, ruled := t.further[name]; ruled && !b.holds(value) {
			return true
		}
	}

	return false
}

// isCalm says that breaches trigger nothing at present, so none is urgent.
func isCalm(g contract.Guidance, now time.Time) bool {
	return g.Phase != contract.PhaseWatching && (g.Phase != contract.PhaseCoolingDown || now.Before(g.CooldownUntil))
}

// backoff is the pause before attempt n+1, from 1, with jitter: half of it is
// drawn, so that hubs that lost a server together do not come back together.
func backoff(attempt int) time.Duration {
	pause := min(maxBackoff, firstBackoff<<min(attempt-1, 10))
	return pause/2 + rand.N(pause/2)
}
