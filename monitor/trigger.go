package monitor

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/policy"
)

// breach decides about a breaching moment: it triggers, or it is suppressed for a
// named reason.
func (m *Machine) breach(j *moment, rule int) {
	m.state.Counters.Breaches++
	r, t := &m.state.Policy.Rules[rule], j.seen.Rules[rule]
	by := m.suppression(j)
	if by == ByBlackout && !m.isAge(rule) { // which is looked at when the blackout ends, anyway
		t.Deferred = true
		m.dirty = true
	}

	if by != "" {
		m.countSuppressed(by)
		m.repeat(j, policy.Suppressed, by, rule)
		return
	}

	t.Deferred = false
	m.noteActed(j.now)
	m.ask(j.now, r.Name, m.request(rule, j.version, j.seen), "")
}

// request is what a breach of a rule asks for.
func (m *Machine) request(rule int, version string, seen *version) modelops.Request {
	e := m.evidenceNow(seen)
	value, threshold := m.measured(e, rule)
	return modelops.Request{
		ModelVersion: version, Reason: m.words(e, rule), Rule: m.state.Policy.Rules[rule].Name,
		Metric: m.state.Policy.Rules[m.measuring(e, rule)].Metric, Value: value.Pointer(), Threshold: threshold.Pointer(),
	}
}

// ask lets a trigger go out, or holds it: for a dry run, or for an operator's word.
func (m *Machine) ask(now time.Time, rule string, request modelops.Request, by string) (requestID string) {
	p := &m.state.Policy
	switch {
	case p.DryRun:
		m.state.LastHeld = now
		m.dirty = true
		m.countSuppressed(ByDryRun)
		m.decide(decisionOf(now, policy.Held, request))
		return ""
	case p.AsksApproval():
		until := now.Add(time.Duration(p.Approval.Timeout.Or(policy.Duration(policy.DefaultApprovalTimeout))))
		m.state.Pending = &Pending{Request: request, By: by, Since: now, Until: until}
		m.dirty = true
		d := decisionOf(now, policy.AwaitingApproval, request)
		d.By = by
		m.decide(d)
		return ""
	}

	return m.trigger(now, request, by)
}

// Pending is a trigger that waits for an operator's word.
type Pending struct {
	modelops.Request           // without a request id yet
	By               string    `json:"by,omitempty"` // the operator who asked for it
	Since            time.Time `json:"since"`
	Until            time.Time `json:"until"` // when no answer is one too
}

// decisionOf is a decision about a request.
func decisionOf(now time.Time, kind policy.Kind, request modelops.Request) Decision {
	return Decision{
		At: now, Kind: kind, Rule: request.Rule, Reason: request.Reason, ModelVersion: request.ModelVersion,
		Value: metric.FromPointer(request.Value), Threshold: metric.FromPointer(request.Threshold), RequestID: request.RequestID,
	}
}

func (m *Machine) countSuppressed(by Suppression) {
	if m.state.Counters.Suppressed == nil {
		m.state.Counters.Suppressed = map[Suppression]int64{}
	}
	m.state.Counters.Suppressed[by]++
}

// suppression returns why a breach must not trigger, or "". What was folded
// before the cooldown's end is in cooldown even when it arrives later.
func (m *Machine) suppression(j *moment) Suppression {
	switch {
	case m.state.Stop != nil:
		return ByStopping
	case m.state.Pause != nil:
		return ByPause
	case j.endsBefore(m.CooldownUntil()):
		return ByCooldown
	case m.state.Flight != nil:
		return ByFlight
	case m.state.Pending != nil:
		return ByApproval
	case j.seen != nil && j.seen.SupersededBy != "" && m.state.Policy.Superseded != policy.SupersededTriggers:
		return BySuperseded
	}

	if _, in := m.state.Calendar.At(j.now); in {
		return ByBlackout
	}
	return ""
}

// CooldownUntil is the first instant at which a breach triggers again; zero
// before the first trigger. It counts from the last trigger under the policy
// of today; in a dry run, from the last trigger that was held too.
func (m *Machine) CooldownUntil() time.Time {
	from := m.cooldownFrom()
	if from.IsZero() {
		return time.Time{}
	}
	return from.Add(m.cooldown())
}

// cooldownFrom is the trigger from which the cooldown counts; zero before any.
func (m *Machine) cooldownFrom() time.Time {
	if m.state.Policy.DryRun {
		return clock.Later(m.state.LastTrigger, m.state.LastHeld)
	}
	return m.state.LastTrigger
}

// cooldown is the length of the policy's.
func (m *Machine) cooldown() time.Duration {
	return time.Duration(m.state.Policy.Cooldown.Or(policy.Duration(policy.DefaultCooldown)))
}

// CanRetrain says why an operator's retraining can't start now, or nil. Pause,
// dry run and a retraining in flight always stand in its way; a cooldown, a
// blackout and a trigger that waits for approval do unless it is forced.
func (m *Machine) CanRetrain(now time.Time, control Control) error {
	until := m.CooldownUntil()
	blackoutEnd, inBlackout := m.state.Calendar.At(m.clock(now))
	switch {
	case m.state.Stop != nil:
		return errors.New("the monitor is stopping")
	case m.state.Pause != nil:
		return fmt.Errorf("paused since %s by %s; resume it first", m.state.Pause.At.Format(time.RFC3339), orNobody(m.state.Pause.By))
	case m.state.Policy.DryRun:
		return errors.New("the policy is a dry run, which asks for nothing; apply one without dry_run first")
	case m.state.Flight != nil:
		return fmt.Errorf("retraining %s is in flight since %s; wait for its outcome or cancel it",
			m.state.Flight.RequestID, m.state.Flight.TriggeredAt.Format(time.RFC3339))
	case control.Force:
		return nil
	case now.Before(until):
		return fmt.Errorf("in cooldown until %s; use force to retrain now", until.Format(time.RFC3339))
	case m.state.Pending != nil:
		return fmt.Errorf("a trigger waits for approval since %s; approve or reject it, or use force", m.state.Pending.Since.Format(time.RFC3339))
	case inBlackout:
		return fmt.Errorf("in a blackout until %s; use force to retrain now", blackoutEnd.Format(time.RFC3339))
	}

	return nil
}

func orNobody(by string) string {
	if by == "" {
		return "somebody who gave no name"
	}
	return by
}

// Retrain starts a retraining at an operator's word, which CanRetrain must have
// allowed, and returns its request id; "" where it waits for approval, which an
// unforced one does if the policy asks for it. It restarts the cooldown.
func (m *Machine) Retrain(now time.Time, control Control) string {
	now = m.clock(now)
	reason := control.Reason
	if reason == "" {
		reason = "asked for by hand"
	}
	request := modelops.Request{ModelVersion: m.state.Latest, Reason: reason, Rule: modelops.RuleManual}
	if !control.Force {
		return m.ask(now, modelops.RuleManual, request, control.By)
	}

	if pending := m.state.Pending; pending != nil {
		m.state.Pending = nil
		d := decisionOf(now, policy.Approved, pending.Request)
		d.Reason = "overridden by a forced retraining"
		d.By = control.By
		m.decide(d)
	}

	return m.trigger(now, request, control.By)
}

// CanAnswer says why there is nothing to approve or reject, or nil.
func (m *Machine) CanAnswer(approve bool) error {
	switch {
	case m.state.Pending == nil:
		return errors.New("no trigger waits for approval")
	case approve && m.state.Pause != nil:
		return fmt.Errorf("paused since %s by %s; resume it first", m.state.Pause.At.Format(time.RFC3339), orNobody(m.state.Pause.By))
	case approve && m.state.Policy.DryRun:
		return errors.New("the policy is a dry run, which asks for nothing; apply one without dry_run first")
	case approve && m.state.Stop != nil:
		return errors.New("the monitor is stopping")
	}
	return nil
}

// Approve lets the pending trigger go out, which CanAnswer must have allowed, and
// returns its request id.
func (m *Machine) Approve(now time.Time, control Control) string {
	now = m.clock(now)
	pending := m.state.Pending
	m.state.Pending = nil
	d := decisionOf(now, policy.Approved, pending.Request)
	d.Reason = control.Reason
	d.By = control.By
	m.decide(d)
	return m.trigger(now, pending.Request, pending.By)
}

// RejectPending drops the pending trigger, which CanAnswer must have allowed. The
// cooldown starts, so that the same question isn't asked at once.
func (m *Machine) RejectPending(now time.Time, control Control) {
	m.turnDown(m.clock(now), control.Reason, control.By)
}

func (m *Machine) turnDown(now time.Time, reason, by string) {
	pending := m.state.Pending
	m.state.Pending = nil
	m.state.LastTrigger = now
	d := decisionOf(now, policy.ApprovalRejected, pending.Request)
	d.Reason = reason
	d.By = by
	m.decide(d)
}

// answeredAt is when no answer to a pending trigger is one too: when its time is
// over, or at once where a policy since then asks nobody. To go out it waits for the
// end of a blackout: nobody's word is none for a retraining in one.
func (m *Machine) answeredAt(now time.Time) time.Time {
	pending, p := m.state.Pending, &m.state.Policy
	at := pending.Until
	if !p.AsksApproval() && m.state.Pause == nil {
		at = clock.Earlier(at, now)
	}
	if end, in := m.state.Calendar.At(now); in && !now.Before(at) && p.ApprovesByItself() {
		return end
	}
	return at
}

// expire answers a pending trigger that nobody has answered in time.
func (m *Machine) expire(now time.Time) {
	pending := m.state.Pending
	if pending == nil || now.Before(m.answeredAt(now)) {
		return
	}

	why := fmt.Sprintf("no answer within %s", policy.Duration(pending.Until.Sub(pending.Since)))
	err := m.CanAnswer(true)
	switch p := &m.state.Policy; {
	case !p.ApprovesByItself():
		m.turnDown(now, why, "")
	case err != nil:
		m.turnDown(now, fmt.Sprintf("%s, and %v", why, err), "")
	case !p.AsksApproval():
		m.Approve(now, Control{Reason: "the policy asks nobody any more"})
	default:
		m.Approve(now, Control{Reason: why + ", and the policy says to go on"})
	}
}

// endBlackout lets what was deferred in a blackout trigger, if it still breaches: when
// the blackout ends, or a policy has none any more.
func (m *Machine) endBlackout(now time.Time) {
	if _, in := m.state.Calendar.At(now); in || !m.hasDeferred() {
		return
	}

	for _, name := range sortedKeys(m.state.Versions) {
		seen := m.state.Versions[name]
		if !seen.hasDeferred() {
			continue
		}

		m.judgeStanding(now, seen)
		chosen := -1
		for i, t := range seen.Rules {
			if t.Deferred && chosen < 0 && m.findings[i].verdict == Breaching {
				chosen = i
			}
			t.Deferred = false
		}

		if chosen >= 0 {
			m.breach(&moment{now: now, due: now, version: name, seen: seen}, chosen)
		}
	}
}

// hasDeferred says that something waits for a blackout's end.
func (m *Machine) hasDeferred() bool {
	for _, seen := range m.state.Versions {
		if seen.hasDeferred() {
			return true
		}
	}
	return false
}

func (v *version) hasDeferred() bool {
	return slices.ContainsFunc(v.Rules, func(t *track) bool { return t.Deferred })
}
