package policy

import (
	"fmt"
	"slices"
	"time"
)

// Verifiable says which rules can have a say about a new version in that time: a
// composite by the members that its word depends on. Each rule is looked at once,
// however composites hold one another.
func (p *Policy) Verifiable(within time.Duration) []bool {
	number := make(map[string]int, len(p.Rules))
	for i := range p.Rules {
		number[p.Rules[i].Name] = i
	}

	judged, known := make([]bool, len(p.Rules)), make([]bool, len(p.Rules))
	var find func(i int) bool
	find = func(i int) bool {
		if known[i] {
			return judged[i]
		}

		known[i] = true // a cycle, which validation names, is judged by nothing

		member := func(name string) bool {
			i, exists := number[name]
			return exists && find(i)
		}

		judged[i] = p.Rules[i].isJudged(within, member)
		return judged[i]
	}

	for i := range p.Rules {
		find(i)
	}
	return judged
}

// isJudged says that a rule can have a say within a time, given whether its members
// can.
func (r *Rule) isJudged(within time.Duration, member func(name string) bool) bool {
	switch {
	case len(r.AnyOf) > 0:
		return slices.ContainsFunc(r.AnyOf, member)
	case len(r.Of) > 0:
		judged := 0
		for _, name := range r.Of {
			if member(name) {
				judged++
			}
		}
		return judged >= r.AtLeast
	case r.IsComposite():
		return !slices.ContainsFunc(r.Members(), func(name string) bool { return !member(name) })
	case !r.MaxAge.IsZero(), !r.SilentFor.IsZero(), r.NewReadings != 0, r.Schedule != "", r.Change != nil, r.HasBaseline() && !r.measuresOther(), r.IsDrift() && r.Drift.learnsItself():
		return false
	case r.IsWindowed():
		m, _ := r.MOfN()
		return time.Duration(m)*r.PeriodLength()+r.GraceLength() <= within
	}

	return true
}

// Unverifiable names the rules of a valid policy that can trigger but have no say
// in a verification: they can't be judged of a new version within the time that it
// takes.
func (p Policy) Unverifiable() []string {
	if p.Verify == nil {
		return nil
	}

	var names []string
	p = p.WithDefaults()
	for i, isJudged := range p.Verifiable(p.Verify.Length()) {
		if p.Rules[i].CanTrigger() && !isJudged {
			names = append(names, p.Rules[i].Name)
		}
	}
	return names
}

// Length is how long a verification takes.
func (v *Verify) Length() time.Duration {
	return time.Duration(v.Within.Or(Duration(DefaultVerifyWithin)))
}

// cadenceOf is from which period on it matters that the next datapoint is suppressed: of
// shorter ones another comes soon.
const cadenceOf = day

// warnOfCadence names the rules of which the datapoint after one that triggers is always
// suppressed, and never looked at again. It is due a period later, to the instant, and a
// cooldown as long begins with the retraining that the first one led to: moments after it
// was judged, or when an operator has answered.
func (p *Policy) warnOfCadence() (warnings []string) {
	cooldown := time.Duration(p.Cooldown.Or(Duration(DefaultCooldown)))
	length := cooldown
	what := "the cooldown"
	if p.AsksApproval() {
		length += time.Duration(p.Approval.Timeout.Or(Duration(DefaultApprovalTimeout)))
		what = "approval.timeout and cooldown together"
	}

	for i := range p.Rules {
		r := &p.Rules[i]
		period := r.PeriodLength()
		if !r.CanTrigger() || period < cadenceOf || cooldown > period || length < period {
			continue
		}
		warnings = append(warnings, fmt.Sprintf("rule %q: the datapoint after one that triggers is suppressed for good, since %s, %s, may end after it, %s later; "+
			"let them be shorter than a period", r.named().Name, what, Duration(length), Duration(period)))
	}
	return warnings
}
