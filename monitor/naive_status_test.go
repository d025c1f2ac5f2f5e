package monitor_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// compareStatuses holds all of them to what they show.
func (x *trial) compareStatuses() error {
	whole := x.subjects[0]
	said := whole.Status(x.now)
	if err := x.compareStatus(&said); err != nil {
		return fmt.Errorf("at %s: %w", clock(x.now), err)
	}
	want := comparable(&said)
	for _, m := range x.subjects[1:] {
		other := m.Status(x.now)
		if got := comparable(&other); !bytes.Equal(got, want) {
			return fmt.Errorf("at %s the status of the %s machine differs: %s", clock(x.now), m.name, difference(got, want))
		}
	}
	return nil
}

// comparable is what of a status is the same however often the machine looks.
// Decisions are compared one by one.
func comparable(s *monitor.Status) []byte {
	s.Decisions = nil
	if hasAges(&s.Policy) {
		s.NextWake, s.Next = time.Time{}, nil // see isTimely
		for _, v := range s.Versions {
			for i := range v.Rules {
				if kind := kindOf(&s.Policy.Rules[i]); kind == "silence" || kind == "age" {
					v.Rules[i].At = time.Time{}
				}
			}
		}
	}
	return mustJSON(s)
}

// difference is where two JSON texts differ.
func difference(got, want []byte) string {
	var a, b any
	if json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil {
		return fmt.Sprintf("%s, not %s", got, want)
	}
	left, isMap := a.(map[string]any)
	right, isMapToo := b.(map[string]any)
	if !isMap || !isMapToo {
		return fmt.Sprintf("%s, not %s", got, want)
	}
	var all []string
	for name := range left {
		if !sameJSON(left[name], right[name]) {
			all = append(all, fmt.Sprintf("%s: %s", name, difference(mustJSON(left[name]), mustJSON(right[name]))))
		}
	}
	for name := range right {
		if _, has := left[name]; !has {
			all = append(all, name+" is missing")
		}
	}
	return strings.Join(all, "; ")
}

func nth(all []monitor.Decision, i int) *monitor.Decision {
	if i < len(all) {
		return &all[i]
	}
	return nil
}

func sameDecision(got, want *monitor.Decision) error {
	if got != nil && want != nil && *got == *want {
		return nil
	}
	text := func(d *monitor.Decision) string {
		if d == nil {
			return "nothing"
		}
		return fmt.Sprintf("%s %s", clock(d.At), mustJSON(d))
	}
	return fmt.Errorf("\n\t%s\nnot\n\t%s", text(got), text(want))
}

// clock is an instant as scripts have it.
func clock(at time.Time) string { return at.Sub(scriptStart).String() }

func mustJSON(value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return encoded
}

func sameJSON(a, b any) bool { return bytes.Equal(mustJSON(a), mustJSON(b)) }

// compareStatus holds what the machine shows to what the naive one knows.
func (x *trial) compareStatus(s *monitor.Status) error {
	n := x.naive
	counters := n.counters
	if counters.Suppressed == nil {
		counters.Suppressed = map[monitor.Suppression]int64{}
	}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"phase", s.Phase, n.phase(x.now)},
		{"policy", s.Policy, n.policy},
		{"cooldown_until", s.CooldownUntil, n.cooldownUntil()},
		{"blackout_until", s.BlackoutUntil, n.blackoutEnd(x.now)},
		{"budget", s.Budget, n.budget(x.now)},
		{"counters", s.Counters, counters},
		{"publishers", s.Publishers, len(n.heard.publishers)},
		{"current", s.Current, n.flight},
		{"pending", s.Pending, x.pendingStatus()},
		{"paused", s.Paused, n.paused},
		{"verification", s.Verification, n.verification},
		{"failures", s.Failures, n.failures},
		{"decisions", s.Decisions, n.log()},
	} {
		if !sameJSON(c.got, c.want) {
			return fmt.Errorf("%s is\n\t%s\nnot\n\t%s", c.what, mustJSON(c.got), mustJSON(c.want))
		}
	}
	for _, compare := range []func() error{x.isAlwaysSo, x.compareWants} {
		if err := compare(); err != nil {
			return err
		}
	}
	if len(s.Versions) != len(n.versions) {
		return fmt.Errorf("%d versions, not %d", len(s.Versions), len(n.versions))
	}
	for _, v := range n.inOrder() {
		if err := x.compareVersion(v, s.Versions[v.name]); err != nil {
			return fmt.Errorf("version %s: %w", v.name, err)
		}
	}
	return nil
}

// isAlwaysSo holds what was decided to what must hold whatever both machines think:
// two automatic triggers are never closer than the cooldown, unless the first was
// given up before it went out, in no span as long as a budget's is an automatic one
// among more than it allows, and every breach triggers or is suppressed.
func (x *trial) isAlwaysSo() error {
	if err := x.keepsBudgets(); err != nil {
		return err
	}

	var last time.Time
	held, asked := map[string]bool{}, int64(0)
	for i, d := range x.naive.decided {
		isAutomatic := d.Rule != modelops.RuleManual
		isApproved := i > 0 && x.naive.decided[i-1].Kind == policy.Approved
		switch d.Kind {
		case policy.Held:
			held[d.RequestID] = true
		case policy.Cancelled:
			if held[d.RequestID] {
				last = time.Time{}
			}
		case policy.AwaitingApproval:
			if isAutomatic {
				asked++
			}
		case policy.Triggered:
			if isAutomatic && !isApproved {
				asked++
			}
			if isAutomatic && !last.IsZero() && d.At.Sub(last) < x.cooldowns[i] {
				return fmt.Errorf("at %s an automatic trigger comes within the cooldown of %s", clock(d.At), x.cooldowns[i])
			}
			last = d.At
		}
	}
	for _, n := range x.naive.counters.Suppressed {
		asked += n
	}
	if asked != x.naive.counters.Breaches {
		return fmt.Errorf("of %d breaches %d are accounted for", x.naive.counters.Breaches, asked)
	}
	return nil
}

// keepsBudgets counts, at each automatic trigger, those that went out in the span of the
// budget that ends with it.
func (x *trial) keepsBudgets() error {
	givenUp, held := map[string]bool{}, map[string]bool{}
	for _, d := range x.naive.decided {
		held[d.RequestID] = held[d.RequestID] || d.Kind == policy.Held
		if d.Kind == policy.Cancelled && held[d.RequestID] {
			givenUp[d.RequestID] = true
		}
	}
	var out []time.Time
	for i, d := range x.naive.decided {
		if d.Kind != policy.Triggered || givenUp[d.RequestID] {
			continue
		}
		out = append(out, d.At)
		budget := x.budgets[i]
		if budget == nil || d.Rule == modelops.RuleManual {
			continue
		}
		among := 0
		for _, at := range out {
			if d.At.Sub(at) < time.Duration(budget.Per) {
				among++
			}
		}
		if among > budget.Retrainings {
			return fmt.Errorf("at %s an automatic trigger is the %dth in %s, of %d", clock(d.At), among, budget.Per, budget.Retrainings)
		}
	}
	return nil
}

// compareWants holds what the machine wants done to what the naive one waits for.
func (x *trial) compareWants() error {
	n := x.naive
	got := x.subjects[0].Wants(x.now)
	want := monitor.Wants{Notices: n.notices}
	switch {
	case n.flight == nil:
		want.Done = n.stopped != nil && len(n.cancelling) == 0 && !x.now.Before(n.noticesUntil())
	case n.flight.Job != nil:
		want.Await = n.flight
	case !x.now.Before(n.flight.FrozenUntil):
		want.Schedule = n.flight
	}
	for _, request := range n.cancelling {
		request.Params = nil
		want.Cancel = append(want.Cancel, monitor.Cancelling{Request: request})
	}
	got.Wakes = nil
	for i := range got.Cancel {
		got.Cancel[i].Backend, got.Cancel[i].Job = "", nil
	}
	if len(got.Notices) == 0 && len(want.Notices) == 0 {
		got.Notices, want.Notices = nil, nil
	}
	if len(got.Cancel) == 0 && len(want.Cancel) == 0 {
		got.Cancel, want.Cancel = nil, nil
	}
	if !sameJSON(got, want) {
		return fmt.Errorf("it wants %s", difference(mustJSON(got), mustJSON(want)))
	}
	return nil
}

func (x *trial) compareVersion(v *naiveVersion, s monitor.VersionStatus) error {
	if !s.LastSeen.Equal(v.lastSeen) || s.SupersededBy != v.supersededBy {
		return fmt.Errorf("last seen %s and superseded by %q, not %s and %q", clock(s.LastSeen), s.SupersededBy, clock(v.lastSeen), v.supersededBy)
	}
	metrics := map[string]monitor.MetricStatus{}
	for name, values := range v.readings {
		metrics[name] = monitor.MetricStatus{
			Count: int64(len(values)), Min: slices.Min(values), Max: slices.Max(values), Mean: statOf("sum", values).Or(0) / float64(len(values)),
		}
	}
	if !sameJSON(metrics, s.Metrics) {
		return fmt.Errorf("metrics: %s", difference(mustJSON(s.Metrics), mustJSON(metrics)))
	}
	if (v.ledgers == nil) != (len(s.Rules) == 0) {
		return fmt.Errorf("%d rules are known, not %d", len(s.Rules), len(v.ledgers))
	}
	if x.naive.stopped != nil {
		return nil // periods are not judged any more, so what would go into them is all one
	}
	for i, got := range s.Rules {
		r := &x.naive.policy.Rules[i]
		want := x.ruleStatus(r, v, v.ledgers[r.Name])
		if got.At = (time.Time{}); !sameJSON(got, want) {
			return fmt.Errorf("rule %s is\n\t%s\nnot\n\t%s", r.Name, mustJSON(got), mustJSON(want))
		}
	}
	return nil
}

// pendingStatus is the trigger that waits, until a blackout's end where that holds no
// answer up.
func (x *trial) pendingStatus() *retraining.Pending {
	if x.naive.pending == nil {
		return nil
	}
	shown := *x.naive.pending
	if at := x.naive.answeredAt(x.now); at.After(shown.Until) {
		shown.Until = at
	}
	return &shown
}

// ruleStatus is a rule's status as the naive machine knows it.
func (x *trial) ruleStatus(r *policy.Rule, v *naiveVersion, l *ledger) monitor.RuleStatus {
	s := monitor.RuleStatus{Name: r.Name, Verdict: l.verdict, Value: l.value, Threshold: l.threshold}
	if kind := kindOf(r); kind == "age" || kind == "silence" || kind == "period" {
		s.Verdict = x.naive.standing(r, v, x.now)
	}
	if r.Period.IsZero() {
		return s
	}
	if s.Baseline = l.baseline(r); l.base.IsZero() {
		s.BaselineSamples = int64(len(l.firsts))
	}
	s.Late, s.LateAt = l.late, l.lateAt
	if start, comes := x.naive.nextPeriod(r, v, l); comes {
		s.NextAt = dueOf(r, start)
	}
	if r.Change == nil {
		s.Breaches, s.Of = l.count(r)
	}
	for _, p := range l.points[max(0, len(l.points)-30):] {
		s.Datapoints = append(s.Datapoints, monitor.DatapointStatus{
			Start: time.Unix(p.start, 0).UTC(), Value: p.value, Breach: p.breach, Unknown: p.unknown, Approximate: p.approximate,
		})
	}
	return s
}
