package monitor_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// requestBase is what the request ids of scripts begin with.
const requestBase = "model-monitor/fraud/run"

// breach triggers, or is suppressed for the first reason that holds.
func (n *naive) breach(now time.Time, v *naiveVersion, r *policy.Rule, all findings, endsBefore func(time.Time) bool) {
	n.counters.Breaches++
	request := n.request(r, v, all)
	by := n.heldBackBy(now, v, endsBefore)
	if kind := kindOf(r); by == journal.ByBlackout && kind != "age" && kind != "silence" {
		v.ledgers[r.Name].deferred = true
	}
	if by != "" {
		n.countSuppressed(by)
		d := n.about(now, policy.Suppressed, request)
		d.SuppressedBy, d.Count = by, 1
		n.decide(d)
		return
	}
	v.ledgers[r.Name].deferred = false
	for name, a := range n.ages {
		if f := all[name]; f.judged && f.verdict == monitor.Breaching {
			a.acted = now
		}
	}
	n.ask(now, request, "")
}

// heldBackBy is the table of what suppresses a breach, from its top.
func (n *naive) heldBackBy(now time.Time, v *naiveVersion, endsBefore func(time.Time) bool) monitor.Suppression {
	switch {
	case n.stopped != nil:
		return "stopping"
	case n.paused != nil:
		return "paused"
	case endsBefore(n.cooldownUntil()):
		return "cooldown"
	case n.flight != nil:
		return "in_flight"
	case n.pending != nil:
		return "awaiting_approval"
	case v.supersededBy != "" && n.policy.Superseded != "trigger":
		return "superseded"
	case n.isBlackout(now):
		return "blackout"
	case endsBefore(n.budgetUntil()):
		return "budget"
	}
	return ""
}

func (n *naive) countSuppressed(by monitor.Suppression) {
	if n.counters.Suppressed == nil {
		n.counters.Suppressed = map[monitor.Suppression]int64{}
	}
	n.counters.Suppressed[by]++
}

// request is what a breach asks for. A composite has the value of its first
// breaching member that measures something.
func (n *naive) request(r *policy.Rule, v *naiveVersion, all findings) modelops.Request {
	l := v.ledgers[r.Name]
	request := modelops.Request{
		ModelVersion: v.name, Reason: n.reason(r, v, all), Rule: r.Name, Metric: r.Metric, Value: l.value.Pointer(), Threshold: l.threshold.Pointer(),
	}
	for _, name := range membersOf(r) {
		if member := n.rule(name); all[name].verdict == monitor.Breaching && member.Metric != "" {
			l := v.ledgers[name]
			request.Metric, request.Value, request.Threshold = member.Metric, l.value.Pointer(), l.threshold.Pointer()
			break
		}
	}
	return request
}

// about is a decision about a request.
func (n *naive) about(now time.Time, kind policy.Kind, r modelops.Request) monitor.Decision {
	return monitor.Decision{
		At: now, Kind: kind, Rule: r.Rule, Reason: r.Reason, ModelVersion: r.ModelVersion, Value: metric.FromPointer(r.Value), Threshold: metric.FromPointer(r.Threshold), RequestID: r.RequestID,
	}
}

// ask lets a trigger go out, unless the policy is a dry run or asks an operator.
func (n *naive) ask(now time.Time, request modelops.Request, by string) {
	switch {
	case n.policy.DryRun:
		n.lastHeld, n.heldAt = now, append(n.heldAt, now)
		n.countSuppressed("dry_run")
		n.decide(n.about(now, policy.Held, request))
	case n.asks():
		until := now.Add(time.Duration(n.policy.Approval.Timeout.Or(policy.Duration(24 * time.Hour))))
		n.pending = &retraining.Pending{Request: request, By: by, Since: now, Until: until}
		d := n.about(now, policy.AwaitingApproval, request)
		d.By = by
		n.decide(d)
	default:
		n.trigger(now, request, by)
	}
}

// asks says that an operator is asked before a retraining goes out.
func (n *naive) asks() bool { return n.policy.Approval != nil && n.policy.Approval.Required }

// trigger puts a retraining in flight, and starts the cooldown.
func (n *naive) trigger(now time.Time, request modelops.Request, by string) {
	n.counters.Retrainings.Requested++
	request.RequestID = fmt.Sprintf("%s/%d", requestBase, n.counters.Retrainings.Requested)
	request.ModelName, request.TriggeredAt, request.Params = "fraud", now, n.policy.Retraining.Params
	how := n.policy.Retraining
	timeout := how.Timeout.Or(policy.Duration(24 * time.Hour))
	n.flight = &monitor.Flight{
		Request: request, By: by, Backend: how.Backend, Priority: how.Priority, CancelOnTimeout: how.CancelOnTimeout,
		Deadline: now.Add(time.Duration(timeout)), Timeout: timeout, LastTrigger: n.lastTrigger,
	}
	n.lastTrigger, n.wentOut = now, append(n.wentOut, now)
	d := n.about(now, policy.Triggered, request)
	d.By = by
	n.decide(d)
}

// refusal says why an operator's retraining can't start now: the table in
// docs/policies.md, By hand.
func (n *naive) refusal(now time.Time, force bool) string {
	rfc := func(at time.Time) string { return at.Format(time.RFC3339) }
	switch {
	case n.stopped != nil:
		return "the monitor is stopping"
	case n.paused != nil:
		return fmt.Sprintf("paused since %s by %s; resume it first", rfc(n.paused.At), n.paused.By)
	case n.policy.DryRun:
		return "the policy is a dry run, which asks for nothing; apply one without dry_run first"
	case n.flight != nil:
		return fmt.Sprintf("retraining %s is in flight since %s; wait for its outcome or cancel it", n.flight.RequestID, rfc(n.flight.TriggeredAt))
	case force:
		return ""
	case now.Before(n.cooldownUntil()):
		return fmt.Sprintf("in cooldown until %s; use force to retrain now", rfc(n.cooldownUntil()))
	case n.pending != nil:
		return fmt.Sprintf("a trigger waits for approval since %s; approve or reject it, or use force", rfc(n.pending.Since))
	case n.isBlackout(now):
		return fmt.Sprintf("in a blackout until %s; use force to retrain now", rfc(n.blackoutEnd(now)))
	case now.Before(n.budgetUntil()):
		return fmt.Sprintf("the budget of %s is used up until %s; use force to retrain now", n.policy.Budget, rfc(n.budgetUntil()))
	}
	return ""
}

func (n *naive) retrain(now time.Time, by, reason string, force bool) {
	if reason == "" {
		reason = "asked for by hand"
	}
	request := modelops.Request{ModelVersion: n.latest, Reason: reason, Rule: "manual"}
	if !force {
		n.ask(now, request, by)
		return
	}
	if n.pending != nil {
		d := n.about(now, policy.Approved, n.pending.Request)
		d.Reason, d.By = "overridden by a forced retraining", by
		n.pending = nil
		n.decide(d)
	}
	n.trigger(now, request, by)
}

// answerRefusal says why a pending trigger can't be answered.
func (n *naive) answerRefusal(approve bool) string {
	switch {
	case n.pending == nil:
		return "no trigger waits for approval"
	case approve && n.paused != nil:
		return fmt.Sprintf("paused since %s by %s; resume it first", n.paused.At.Format(time.RFC3339), n.paused.By)
	case approve && n.policy.DryRun:
		return "the policy is a dry run, which asks for nothing; apply one without dry_run first"
	}
	return ""
}

func (n *naive) approve(now time.Time, by, reason string) {
	pending := n.pending
	n.pending = nil
	d := n.about(now, policy.Approved, pending.Request)
	d.By, d.Reason = by, reason
	n.decide(d)
	n.trigger(now, pending.Request, pending.By)
}

// turnDown starts the cooldown, so that the same question isn't asked at once.
func (n *naive) turnDown(now time.Time, by, reason string) {
	d := n.about(now, policy.ApprovalRejected, n.pending.Request)
	d.By, d.Reason = by, reason
	n.pending, n.lastTrigger = nil, now
	n.decide(d)
}

// goesOutByItself says that a trigger which waits goes out without anybody's word.
func (n *naive) goesOutByItself() bool { return !n.asks() || n.policy.Approval.OnTimeout == "approve" }

// answeredAt is when no answer is one too: when its time is over, or at once where a
// policy since then asks nobody. To go out it waits for the end of a blackout.
func (n *naive) answeredAt(now time.Time) time.Time {
	at := n.pending.Until
	if !n.asks() && n.paused == nil && now.Before(at) {
		at = now
	}
	if end := n.blackoutEnd(now); !end.IsZero() && !now.Before(at) && n.goesOutByItself() {
		return end
	}
	return at
}

// timeOutApproval does what no answer means.
func (n *naive) timeOutApproval(now time.Time) {
	if n.pending == nil || now.Before(n.answeredAt(now)) {
		return
	}
	none := fmt.Sprintf("no answer within %s", policy.Duration(n.pending.Until.Sub(n.pending.Since)))
	refusal := n.answerRefusal(true)
	switch {
	case !n.goesOutByItself():
		n.turnDown(now, "", none)
	case refusal != "":
		n.turnDown(now, "", none+", and "+refusal)
	case !n.asks():
		n.approve(now, "", "the policy asks nobody any more")
	default:
		n.approve(now, "", none+", and the policy says to go on")
	}
}

// scheduled is a backend's answer to a request.
func (n *naive) scheduled(now time.Time, id, backend string, followed bool) {
	if n.flight == nil || n.flight.RequestID != id {
		return
	}
	n.flight.Job, n.flight.Backend = &modelops.Job{Backend: backend, ID: "job", Followed: followed}, backend
	if !followed {
		n.land(now, policy.Accepted, "scheduled by "+backend, "", "")
	}
}

// refused says that a request was refused for good.
func (n *naive) refused(now time.Time, id, message string) {
	if n.flight != nil && n.flight.RequestID == id {
		n.land(now, policy.Failed, message, "", "")
	}
}

// outcome is the end of a retraining: of the one in flight, or of one that a
// backend has accepted that can't be followed. Any other is rejected.
func (n *naive) outcome(now time.Time, id string, kind policy.Kind, message, version string) {
	if n.flight != nil && n.flight.RequestID == id {
		n.land(now, kind, message, version, "")
		return
	}
	known := n.ended[max(0, len(n.ended)-20):]
	i := slices.IndexFunc(known, func(e ending) bool { return e.id == id })
	switch {
	case i < 0:
		n.counters.Rejected++
	case known[i].kind == policy.Accepted:
		known[i].kind = kind
		if kind == policy.Failed {
			n.failures += known[i].failures // they are in a row again
		}
		n.record(now, known[i], message, version, "")
	case known[i].kind != kind:
		n.counters.Rejected++
	}
}

// land ends the flight.
func (n *naive) land(now time.Time, kind policy.Kind, message, version, by string) {
	flight := n.flight
	n.flight = nil
	e := ending{id: flight.RequestID, rule: flight.Rule, version: flight.ModelVersion, kind: kind}
	if kind == policy.Accepted {
		e.failures, n.failures = n.failures, 0
	}
	n.ended = append(n.ended, e)
	if kind == policy.Accepted || kind == policy.Succeeded {
		n.answerChanges(flight.TriggeredAt)
	}
	n.record(now, e, message, version, by)
}

// answerChanges ends what detections say that a retraining, triggered since, has
// answered.
func (n *naive) answerChanges(triggered time.Time) {
	for _, v := range n.versions {
		for _, l := range v.ledgers {
			if !l.changed.IsZero() && !l.changed.After(triggered) {
				l.changed, l.verdict = time.Time{}, monitor.Healthy
			}
		}
	}
}

func (n *naive) record(now time.Time, e ending, message, made, by string) {
	version := made
	if made == "" {
		version = e.version
	}
	n.decide(monitor.Decision{At: now, Kind: e.kind, Rule: e.rule, Reason: message, ModelVersion: version, RequestID: e.id, By: by})
	count := &n.counters.Retrainings
	switch e.kind {
	case policy.Accepted:
		count.Accepted++
		n.lastSuccess = now
	case policy.Succeeded:
		count.Succeeded++
		n.lastSuccess = now
		n.supersede(e.version, made)
		n.verify(now, e.id, made)
	case policy.Cancelled:
		count.Cancelled++
	default:
		count.Failed++
		n.countFailure(now)
	}
}

// supersede says that a retraining which one version has triggered made another.
func (n *naive) supersede(old, made string) {
	if made == "" || made == old {
		return
	}
	if v := n.versions[made]; v != nil {
		v.supersededBy = ""
	}
	if v := n.versions[old]; v != nil {
		v.supersededBy = made
	}
}
