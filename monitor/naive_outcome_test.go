package monitor_test

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// timeOutFlight ends a retraining without an outcome at its deadline.
func (n *naive) timeOutFlight(now time.Time) {
	if n.flight == nil || now.Before(n.flight.Deadline) {
		return
	}
	if n.flight.CancelOnTimeout {
		n.tellBackend()
	}
	n.land(now, policy.TimedOut, fmt.Sprintf("no outcome within %s", n.flight.Timeout), "", "")
}

// cancel ends the retraining in flight at an operator's word.
func (n *naive) cancel(now time.Time, by, reason string) {
	n.tellBackend()
	n.giveUp(now, by, reason)
}

// giveUp ends a retraining before its outcome. One that a freeze holds has not gone
// out: the cooldown that it started is over with it, and a budget has its room back.
func (n *naive) giveUp(now time.Time, by, reason string) {
	if !n.flight.FrozenUntil.IsZero() {
		n.lastTrigger, n.wentOut = n.flight.LastTrigger, n.wentOut[:len(n.wentOut)-1]
	}
	n.land(now, policy.Cancelled, reason, "", by)
}

// tellBackend has the backend of the flight told to end it. Of more than five that
// wait the oldest are given up.
func (n *naive) tellBackend() {
	n.cancelling = append(n.cancelling, n.flight.Request)
	n.cancelling = n.cancelling[max(0, len(n.cancelling)-5):]
}

// cancelTold says that a backend was told, or why it can't be.
func (n *naive) cancelTold(now time.Time, id, fault string) {
	for i, request := range n.cancelling {
		if request.RequestID != id {
			continue
		}
		n.cancelling = append(n.cancelling[:i:i], n.cancelling[i+1:]...)
		if fault != "" {
			d := n.about(now, policy.CancelFailed, request)
			d.Reason = fault
			n.decide(d)
		}
		return
	}
}

// hold says that a freeze of the fleet keeps a request from going out. Waiting is
// none of its own time.
func (n *naive) hold(now time.Time, id, reason string) {
	flight := n.flight
	if flight == nil || flight.RequestID != id || flight.Job != nil {
		return
	}
	if !flight.IsFrozen {
		d := n.about(now, policy.Held, flight.Request)
		d.Reason = reason
		n.decide(d)
	}
	flight.IsFrozen, flight.FrozenUntil = true, now.Add(time.Minute)
	flight.Deadline = flight.Deadline.Add(time.Minute)
}

// judgeHeld judges a held request again each minute.
func (n *naive) judgeHeld(now time.Time) {
	flight := n.flight
	if flight == nil || flight.FrozenUntil.IsZero() || now.Before(flight.FrozenUntil) {
		return
	}
	switch {
	case n.policy.DryRun:
		n.giveUp(now, "", "it was held, and the policy is a dry run now")
	case !n.stillBreaches(now, flight.Request):
		n.giveUp(now, "", "it was held, and breaches no more")
	default:
		flight.FrozenUntil = time.Time{}
	}
}

// stillBreaches says that what a request was made for breaches yet, by a rule that
// may trigger. What an operator asked for needs no breach.
func (n *naive) stillBreaches(now time.Time, request modelops.Request) bool {
	r, v := n.rule(request.Rule), n.versions[request.ModelVersion]
	switch {
	case request.Rule == "manual":
		return true
	case r == nil || v == nil || v.ledgers == nil || !canTrigger(r):
		return false
	}
	return n.last(v, now)[r.Name].verdict == monitor.Breaching
}

// endBlackout lets what a blackout has held back trigger, if it still breaches.
func (n *naive) endBlackout(now time.Time) {
	if n.isBlackout(now) {
		return
	}
	for _, v := range n.inOrder() {
		if v.ledgers == nil {
			continue
		}
		all := n.last(v, now)
		var chosen *policy.Rule
		for i := range n.policy.Rules {
			r := &n.policy.Rules[i]
			if l := v.ledgers[r.Name]; l.deferred {
				l.deferred = false
				if chosen == nil && all[r.Name].verdict == monitor.Breaching {
					chosen = r
				}
			}
		}
		if chosen != nil {
			n.breach(now, v, chosen, all, now.Before)
		}
	}
}

// verify begins to hold the version that a retraining has made against the rules.
func (n *naive) verify(now time.Time, id, version string) {
	if n.verification != nil {
		n.conclude(now, policy.Unverified, "another retraining has succeeded")
	}
	if n.policy.Verify == nil {
		n.endRow()
		return
	}
	n.verification = &retraining.Verification{RequestID: id, Version: version, Since: now}
	if version == "" {
		n.conclude(now, policy.Unverified, "the outcome names no model version")
	}
}

func (n *naive) within() time.Duration {
	return time.Duration(n.policy.Verify.Within.Or(policy.Duration(time.Hour)))
}

// startVerification lets its time begin with the version's first event.
func (n *naive) startVerification(now time.Time, v *naiveVersion) {
	if c := n.verification; c != nil && c.Version == v.name && c.Until.IsZero() && n.policy.Verify != nil {
		c.Until = now.Add(n.within())
	}
}

// noteRegression notes the first rule that the version broke.
func (n *naive) noteRegression(r *policy.Rule, v *naiveVersion, all findings) {
	c := n.verification
	if c != nil && n.policy.Verify != nil && c.Version == v.name && c.Broken == "" && n.hasSay(r) {
		c.Broken, c.Reason = r.Name, n.reason(r, v, all)
	}
}

// hasSay says that a rule can be judged of a new version in time.
func (n *naive) hasSay(r *policy.Rule) bool {
	if members := membersOf(r); members != nil {
		some, all := false, true
		for _, name := range members {
			has := n.hasSay(n.rule(name))
			some, all = some || has, all && has
		}
		return all || some && r.AnyOf != nil
	}
	measuresOwn := !r.BelowBaselineBy.IsZero() || !r.AboveBaselineBy.IsZero()
	if measuresOwn && r.Baseline != nil && r.Baseline.From == policy.BaselinePrevious {
		measuresOwn = false
	}
	if kind := kindOf(r); kind == "age" || kind == "silence" || r.Change != nil || measuresOwn {
		return false
	}
	m, _ := mOfN(r)
	return r.Period.IsZero() || time.Duration(m)*time.Duration(r.Period.Or(0))+graceOf(r) <= n.within()
}

// countSamples counts the events of the version under verification.
func (n *naive) countSamples(now time.Time, v *naiveVersion, events int64) {
	if n.verification != nil && n.verification.Version == v.name {
		n.verification.Samples += events
		n.concludeRegression(now)
	}
}

func (n *naive) concludeRegression(now time.Time) {
	c := n.verification
	if c != nil && n.policy.Verify != nil && c.Broken != "" && c.Samples >= max(1, n.policy.Verify.MinSamples) {
		n.conclude(now, policy.Regressed, c.Reason)
	}
}

// endVerification ends it when its time is over, or with a broken rule.
func (n *naive) endVerification(now time.Time) {
	c := n.verification
	if c != nil && n.policy.Verify == nil {
		n.conclude(now, policy.Unverified, "the policy asks for none any more")
	}
	n.concludeRegression(now)
	if n.verification == nil || c.Until.IsZero() || now.Before(c.Until) {
		return
	}
	within := policy.Duration(n.within())
	if least := n.policy.Verify.MinSamples; c.Samples < least {
		n.conclude(now, policy.Unverified, fmt.Sprintf("%d events within %s, of at least %d", c.Samples, within, least))
		return
	}
	n.conclude(now, policy.Verified, fmt.Sprintf("%d events within %s held the rules", c.Samples, within))
}

func (n *naive) conclude(now time.Time, kind policy.Kind, reason string) {
	c := n.verification
	n.verification = nil
	n.decide(monitor.Decision{At: now, Kind: kind, Rule: c.Broken, Reason: reason, ModelVersion: c.Version, RequestID: c.RequestID})
	switch kind {
	case policy.Verified:
		n.endRow()
	case policy.Regressed:
		n.countFailure(now)
	}
}

// endRow forgets the failures so far: one more would be the first.
func (n *naive) endRow() {
	n.failures = 0
	for i := range n.ended {
		n.ended[i].failures = 0
	}
}

// countFailure opens the circuit after so many in a row.
func (n *naive) countFailure(now time.Time) {
	n.failures++
	if n.policy.MaxFailures == 0 || n.failures < n.policy.MaxFailures || n.paused != nil {
		return
	}
	reason := fmt.Sprintf("%d retrainings in a row failed; resume when the cause is mended", n.failures)
	n.paused = &monitor.Control{By: "circuit", Reason: reason, At: now}
	n.decide(monitor.Decision{At: now, Kind: policy.CircuitOpened, Reason: reason, By: "circuit"})
}
