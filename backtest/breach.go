package backtest

import (
	"time"

	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// breachSpans adds up the time in which some rule that can trigger was breaching.
// A breach is what the machine decided as one: triggered, suppressed, held or
// awaiting approval. How long it lasts depends on the rule that the decision names:
//
//   - a rule with a period breaches for one period from its decision, by when the
//     next datapoint is judged; a composite of nothing but such rules for the
//     shortest of their periods;
//   - a rule about the model's age breaches until a retraining succeeds or is accepted;
//   - any other rule breaches until the next event that is no breach and measures
//     that rule's metric; where the rule has no metric, the next event of any kind.
//
// Spans that overlap count once, and the last ends with the replay.
type breachSpans struct {
	lasts map[string]lasting // by the rule's name

	sum      time.Duration // of the spans that are closed
	isOpen   bool
	from     time.Time // where the open span began
	until    time.Time // where it ends by itself; zero while something must end it
	ending   lasting   // what must
	now      time.Time
	breached bool // by the event under way
}

// lasting is what ends a rule's breach.
type lasting struct {
	period    time.Duration // it ends by itself; 0 if it doesn't
	retrained bool          // a retraining ends it
	metric    string        // an event that measures this does; empty: any event
}

func lastings(rules []policy.Rule) map[string]lasting {
	all := make(map[string]lasting, len(rules))
	byName := make(map[string]*policy.Rule, len(rules))
	for i := range rules {
		byName[rules[i].Name] = &rules[i]
	}
	shortest := map[*policy.Rule]time.Duration{} // of a composite's members, 0 where they aren't all windowed
	var periodOf func(r *policy.Rule) time.Duration
	periodOf = func(r *policy.Rule) (period time.Duration) {
		if !r.IsComposite() {
			return r.PeriodLength()
		}
		if known, found := shortest[r]; found {
			return known
		}

		defer func() { shortest[r] = period }()

		for _, name := range r.Members() {
			member := byName[name]
			if member == nil {
				continue
			}
			length := periodOf(member)
			if length == 0 {
				return 0
			}

			if period == 0 || length < period {
				period = length
			}
		}

		return period
	}

	for i := range rules {
		r := &rules[i]
		all[r.Name] = lasting{period: periodOf(r), retrained: !r.MaxAge.IsZero(), metric: r.Metric}
	}

	return all
}

// begin begins an event.
func (b *breachSpans) begin(now time.Time) {
	b.now = now
	b.breached = false
}

// breach hears of a decision about a breach.
func (b *breachSpans) breach(decision *monitor.Decision) {
	lasts, known := b.lasts[decision.Rule]
	if !known {
		return
	}

	b.expire(decision.At)
	if !b.isOpen {
		b.isOpen = true
		b.from = decision.At
		b.until = decision.At
	}

	if lasts.period > 0 {
		if !b.until.IsZero() {
			b.until = latest(b.until, decision.At.Add(lasts.period))
		}
		return
	}

	b.until = time.Time{}
	b.ending = lasts
	b.breached = true
}

// end ends an event. One that is no breach, and measures what breached before,
// closes the span.
func (b *breachSpans) end(row *table.Row) {
	if !b.isOpen || !b.until.IsZero() || b.breached || b.ending.retrained {
		return
	}
	if b.ending.metric == "" || row.Measures(b.ending.metric) {
		b.close(b.now)
	}
}

// retrained hears that a retraining has made a model.
func (b *breachSpans) retrained(at time.Time) {
	if b.isOpen && b.until.IsZero() && b.ending.retrained {
		b.close(at)
	}
}

// expire closes a span that has ended by itself.
func (b *breachSpans) expire(now time.Time) {
	if b.isOpen && !b.until.IsZero() && b.until.Before(now) {
		b.close(b.until)
	}
}

func (b *breachSpans) close(at time.Time) {
	b.sum += max(0, at.Sub(b.from))
	b.isOpen = false
}

// total is the time in breach until an instant.
func (b *breachSpans) total(until time.Time) time.Duration {
	if b.isOpen && !b.until.IsZero() && b.until.Before(until) {
		until = b.until
	}
	if b.isOpen {
		b.close(until)
	}
	return b.sum
}
