package watch

import (
	"fmt"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
)

// Evidence is what the decisions of one moment go by, kept until somebody asks for
// it in words.
type Evidence struct {
	watch     *Watch
	tracks    []*window.Track
	breaching verdict.Set // of all rules
	values    []float64   // what rules without a period measured; nil: what their tracks say
}

// Tell says why a rule breached, which measured a value.
func (e *Evidence) Tell(rule int, value float64) journal.Told {
	if e.watch.forms[rule] == policy.FormInstant {
		if e.values == nil {
			e.values = make([]float64, len(e.tracks))
		}
		e.values[rule] = value
	}
	return e.tell(rule)
}

func (e *Evidence) tell(rule int) journal.Told {
	value, threshold := e.measured(rule)
	return journal.Told{Value: value, Threshold: threshold, Reason: e.words(rule)}
}

// valueOf is what a rule without a period measured.
func (e *Evidence) valueOf(rule int) float64 {
	if e.values != nil {
		return e.values[rule]
	}
	return e.tracks[rule].Value.Value()
}

// measured is the value and the threshold of a rule's decision; of a composite's,
// those of its first breaching member that measures something.
func (e *Evidence) measured(rule int) (value, threshold metric.Reading) {
	rule = e.measuring(rule)
	t := e.tracks[rule]
	if e.watch.forms[rule] == policy.FormInstant {
		return metric.Some(e.valueOf(rule)), t.Threshold
	}
	return t.Value, t.Threshold
}

// measuring is the rule whose metric stands for a rule's decision.
func (e *Evidence) measuring(rule int) int {
	for _, member := range e.watch.composites.Members(rule) {
		if e.breaching.Has(member) && (e.watch.policy.Rules[member].Metric != "" || e.watch.policy.Rules[member].IsDrift()) {
			return member
		}
	}
	return rule
}

// words say why a rule breaches.
func (e *Evidence) words(rule int) string {
	r := &e.watch.policy.Rules[rule]
	switch e.watch.forms[rule] {
	case policy.FormComposite:
		var text strings.Builder
		e.writeComposite(&text, rule)
		return plain.Cut(text.String(), policy.MaxTextBytes)
	case policy.FormWindow:
		return plain.Cut(e.tracks[rule].Reason(r), policy.MaxTextBytes)
	case policy.FormAge, policy.FormSilence, policy.FormReadings:
		return e.watch.ageReason(r)
	case policy.FormSchedule:
		return scheduleReason(r, e.tracks[rule].At)
	}

	return r.BreachReason(e.valueOf(rule), e.tracks[rule].Threshold.Value())
}

// writeComposite writes why the members of a composite breach, as far as a reason
// has room: composites may hold one another many times over.
func (e *Evidence) writeComposite(text *strings.Builder, rule int) {
	r := &e.watch.policy.Rules[rule]
	if r.Not != "" {
		fmt.Fprintf(text, "not %s", r.Not)
		return
	}

	separator := ""
	for _, member := range e.watch.composites.Members(rule) {
		if !e.breaching.Has(member) || text.Len() > policy.MaxTextBytes {
			continue
		}

		text.WriteString(separator)
		separator = "; "
		if e.watch.forms[member] == policy.FormComposite {
			e.writeComposite(text, member)
			continue
		}

		text.WriteString(e.words(member))
	}
}
