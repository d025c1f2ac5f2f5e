package monitor_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// found is what one rule says of a version at one moment.
type found struct {
	verdict monitor.Verdict
	judged  bool // at this moment; else it stands from before
	beyond  bool // by something beyond a threshold, a datapoint, an event or a change, not by what was known before
}

type findings map[string]found

// decideOn acts on what was judged at a moment: warnings speak, and the first
// critical rule that breaches triggers, or is suppressed. endsBefore says whether
// what was judged belongs to the time before an instant.
func (n *naive) decideOn(now time.Time, v *naiveVersion, all findings, endsBefore func(time.Time) bool) {
	n.compose(now, v, all)
	var chosen *policy.Rule
	for i := range n.policy.Rules {
		r := &n.policy.Rules[i]
		f := all[r.Name]
		if !f.judged || !f.beyond || f.verdict != monitor.Breaching || r.Condition {
			continue
		}
		if r.Severity == policy.Warning {
			d := n.about(now, policy.Warned, n.request(r, v, all))
			d.Count = 1
			n.decide(d)
			continue
		}
		n.noteRegression(r, v, all)
		if chosen == nil {
			chosen = r
		}
	}
	if chosen != nil {
		n.breach(now, v, chosen, all, endsBefore)
	}
}

// compose adds what composites say. Members that were not judged at this moment
// say what they said before; those on single events nothing.
func (n *naive) compose(now time.Time, v *naiveVersion, all findings) {
	for i := range n.policy.Rules {
		if r := &n.policy.Rules[i]; kindOf(r) != "composite" && !all[r.Name].judged {
			all[r.Name] = found{verdict: n.standing(r, v, now)}
		}
	}
	n.combineAll(all)
	for i := range n.policy.Rules {
		r := &n.policy.Rules[i]
		if f := all[r.Name]; kindOf(r) == "composite" && f.judged {
			v.ledgers[r.Name].verdict = f.verdict
		}
	}
}

func (n *naive) combineAll(all findings) {
	for i := range n.policy.Rules {
		if r := &n.policy.Rules[i]; kindOf(r) == "composite" {
			all[r.Name] = n.combine(r, all)
		}
	}
}

// combine is what a composite says, its members' composites too.
func (n *naive) combine(r *policy.Rule, all findings) (f found) {
	var verdicts []monitor.Verdict
	for _, name := range membersOf(r) {
		member := all[name]
		if kindOf(n.rule(name)) == "composite" {
			member = n.combine(n.rule(name), all)
		}
		verdicts = append(verdicts, member.verdict)
		f.judged = f.judged || member.judged
		f.beyond = f.beyond || member.judged && (r.Not != "" || member.beyond && member.verdict == monitor.Breaching)
	}
	has := func(verdict monitor.Verdict) bool { return slices.Contains(verdicts, verdict) }
	switch {
	case r.Not != "" && has(monitor.Healthy):
		f.verdict = monitor.Breaching
	case r.Not != "" && has(monitor.Breaching):
		f.verdict = monitor.Healthy
	case r.AllOf != nil && has(monitor.Healthy):
		f.verdict = monitor.Healthy
	case r.AllOf != nil && !has(monitor.Unknown):
		f.verdict = monitor.Breaching
	case r.AnyOf != nil && has(monitor.Breaching):
		f.verdict = monitor.Breaching
	case r.AnyOf != nil && !has(monitor.Unknown):
		f.verdict = monitor.Healthy
	}
	return f
}

func membersOf(r *policy.Rule) []string {
	if r.Not != "" {
		return []string{r.Not}
	}
	return append(slices.Clone(r.AllOf), r.AnyOf...)
}

// standing is what a rule says of a version while nothing new is measured.
func (n *naive) standing(r *policy.Rule, v *naiveVersion, now time.Time) monitor.Verdict {
	switch kindOf(r) {
	case "period":
		return v.ledgers[r.Name].standing(r, now)
	case "age", "silence":
		return n.ageVerdict(r, now)
	}
	return monitor.Unknown
}

// last is what every rule said last of a version: those on single events too.
func (n *naive) last(v *naiveVersion, now time.Time) findings {
	all := findings{}
	for i := range n.policy.Rules {
		switch r := &n.policy.Rules[i]; kindOf(r) {
		case "composite":
		case "instant":
			all[r.Name] = found{verdict: v.ledgers[r.Name].verdict}
		default:
			all[r.Name] = found{verdict: n.standing(r, v, now)}
		}
	}
	n.combineAll(all)
	return all
}

// judgeInstant holds the worst of some readings against a threshold.
func (l *ledger) judgeInstant(r *policy.Rule, now time.Time, values []float64) found {
	worst, threshold := slices.Min(values), r.Below.Or(0)
	if !r.Above.IsZero() {
		worst, threshold = slices.Max(values), r.Above.Or(0)
	}
	f := found{verdict: monitor.Healthy, judged: true, beyond: isBeyond(r, worst, threshold)}
	if f.beyond {
		f.verdict = monitor.Breaching
	}
	l.verdict, l.at, l.value, l.threshold = f.verdict, now, metric.Some(worst), metric.Some(threshold)
	return f
}

// isBeyond is strict: a value equal to its threshold is healthy.
func isBeyond(r *policy.Rule, value, threshold float64) bool {
	if isLow(r) {
		return value < threshold
	}
	return value > threshold
}

// isLow says that low values breach.
func isLow(r *policy.Rule) bool { return !r.Below.IsZero() || !r.BelowBaselineBy.IsZero() }

// ageDue is when a model is too old, or has been silent for too long; zero where
// it can't be. Silence counts from this side's return at the earliest.
func (n *naive) ageDue(r *policy.Rule) (due time.Time) {
	if limit, ok := r.MaxAge.Get(); ok {
		from := n.lastSuccess
		if from.IsZero() {
			from = n.firstEvent
		}
		if from.IsZero() {
			return due
		}
		return from.Add(time.Duration(limit))
	}
	v := n.versions[n.latest]
	if v == nil {
		return due
	}
	from := v.heard
	if n.returned.After(from) {
		from = n.returned
	}
	return from.Add(time.Duration(r.SilentFor.Or(0)))
}

func (n *naive) ageVerdict(r *policy.Rule, now time.Time) monitor.Verdict {
	switch due := n.ageDue(r); {
	case due.IsZero():
		return monitor.Unknown
	case now.Before(due):
		return monitor.Healthy
	}
	return monitor.Breaching
}

// judgeAges acts on an age or a silence when it begins or when what suppressed it
// then ends, and again after each cooldown, if there is one.
func (n *naive) judgeAges(now time.Time) {
	v := n.versions[n.latest]
	if v == nil {
		return
	}
	all, any := findings{}, false
	for i := range n.policy.Rules {
		r := &n.policy.Rules[i]
		if kind := kindOf(r); kind != "age" && kind != "silence" {
			continue
		}
		a := n.ages[r.Name]
		if a == nil {
			a = &age{}
			n.ages[r.Name] = a
		}
		verdict := n.ageVerdict(r, now)
		isAnother := kindOf(r) == "silence" && a.at.Before(v.heard)
		began := verdict == monitor.Breaching && (a.verdict != monitor.Breaching || isAnother)
		if began || verdict != monitor.Breaching && a.verdict == monitor.Breaching {
			*a = age{verdict: verdict, at: now}
		}
		again := n.mayAct(r, now) && n.heldBackBy(now, v, now.Before) == ""
		all[r.Name] = found{verdict: verdict, judged: began || again, beyond: true}
		any = any || began || again
	}
	if any {
		n.decideOn(now, v, all, now.Before)
	}
}

// mayAct says that an age or a silence breaches, and has led to nothing yet, or did
// so a cooldown ago.
func (n *naive) mayAct(r *policy.Rule, now time.Time) bool {
	a := n.ages[r.Name]
	if a == nil || a.verdict != monitor.Breaching || !canTrigger(r) {
		return false
	}
	return a.acted.IsZero() || n.cooldown() > 0 && !now.Before(a.acted.Add(n.cooldown()))
}

func canTrigger(r *policy.Rule) bool { return !r.Condition && r.Severity != policy.Warning }

// reason says in words why a rule breaches.
func (n *naive) reason(r *policy.Rule, v *naiveVersion, all findings) string {
	l := v.ledgers[r.Name]
	switch kindOf(r) {
	case "period":
		return shorten(l.reason(r))
	case "silence":
		return fmt.Sprintf("no event for %s", r.SilentFor.Or(0))
	case "age":
		if n.lastSuccess.IsZero() {
			return fmt.Sprintf("not retrained in the %s since its first event", r.MaxAge.Or(0))
		}
		return fmt.Sprintf("last retrained on %s, over %s ago", n.lastSuccess.Format(time.RFC3339), r.MaxAge.Or(0))
	case "instant":
		return fmt.Sprintf("%s %s %s threshold %s", wordFor(r.Metric), inWords(r, l.value, l.threshold), side(r), inWords(r, l.threshold, l.value))
	}
	if r.Not != "" {
		return "not " + r.Not
	}
	var parts []string
	for _, name := range membersOf(r) {
		if all[name].verdict == monitor.Breaching {
			parts = append(parts, n.reason(n.rule(name), v, all))
		}
	}
	return shorten(strings.Join(parts, "; "))
}

func side(r *policy.Rule) string {
	if isLow(r) {
		return "below"
	}
	return "above"
}

func wordFor(metric string) string {
	switch metric {
	case "latency_ms":
		return "latency"
	case "drift_score":
		return "drift"
	}
	return metric
}

// inWords is a value of a rule's metric, as reasons have it beside others.
func inWords(r *policy.Rule, value metric.Reading, beside ...metric.Reading) string {
	unit, decimals := "", 4
	if r.Metric == "latency_ms" && r.Stat != policy.StatCount {
		unit, decimals = "ms", 2
	}
	write := func(x float64, more int) string {
		if x == 0 {
			x = 0 // -0 is none of its own
		}
		plain := strconv.FormatFloat(x, 'f', decimals+more, 64)
		if back, _ := strconv.ParseFloat(plain, 64); back == x || math.Abs(x)*math.Pow10(decimals) >= 10 {
			return plain
		}
		return strconv.FormatFloat(x, 'g', 4+more, 64)
	}
	more := 0
	all := append([]metric.Reading{value}, beside...)
	for i, a := range all {
		for _, b := range all[:i] {
			for more < 16 && a.Or(0) != b.Or(0) && write(a.Or(0), more) == write(b.Or(0), more) {
				more++
			}
		}
	}
	return write(value.Or(0), more) + unit
}
