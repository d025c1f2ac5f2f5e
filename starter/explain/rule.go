package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Rule is what is said of one rule, of one model version.
type Rule struct {
	monitor.RuleStatus
	Rule   string `json:"rule"`             // in words
	Needed int    `json:"needed,omitempty"` // breaching datapoints until it breaches
	// Distance is how far the value is from the threshold; negative while it is on
	// the healthy side.
	Distance metric.Reading `json:"distance,omitzero"`
	Says     []string       `json:"says"`                // in words
	Moved    []string       `json:"moved,omitempty"`     // what a drift rule found, in words
	HeldBack []string       `json:"held_back,omitempty"` // what keeps a breach from triggering
	Chart    []string       `json:"chart,omitempty"`
}

// explainer puts a status into words.
type explainer struct {
	status monitor.Status
	now    time.Time
}

// rule explains one rule of a version.
func (e *explainer) rule(r *policy.Rule, s monitor.RuleStatus, version monitor.VersionStatus) Rule {
	x := Rule{RuleStatus: s, Rule: r.String(), Says: []string{}}
	say := func(format string, args ...any) { x.Says = append(x.Says, fmt.Sprintf(format, args...)) }
	switch {
	case r.IsComposite():
		e.composite(r, version, say)
	case !r.MaxAge.IsZero():
		e.age(s, "not retrained for "+r.MaxAge.Or(0).String(), "it is retrained before", e.retrained(time.Duration(r.MaxAge.Or(0))), say)
	case !r.SilentFor.IsZero():
		e.age(s, "silent for "+r.SilentFor.Or(0).String(), "an event comes before", version.LastSeen.Add(time.Duration(r.SilentFor.Or(0))), say)
	case r.NewReadings != 0:
		if s.Verdict == monitor.Breaching {
			say("%s new readings, since %s", plain.Thousands(r.NewReadings), e.at(s.At))
		} else {
			say("fewer than %s new readings since the last success", plain.Thousands(r.NewReadings))
		}
	case r.IsWindowed():
		e.window(r, &x, say)
	default:
		x.Distance = distance(r, s)
		if value, judged := s.Value.Get(); !judged {
			say("unknown: this version has shown no %s yet", plain.Text(r.Metric))
		} else {
			say("last %s on %s%s", plain.Number(value), e.at(s.At), besides(s.Value, s.Threshold))
		}
	}

	if unmeasured := Unmeasured(&e.status, r); unmeasured != "" {
		say("%s", unmeasured)
	}
	x.HeldBack = e.heldBack(r, version)
	return x
}

// window explains a rule with a period.
func (e *explainer) window(r *policy.Rule, x *Rule, say func(string, ...any)) {
	s := x.RuleStatus
	e.unknown(r, s, say)
	threshold := s.Threshold
	if r.Change == nil {
		e.datapoints(r, x, say)
	} else {
		threshold = metric.Reading{} // it is the mean before the change
		e.change(r, s, say)
	}

	if r.IsDrift() {
		x.Moved = moved(r, &s)
	}
	x.Chart = chart(s.Datapoints, threshold)
	if value, measured := s.Value.Get(); measured {
		say("last %s%s", plain.Number(value), besides(s.Value, threshold))
	} else if len(s.Datapoints) > 0 {
		say("the last datapoint is missing")
	}
	if clear := cmp.Or(r.ClearAbove, r.ClearBelow); !clear.IsZero() && s.Verdict == monitor.Breaching && x.Distance.Or(1) <= 0 {
		say("it goes on breaching until a datapoint is no longer beyond %s", reading(clear))
	}
	if base, full := s.Baseline.Get(); full {
		say("baseline %s", plain.Number(base))
	}
	if !s.NextAt.IsZero() {
		say("next datapoint %s", e.at(s.NextAt))
	}
	e.doubts(s, say)
}

// datapoints says how many of how many breach.
func (e *explainer) datapoints(r *policy.Rule, x *Rule, say func(string, ...any)) {
	n := 0
	x.Needed, n = r.MOfN()
	x.Distance = distance(r, x.RuleStatus)
	switch {
	case x.Of == 0: // none that counts
	case n == 1: // the last value says it all
	case x.Of < n:
		say("%d of %s so far breach, %d of %d needed", x.Breaches, plain.Count(x.Of, "datapoint"), x.Needed, n)
	default:
		say("%d of %s breach, %d needed", x.Breaches, plain.Count(x.Of, "datapoint"), x.Needed)
	}
}

// change says what a detector has seen.
func (e *explainer) change(r *policy.Rule, s monitor.RuleStatus, say func(string, ...any)) {
	if s.Verdict == monitor.Breaching {
		say("a change was detected, which counts for %s", r.Change.Hold.Or(policy.Duration(policy.DefaultHold)))
	} else if len(s.Datapoints) > 0 {
		say("no change that counts")
	}
	if mean, ok := s.Threshold.Get(); ok {
		say("the mean before the last change was %s", plain.Number(mean))
	}
}

// unknown says why a rule with a period says nothing.
func (e *explainer) unknown(r *policy.Rule, s monitor.RuleStatus, say func(string, ...any)) {
	if s.Verdict != monitor.Unknown {
		return
	}

	isLacking := r.HasBaseline() && s.Baseline.IsZero()
	switch from := r.BaselineOf(); {
	case isLacking && from.From == policy.BaselinePrevious:
		say("unknown: the version before it has left no baseline")
	case isLacking && from.From == policy.BaselineReplaced:
		say("unknown: no version before it has left %s samples", plain.Thousands(from.Samples))
	case isLacking && from.From == policy.BaselineTrailing:
		say("unknown: it has not %s to measure against yet", plain.Count(from.Periods, "datapoint"))
	case isLacking && !from.Period.IsZero():
		say("unknown: its baseline is filling for %s, %s samples so far", from.Period.Value(), plain.Thousands(s.BaselineSamples))
	case isLacking:
		say("unknown: its baseline is filling, %s of %s samples", plain.Thousands(s.BaselineSamples), plain.Thousands(from.Samples))
	case len(s.Datapoints) == 0:
		say("unknown: no datapoint is judged yet")
	case slices.ContainsFunc(s.Datapoints, func(p monitor.DatapointStatus) bool { return !p.Unknown && !p.Value.IsZero() }):
		say("unknown: its datapoints are too old")
	case r.IsDrift():
		say("unknown: no period could be held against %s yet", plain.Text(r.Drift.Reference.String()))
	default:
		say("unknown: no datapoint could be judged")
	}
}

// doubts says what a rule did not see as it was.
func (e *explainer) doubts(s monitor.RuleStatus, say func(string, ...any)) {
	approximate := 0
	for _, p := range s.Datapoints {
		if p.Approximate {
			approximate++
		}
	}
	if approximate > 0 {
		say("%s approximate: a digest crossed its period's boundary", plain.Count(approximate, "datapoint"))
	}
	if s.Late > 0 {
		say("%s came too late to count, the last one of %s", plain.Count(s.Late, "event"), e.at(s.LateAt))
	}
}

// composite explains a rule by its members.
func (e *explainer) composite(r *policy.Rule, version monitor.VersionStatus, say func(string, ...any)) {
	if r.AtLeast > 0 {
		say("%d of its %d members must breach", r.AtLeast, len(r.Of))
	}
	for _, name := range r.Members() {
		verdict := monitor.Unknown
		for _, member := range version.Rules {
			if member.Name == name {
				verdict = member.Verdict
			}
		}

		member := plain.Text(name) + " is " + verdictWord(verdict)
		if i := slices.IndexFunc(e.status.Policy.Rules, func(other policy.Rule) bool { return other.Name == name }); i >= 0 && e.status.Policy.Rules[i].IsInstant() {
			member += " (it must breach in the same observation)"
		}
		say("%s", member)
	}
}

// verdictWord is how a verdict is called.
func verdictWord(v monitor.Verdict) string { return cmp.Or(string(v), "unknown") }

// age explains a rule about time that passes. due is when it breaches, as far as the
// status tells.
func (e *explainer) age(s monitor.RuleStatus, what, unless string, due time.Time, say func(string, ...any)) {
	if !s.NextAt.IsZero() {
		due = s.NextAt
	}
	switch {
	case s.Verdict == monitor.Breaching && !s.At.IsZero():
		say("%s, since %s", what, e.at(s.At))
	case s.Verdict == monitor.Breaching:
		say("%s", what)
	case s.Verdict == monitor.Unknown:
		say("unknown: there was no event yet")
	case due.After(e.now):
		say("breaches on %s, in %s, unless %s", e.at(due), HowLong(due.Sub(e.now)), unless)
	default:
		say("counted from the last success, else from the first event")
	}
}

// retrained is when an age since the last success is over; zero where the decisions
// don't reach back so far.
func (e *explainer) retrained(limit time.Duration) time.Time {
	for _, d := range slices.Backward(e.status.Decisions) {
		if d.Kind == policy.Succeeded || d.Kind == policy.Accepted {
			return d.At.Add(limit)
		}
	}
	return time.Time{}
}

// heldBack says what keeps a breach of a rule from triggering, beside what keeps
// every breach.
func (e *explainer) heldBack(r *policy.Rule, version monitor.VersionStatus) (reasons []string) {
	if r.Condition {
		reasons = append(reasons, "a condition never triggers by itself"+e.partOf(r.Name))
	}
	if r.Severity == policy.Warning {
		reasons = append(reasons, "a warning never triggers")
	}
	if version.SupersededBy != "" && e.status.Policy.Superseded != policy.SupersededTriggers && r.CanTrigger() {
		reasons = append(reasons, "this version is superseded by "+plain.Text(version.SupersededBy))
	}
	return reasons
}

// partOf names the composites that a rule is in.
func (e *explainer) partOf(name string) string {
	var in []string
	for _, r := range e.status.Policy.Rules {
		if slices.Contains(r.Members(), name) {
			in = append(in, plain.Text(r.Name))
		}
	}
	if len(in) == 0 {
		return ""
	}
	return "; it is part of " + strings.Join(in, ", ")
}

// distance is how far the last value is beyond the threshold.
func distance(r *policy.Rule, s monitor.RuleStatus) metric.Reading {
	value, measured := s.Value.Get()
	threshold, known := s.Threshold.Get()
	if !measured || !known {
		return metric.Reading{}
	}
	if falls := !r.Below.IsZero() || !r.BelowBaselineBy.IsZero(); falls {
		return metric.Some(threshold - value)
	}
	return metric.Some(value - threshold)
}

// besides is where a value is, seen from its threshold: `, 19 (7.6 %) below the
// threshold`.
func besides(value, threshold metric.Reading) string {
	v, measured := value.Get()
	t, known := threshold.Get()
	if !measured || !known {
		return ""
	}

	side, apart := "above", v-t
	switch {
	case apart == 0:
		return ", at the threshold itself"
	case apart < 0:
		side = "below"
		apart = -apart
	}

	share := ""
	if t != 0 {
		share = fmt.Sprintf(" (%.1f %%)", 100*apart/math.Abs(t))
	}
	return fmt.Sprintf(", %s%s %s the threshold", plain.Number(apart), share, side)
}

func reading(r metric.Reading) string {
	value, ok := r.Get()
	if !ok {
		return "unknown"
	}
	return plain.Number(value)
}

// at is an instant: the time of day, with the date where it is not today.
func (e *explainer) at(t time.Time) string {
	if t.UTC().Format(time.DateOnly) == e.now.UTC().Format(time.DateOnly) {
		return t.UTC().Format("15:04:05")
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}
