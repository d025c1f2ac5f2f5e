package monitor_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// setPolicy puts a policy in force. What was measured for rules whose name, kind,
// metric, stat and period stay the same is kept, and judged anew by the rules as they
// are now.
func (n *naive) setPolicy(now time.Time, wanted policy.Policy) {
	wanted = wanted.WithDefaults()
	before := n.policy
	if sameJSON(before, wanted) {
		return
	}
	n.rest(now)
	dropped := n.carryLedgers(now, wanted)
	n.carryAges(wanted)
	n.carryVerification(wanted)
	if wanted.DryRun != before.DryRun {
		n.lastHeld, n.heldAt = time.Time{}, nil
	}
	n.policy = wanted
	n.judgeAnew(now, before)

	reason := ""
	if dropped != nil {
		reason = "dropped what was measured for " + strings.Join(dropped, ", ")
	}
	n.decide(monitor.Decision{At: now, Kind: policy.PolicyChanged, Reason: reason})
	n.askAnew(now, before)
}

// goesOn says that a rule takes over what was measured for another.
func goesOn(old, r *policy.Rule) bool {
	return r.Name == old.Name && kindOf(r) == kindOf(old) && r.Metric == old.Metric && r.Stat == old.Stat && r.Period == old.Period
}

func ruleOf(wanted policy.Policy, name string) *policy.Rule {
	for i := range wanted.Rules {
		if wanted.Rules[i].Name == name {
			return &wanted.Rules[i]
		}
	}
	return &policy.Rule{}
}

// carryLedgers hands on what was measured, and names the rules whose datapoints are
// gone.
func (n *naive) carryLedgers(now time.Time, policy policy.Policy) (dropped []string) {
	for i := range n.policy.Rules {
		old := &n.policy.Rules[i]
		r := ruleOf(policy, old.Name)
		isDropped := !goesOn(old, r) && !old.Period.IsZero()
		for _, v := range n.versions {
			if v.ledgers != nil && goesOn(old, r) && !r.Period.IsZero() {
				isDropped = n.carry(v.ledgers[r.Name], old, r, now) || isDropped
			}
		}
		if isDropped {
			dropped = append(dropped, old.Name)
		}
	}
	for _, v := range n.versions {
		if v.ledgers == nil {
			continue
		}
		ledgers := map[string]*ledger{}
		for i := range policy.Rules {
			r := &policy.Rules[i]
			ledgers[r.Name] = &ledger{}
			if goesOn(ruleOf(n.policy, r.Name), r) {
				ledgers[r.Name] = v.ledgers[r.Name]
			}
		}
		v.ledgers = ledgers
	}
	return dropped
}

// carry hands a ledger on to a rule that measures the same, and says whether its
// datapoints are gone: they are where they were made of other readings, or say
// nothing of the other side.
func (n *naive) carry(l *ledger, old, r *policy.Rule, now time.Time) (dropped bool) {
	switch {
	case !knowsSilence(r):
		l.silence = 0
	case !knowsSilence(old):
		l.silence = periodAt(r, now) // it knows it from now on
	}
	isOtherTime := old.Time != r.Time
	if isOtherTime {
		l.filed = nil
	}
	isOther := isOtherTime || max(1, old.MinSamples) != max(1, r.MinSamples) || isLow(old) != isLow(r)
	if isOther && len(l.points) > 0 {
		l.points, dropped = nil, true
	}
	isOtherMissing := isIgnored(old) != isIgnored(r) || (old.Missing == policy.MissingBreaching) != (r.Missing == policy.MissingBreaching)
	if isOtherMissing {
		l.points = slices.DeleteFunc(l.points, func(p datapoint) bool { return p.value.IsZero() })
	}
	l.forget(r)
	if r.BelowBaselineBy.IsZero() && r.AboveBaselineBy.IsZero() && l.base.IsZero() {
		l.firsts = nil
	}
	if r.Change == nil {
		l.detector = nil
	}
	if r.Change == nil || old.Change == nil || r.Change.Delta != old.Change.Delta || r.Change.Direction != old.Change.Direction {
		l.changed, l.from, l.to = time.Time{}, metric.Reading{}, metric.Reading{}
	}
	return dropped
}

// carryAges forgets what was found of ages and silences that are gone or may do
// something else now. What one of a dry run led to is none of what another may do.
func (n *naive) carryAges(policy policy.Policy) {
	for name, a := range n.ages {
		old, r := n.rule(name), ruleOf(policy, name)
		if !goesOn(old, r) || old.Severity != r.Severity || old.Condition != r.Condition {
			delete(n.ages, name)
		}
		if policy.DryRun != n.policy.DryRun {
			a.acted = time.Time{}
		}
	}
}

// carryVerification gives a verification the length that the policy says now. A rule
// that is another has broken nothing yet.
func (n *naive) carryVerification(wanted policy.Policy) {
	c := n.verification
	if c == nil || wanted.Verify == nil || n.policy.Verify == nil {
		return
	}
	before, hour := n.within(), policy.Duration(time.Hour)
	if !c.Until.IsZero() {
		c.Until = c.Until.Add(time.Duration(wanted.Verify.Within.Or(hour)) - before)
	}
	if !sameJSON(ruleOf(n.policy, c.Broken), ruleOf(wanted, c.Broken)) {
		c.Broken, c.Reason = "", ""
	}
}

// isOther says that a rule is not what it was under another policy, its members
// included. Where only what it leads to is asked for, its severity, whether it is a
// condition and its grace don't matter.
func (n *naive) isOther(name string, before policy.Policy, judges bool) bool {
	r, old := *n.rule(name), *ruleOf(before, name)
	if !goesOn(&old, &r) {
		return true
	}
	if judges {
		for _, rule := range []*policy.Rule{&r, &old} {
			rule.Severity, rule.Condition, rule.Grace = "", false, metric.Optional[policy.Duration]{}
		}
	}
	return !sameJSON(r, old) || slices.ContainsFunc(membersOf(&r), func(name string) bool { return n.isOther(name, before, judges) })
}

// judgeAnew holds what was measured against the rules as they are now. What waits for
// a blackout's end waits no more where it would not trigger by now.
func (n *naive) judgeAnew(now time.Time, before policy.Policy) {
	for _, v := range n.inOrder() {
		if v.ledgers == nil {
			continue
		}
		for i := range n.policy.Rules {
			r := &n.policy.Rules[i]
			l, old := v.ledgers[r.Name], ruleOf(before, r.Name)
			switch {
			case !goesOn(old, r) || !n.isOther(r.Name, before, true):
			case kindOf(r) == "instant":
				l.judgeInstantAnew(r, old)
			case r.Change != nil:
				l.verdict, l.threshold = l.standing(r, now), l.from
			case kindOf(r) == "period":
				n.judgePeriodsAnew(r, v, l)
			}
		}
		all := n.last(v, now)
		for i := range n.policy.Rules {
			r := &n.policy.Rules[i]
			l := v.ledgers[r.Name]
			if kindOf(r) == "composite" && n.isOther(r.Name, before, true) {
				l.verdict = all[r.Name].verdict
			}
			if n.isOther(r.Name, before, false) && (!canTrigger(r) || all[r.Name].verdict != monitor.Breaching) {
				l.deferred = false
			}
		}
	}
}

func (l *ledger) judgeInstantAnew(r, old *policy.Rule) {
	value, measured := l.value.Get()
	if !measured || isLow(r) != isLow(old) {
		*l = ledger{deferred: l.deferred} // of the other side nothing is known
		return
	}
	deferred := l.deferred
	l.judgeInstant(r, l.at, []float64{value})
	l.deferred = deferred
}

func (n *naive) judgePeriodsAnew(r *policy.Rule, v *naiveVersion, l *ledger) {
	l.threshold = n.thresholdOf(r, v, l)
	l.verdict, l.isHeld = monitor.Unknown, false
	points := l.points
	for i := range points {
		points[i].judge(r, l.threshold)
		l.points = points[:i+1]
		l.verdict = l.conclude(r, points[i]).verdict
	}
}

// askAnew takes back a trigger that waits for an operator's word where this policy
// would not ask.
func (n *naive) askAnew(now time.Time, before policy.Policy) {
	if n.pending == nil {
		return
	}
	why, p := "", n.pending
	isOther := p.Rule != "manual" && (n.rule(p.Rule) == nil || n.isOther(p.Rule, before, false))
	switch {
	case n.policy.DryRun:
		why = "the policy is a dry run now, which asks for nothing"
	case now.Before(n.cooldownUntil()):
		why = fmt.Sprintf("in cooldown until %s, by the policy applied", n.cooldownUntil().Format(time.RFC3339))
	case now.Before(n.budgetUntil()):
		why = fmt.Sprintf("the budget of %s is used up until %s, by the policy applied", n.policy.Budget, n.budgetUntil().Format(time.RFC3339))
	case isOther && !n.stillBreaches(now, p.Request):
		why = "it does not breach by the policy applied"
	case isOther:
		v := n.versions[p.ModelVersion]
		p.Request = n.request(n.rule(p.Rule), v, n.last(v, now))
	}
	if why == "" {
		return
	}
	n.pending = nil
	for _, a := range n.ages {
		a.acted = time.Time{}
	}
	d := n.about(now, policy.ApprovalRejected, p.Request)
	d.Reason = why
	n.decide(d)
}
