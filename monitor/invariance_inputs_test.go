package monitor_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/monitor"
)

// wildPolicy is a policy of which any field may change at any time.
type wildPolicy struct {
	random *rand.Rand
	rules  map[string]map[string]any // by name
	fields map[string]any
}

// ruleNames are those that a wild policy has rules of, or has not.
var ruleNames = []string{
	"all", "any", "not", "bad", "slow", "mean", "count", "sum", "worse", "p90", "shift", "stale", "silent", "quiet",
}

func newWildPolicy(random *rand.Rand) *wildPolicy {
	for {
		p := &wildPolicy{random: random, rules: map[string]map[string]any{}, fields: map[string]any{}}
		for _, name := range ruleNames {
			if random.IntN(2) == 0 {
				p.rules[name] = p.rule(name)
			}
		}
		for range 6 {
			p.setField()
		}
		if p.isValid() {
			return p
		}
	}
}

// change redraws one thing, of which a valid policy comes out.
func (p *wildPolicy) change() {
	for {
		changed := &wildPolicy{random: p.random, rules: map[string]map[string]any{}, fields: map[string]any{}}
		for name, rule := range p.rules {
			changed.rules[name] = rule
		}
		for name, field := range p.fields {
			changed.fields[name] = field
		}
		switch name := pick(p.random, ruleNames...); p.random.IntN(4) {
		case 0:
			changed.setField()
		case 1:
			delete(changed.rules, name)
		case 2:
			changed.rules[name] = p.rule(name)
		default: // only one field of it
			rule, has := p.rules[name]
			if !has {
				continue
			}
			drawn := p.rule(name)
			redrawn := map[string]any{}
			for field, value := range rule {
				redrawn[field] = value
			}
			for _, field := range []string{"below", "above", "grace", "missing", "min_samples", "datapoints", "severity", "condition", "clear_below", "time", "baseline", "change", "silent_for", "max_age"} {
				if p.random.IntN(4) > 0 {
					continue
				}
				if value, drew := drawn[field]; drew {
					redrawn[field] = value
				} else {
					delete(redrawn, field)
				}
			}
			changed.rules[name] = redrawn
		}
		if changed.isValid() {
			*p = *changed
			return
		}
	}
}

func (p *wildPolicy) encoded() []byte {
	fields := map[string]any{}
	for name, field := range p.fields {
		if field != nil {
			fields[name] = field
		}
	}
	var rules []any
	for _, name := range ruleNames {
		if rule, has := p.rules[name]; has {
			rules = append(rules, rule)
		}
	}
	fields["rules"] = rules
	encoded, _ := json.Marshal(fields)
	return encoded
}

func (p *wildPolicy) isValid() bool {
	_, err := monitor.DecodePolicy(p.encoded())
	return err == nil
}

func (p *wildPolicy) decoded(t require.TestingT) monitor.Policy {
	policy, err := monitor.DecodePolicy(p.encoded())
	require.NoError(t, err)
	return policy
}

func (p *wildPolicy) setField() {
	r := p.random
	switch name := pick(r, "cooldown", "dry_run", "superseded", "approval", "verify", "blackout", "max_failures", "retraining"); name {
	case "cooldown":
		p.fields[name] = pick(r, "0s", "0s", "10s", "1m", "4m")
	case "dry_run":
		p.fields[name] = r.IntN(3) == 0
	case "superseded":
		p.fields[name] = pick(r, "suppress", "trigger")
	case "approval":
		p.fields[name] = pick[any](r, nil, nil, map[string]any{"required": r.IntN(4) > 0, "timeout": pick(r, "10s", "1m"), "on_timeout": pick(r, "approve", "reject")})
	case "verify":
		p.fields[name] = pick[any](r, nil, map[string]any{"within": pick(r, "20s", "2m"), "min_samples": r.IntN(5)})
	case "blackout":
		spans := []any{}
		for range r.IntN(4) {
			from := r.IntN(50)
			spans = append(spans, map[string]any{"from": fmt.Sprintf("%d:%02d", 12+r.IntN(3), from), "to": fmt.Sprintf("%d:%02d", 12+r.IntN(3), from+1+r.IntN(9))})
		}
		p.fields[name] = spans
	case "max_failures":
		p.fields[name] = r.IntN(4)
	case "retraining":
		p.fields[name] = map[string]any{"timeout": pick(r, "20s", "3m"), "cancel_on_timeout": r.IntN(2) == 0}
	}
}

// rule draws a rule of a name.
func (p *wildPolicy) rule(name string) map[string]any {
	r := p.random
	rule := map[string]any{"name": name}
	switch r.IntN(5) {
	case 0:
		rule["severity"] = "warning"
	case 1:
		rule["condition"] = true
	}
	window := func(metric, stat string) {
		rule["metric"], rule["stat"], rule["period"] = metric, stat, "10s"
		rule["grace"] = pick(r, "0s", "1s", "7s", "30s")
		if n := r.IntN(4); n > 0 {
			rule["datapoints"] = map[string]any{"breaching": 1 + r.IntN(n), "of": n}
		}
		if r.IntN(4) == 0 {
			rule["time"] = "arrival"
		}
		if stat != "count" && stat != "sum" {
			rule["missing"] = pick(r, "ignore", "breaching", "ok")
			rule["min_samples"] = r.IntN(3)
		}
	}
	switch name {
	case "all", "any":
		var members []string
		for range 1 + r.IntN(3) {
			members = append(members, pick(r, ruleNames[2:]...))
		}
		rule[name+"_of"] = members
	case "not":
		rule["not"] = pick(r, ruleNames[3:]...)
	case "bad":
		rule["metric"], rule["below"] = "accuracy", pick(r, 0.5, 0.7)
	case "slow":
		rule["metric"], rule["above"] = "latency_ms", pick(r, 150, 250)
	case "mean":
		window("accuracy", "mean")
		rule["below"] = pick(r, 0.6, 0.8)
		if r.IntN(3) == 0 {
			rule["clear_below"] = pick(r, 0.8, 0.9)
		}
	case "count", "sum":
		window("latency_ms", name)
		rule[pick(r, "below", "above")] = pick(r, 1, 3, 350)
	case "worse":
		window("accuracy", "mean")
		rule["below_baseline_by"] = pick[any](r, 0.1, "5%")
		rule["baseline"] = map[string]any{"samples": pick(r, 1, 3, 8), "from": pick(r, "first", "previous")}
	case "p90":
		window("latency_ms", "p90")
		rule["above"] = pick(r, 150, 250)
		if r.IntN(3) == 0 {
			rule["clear_above"] = 120
		}
	case "shift":
		window("drift_score", "max")
		delete(rule, "datapoints")
		rule["period"], rule["grace"] = "2s", pick(r, "0s", "1s")
		delete(rule, "missing")
		rule["change"] = map[string]any{"delta": pick(r, 0.5, 0.9), "direction": pick(r, "up", "down", "both"), "hold": pick(r, "5s", "1m")}
	case "stale":
		rule["max_age"] = pick(r, "30s", "2m")
	case "silent", "quiet":
		rule["silent_for"] = pick(r, "15s", "40s", "2m")
	}
	return rule
}

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
