package monitor_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

// step is one input of any kind.
func (l *life) step() {
	r := l.random
	switch kind := r.IntN(40); {
	case kind < 14:
		l.events()
	case kind < 19:
		l.batch()
	case kind < 25:
		l.landing()
	case kind < 31:
		l.control()
	case kind < 38:
		l.compare() // by the policy that was in force
		l.policy.change()
		policy := l.policy.decoded(l.t)
		l.past.note(l.now, policy)
		l.do("policy "+string(l.policy.encoded()), func(m *monitor.Machine) { m.SetPolicy(l.now, policy) })
	case kind == 38:
		l.outage()
	default:
		if r.IntN(20) == 0 {
			l.do("stop", func(m *monitor.Machine) { m.StopBy(l.now, monitor.Control{}) })
		}
	}
}

// outage lets nobody wake the machines for a while, in which inputs pile up.
func (l *life) outage() {
	l.now = l.now.Add(pick(l.random, 5*time.Second, 30*time.Second, 10*time.Minute))
	l.past.outages = append(l.past.outages, l.now)
	l.inputs = append(l.inputs, l.now.Format("15:04:05.000 ")+"back after an outage")
	for range l.random.IntN(4) {
		l.events()
	}
}

func (l *life) version() string { return fmt.Sprint("v", 1+l.random.IntN(l.versions)) }

func (l *life) event(version string) *monitor.MetricEvent {
	r := l.random
	e := &monitor.MetricEvent{ModelName: "fraud", ModelVersion: version}
	e.Timestamp = l.now.Add(pick(r, 0, 0, 0, -time.Second, -8*time.Second, -15*time.Second, -time.Minute, -72*time.Hour, 5*time.Second))
	if r.IntN(5) > 0 {
		e.Accuracy = monitor.Some(pick(r, 0.3, 0.55, 0.75, 0.85, 0.95, 0.95))
	}
	if r.IntN(2) > 0 {
		e.LatencyMS = monitor.Some(pick(r, 100.0, 130, 200, 300))
	}
	if r.IntN(2) > 0 {
		e.DriftScore = monitor.Some(pick(r, 0.0, 100, 1000) * float64(l.now.Minute()%2))
	}
	return e
}

func (l *life) events() {
	version := l.version()
	for range 1 + l.random.IntN(3) {
		e := l.event(version)
		l.do("event "+encode(l.t, e), func(m *monitor.Machine) { m.Observe(l.now, e) })
	}
}

func (l *life) batch() {
	l.publisher++
	batch := &monitor.Batch{Version: 1, ModelName: "fraud", Publisher: "p", Sequence: l.publisher}
	for range 1 + l.random.IntN(2) {
		version := l.version()
		until := l.now.Add(pick(l.random, 0, 0, time.Second, -2*time.Second, -30*time.Second, -49*time.Hour))
		var parts []*monitor.Digest
		for range 1 + l.random.IntN(4) {
			parts = append(parts, monitor.DigestOf(l.event(version), until))
		}
		digest := merged(parts)
		digest.FoldedFrom, digest.FoldedUntil = until.Add(-pick(l.random, 0, time.Second, 20*time.Second)), until
		batch.Digests = append(batch.Digests, digest)
	}
	l.do("batch "+encode(l.t, batch.Digests), func(m *monitor.Machine) { m.ObserveBatch(l.now, batch) })
}

// landing is news of the retraining in flight.
func (l *life) landing() {
	flight := l.lanes[0].m.Status(l.now).Current
	if flight == nil {
		return
	}
	id, message := flight.RequestID, "so it says"
	switch what := pick(l.random, "accepted", "followed", "failed", "succeeded", "succeeded", "held", "held", "refused", "late word"); what {
	case "accepted", "followed":
		l.do(what, func(m *monitor.Machine) {
			m.Scheduled(l.now, id, monitor.Job{Backend: "b", Followed: what == "followed"})
		})
	case "failed", "succeeded", "late word":
		if what == "late word" {
			what = "failed"
			id = id[:len(id)-1]
		}
		version := pick(l.random, "", l.version(), "new")
		if version == "new" {
			l.versions = min(l.versions+1, 7)
			version = fmt.Sprint("v", l.versions)
		}
		l.do(what+" "+version, func(m *monitor.Machine) {
			m.Outcome(l.now, monitor.Outcome{RequestID: id, State: monitor.OutcomeState(what), Message: message, ModelVersion: version})
		})
	case "held":
		l.do(what, func(m *monitor.Machine) { m.Hold(l.now, id, "a freeze") })
	case "refused":
		l.do(what, func(m *monitor.Machine) { m.Failed(l.now, id, message) })
	}
}

// control is an operator's word.
func (l *life) control() {
	by := monitor.Control{By: "ada", Force: l.random.IntN(2) == 0}
	what := pick(l.random, "pause", "resume", "resume", "retrain", "approve", "reject", "cancel")
	l.do(what, func(m *monitor.Machine) {
		switch {
		case what == "pause":
			m.PauseBy(l.now, by)
		case what == "resume":
			m.ResumeBy(l.now, by)
		case what == "retrain" && m.CanRetrain(l.now, by) == nil:
			m.Retrain(l.now, by)
		case what == "approve" && m.CanAnswer(true) == nil:
			m.Approve(l.now, by)
		case what == "reject" && m.CanAnswer(false) == nil:
			m.RejectPending(l.now, by)
		case what == "cancel" && m.CanCancel() == nil:
			m.CancelTold(l.now, m.Cancel(l.now, by), nil)
		}
	})
}

// pastOfALife is what was in force when, to hold decisions against.
type pastOfALife struct {
	since    time.Time
	policies []monitor.Policy
	outages  []time.Time
	trigger  time.Time // the last, by whomever
	before   time.Time // the one before it
	held     string    // the request that a freeze held last
}

func (p *pastOfALife) note(now time.Time, policy monitor.Policy) {
	p.since, p.policies = now, append(p.policies, policy.WithDefaults())
}

// hold says what is wrong with a decision, or nothing.
func (p *pastOfALife) hold(d monitor.Decision) string {
	policy := p.policies[len(p.policies)-1]
	switch {
	case d.Reason == "a freeze":
		p.held = d.RequestID
		return ""
	case d.Kind == monitor.Cancelled && d.RequestID == p.held: // it may never have gone out
		p.trigger = p.before
		return ""
	case d.Kind != monitor.Triggered && d.Kind != monitor.Held && d.Kind != monitor.AwaitingApproval:
		return ""
	}

	last := p.trigger
	if d.Kind == monitor.Triggered {
		p.before, p.trigger = p.trigger, d.At
	}
	if d.Rule == monitor.RuleManual {
		return ""
	}
	i := slices.IndexFunc(policy.Rules, func(r monitor.Rule) bool { return r.Name == d.Rule })
	switch cooldown := time.Duration(policy.Cooldown.Or(0)); {
	case d.Kind == monitor.Triggered && !last.IsZero() && d.At.Sub(last) < cooldown:
		return fmt.Sprintf("two automatic triggers are closer than the cooldown of %s", cooldown)
	case i < 0:
		return "its rule is not in the policy in force"
	case !policy.Rules[i].CanTrigger():
		return "its rule can't trigger by the policy in force"
	case policy.DryRun && d.Kind != monitor.Held:
		return "the policy in force is a dry run"
	}
	r := policy.Rules[i]
	if below, has := r.Below.Get(); has && !d.Threshold.IsZero() && d.Threshold.Or(0) != below {
		return "its threshold is not that of the policy in force"
	}
	if above, has := r.Above.Get(); has && !d.Threshold.IsZero() && d.Threshold.Or(0) != above {
		return "its threshold is not that of the policy in force"
	}
	return ""
}

// holdStatus says what is wrong with a status, or nothing: a period is judged at
// most once.
func (p *pastOfALife) holdStatus(status monitor.Status) string {
	for version, v := range status.Versions {
		for _, r := range v.Rules {
			for i := 1; i < len(r.Datapoints); i++ {
				if !r.Datapoints[i-1].Start.Before(r.Datapoints[i].Start) {
					return fmt.Sprintf("the period of %s from %s on is judged twice by %s", version, r.Datapoints[i].Start, r.Name)
				}
			}
		}
	}
	return ""
}
