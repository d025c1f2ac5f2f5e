package monitor_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

// subject is a machine that lives through a script.
type subject struct {
	*monitor.Machine
	name     string
	isCut    bool       // handed on, as by continue-as-new, after each input and some wakes
	restless *rand.Rand // where set, it is woken at instants at which nothing is due, too
	looked   time.Time
	decided  []monitor.Decision
	compared int // of decided
	wakes    int
}

func newSubject(name string, policy monitor.Policy) *subject {
	s := &subject{Machine: monitor.NewMachine("fraud", requestBase, policy), name: name}
	listen(s.Machine, s.hear)
	return s
}

func (s *subject) hear(d monitor.Decision) { s.decided = append(s.decided, d) }

// calendar is what the shell does before each look: compute the blackouts.
func (s *subject) calendar(now time.Time) {
	if wanted, ok := s.CalendarWanted(now); ok {
		spans, err := monitor.BlackoutSpans(s.Blackouts(), wanted.From, wanted.Until)
		s.SetCalendar(now, wanted, spans, err)
	}
}

// look lets time pass, as at the end of each task of the shell.
func (s *subject) look(now time.Time, isWake bool) {
	s.calendar(now)
	s.Tick(now)
	if s.wakes++; s.isCut && (!isWake || s.wakes%8 == 0) {
		state := s.Unfitted()
		decisions, policy := state.Decisions, state.Policy
		state.Decisions, state.Policy = nil, monitor.Policy{} // long, and read back elsewhere
		state, err := monitor.DecodeState(mustJSON(&state))
		if err != nil {
			panic(err)
		}
		state.Decisions, state.Policy = decisions, policy
		s.Machine = monitor.Restore(state)
		listen(s.Machine, s.hear)
		s.Tick(now) // as the next run begins
	}
	s.looked = now
}

// pass wakes the machine whenever it asked to be, before an instant, or until it.
func (s *subject) pass(end time.Time, inclusive bool) error {
	for range 100_000 {
		wake, ok := s.NextWake()
		if ok && !wake.After(s.looked) {
			return fmt.Errorf("at %s the %s machine asks to be woken at %s", clock(s.looked), s.name, clock(wake))
		}
		if !ok || wake.After(end) || wake.Equal(end) && !inclusive {
			wake, ok = end, false
		}
		for s.restless != nil && s.restless.IntN(2) == 0 { // at any instant in between
			if span := wake.Sub(s.looked); span > 1 {
				s.look(s.looked.Add(1+time.Duration(s.restless.Int64N(int64(span-1)))), true)
			}
		}
		if !ok {
			return nil
		}
		s.look(wake, true)
	}
	return fmt.Errorf("the %s machine is woken without end before %s", s.name, clock(end))
}

// trial shows one script to the naive machine and to three others.
type trial struct {
	naive    *naive
	subjects []*subject
	now      time.Time
	steps    int
}

// try says how a script is decided differently by the machine and the naive one,
// or by the machine cut or woken otherwise; nil where nothing differs. Statuses,
// which cost most, are compared after each so many tasks.
func try(s script, seed uint64, each int) (err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("panic: %v\n%s", broken, debug.Stack())
		}
	}()
	x := &trial{now: scriptStart, naive: newNaive(monitor.Policy{})}
	whole, cutUp, restless := newSubject("whole", monitor.Policy{}), newSubject("cut", monitor.Policy{}), newSubject("restless", monitor.Policy{})
	cutUp.isCut, restless.restless = true, rand.New(rand.NewPCG(seed, 1))
	x.subjects = []*subject{whole, cutUp, restless}
	x.look()
	for tasks := 1; len(s) > 0 && err == nil; tasks++ {
		taken := x.task(s)
		if err = x.do(s[:taken]); err == nil {
			err = x.compareDecisions()
		}
		if s = s[taken:]; err == nil && (len(s) == 0 || tasks%each == 0) {
			err = x.compareStatuses()
		}
	}
	return err
}

// task is how many inputs are read in one go.
func (x *trial) task(s script) (taken int) {
	back := s[0].At + s[0].Away
	for taken = 1; taken < len(s); taken++ {
		in := &s[taken]
		if s[0].Away > 0 && in.At <= back && in.Away == 0 || s[taken-1].Joined && in.Away == 0 && s[0].Away == 0 {
			continue
		}
		break
	}
	return taken
}

// do lets time pass until some inputs are read, and shows them.
func (x *trial) do(s script) error {
	first := &s[0]
	last := &s[len(s)-1]
	at := scriptStart.Add(time.Duration(max(first.At, last.At)))
	if first.Away > 0 {
		at = scriptStart.Add(time.Duration(first.At))
	}
	if at.Before(x.now) {
		at = x.now // the outage before lasted so long
	}
	if err := x.pass(at, !first.Early); err != nil {
		return err
	}
	if first.Away > 0 {
		at = at.Add(time.Duration(first.Away))
	}
	x.now = at
	for i := range s {
		x.steps++
		said := s[i].tell(x.naive, at)
		for _, m := range x.subjects {
			m.calendar(at)
			if answered := s[i].show(m.Machine, at); answered != said {
				return fmt.Errorf("at %s: %q is answered, not %q", clock(at), answered, said)
			}
			m.calendar(at)
		}
	}
	x.look()
	return nil
}

func (x *trial) look() {
	for _, m := range x.subjects {
		m.look(x.now, false)
	}
	x.naive.tick(x.now)
}

func (x *trial) pass(end time.Time, inclusive bool) error {
	for _, m := range x.subjects {
		if err := m.pass(end, inclusive); err != nil {
			return err
		}
	}
	for next := x.naive.next(); !next.IsZero() && (next.Before(end) || inclusive && next.Equal(end)); next = x.naive.next() {
		x.naive.tick(next)
	}
	x.naive.timer, _ = x.subjects[0].NextWake()
	return nil
}

// compareDecisions holds all of them to one word, phase and wake.
func (x *trial) compareDecisions() error {
	for _, m := range x.subjects {
		for i := m.compared; i < max(len(m.decided), len(x.naive.decided)); i++ {
			if err := sameDecision(nth(m.decided, i), nth(x.naive.decided, i)); err != nil {
				return fmt.Errorf("decision %d of the %s machine: %w", i+1, m.name, err)
			}
		}
		m.compared = len(m.decided)
		if got, want := m.Phase(x.now), x.naive.phase(x.now); got != want {
			return fmt.Errorf("at %s the %s machine is %s, not %s", clock(x.now), m.name, got, want)
		}
		if wake, _ := m.NextWake(); !x.isTimely(wake) {
			return fmt.Errorf("at %s the %s machine is to be woken at %s, not %s", clock(x.now), m.name, clock(wake), clock(x.naive.next()))
		}
	}
	return nil
}

// isTimely says that a wake is right. It may come early where there are ages or
// silences: events don't move a wake that was armed for a silence, so that a timer
// isn't armed anew by each, and an age that is held back may be looked at when a
// blackout ends though something else holds it back, too.
func (x *trial) isTimely(wake time.Time) bool {
	next := x.naive.next()
	return wake.Equal(next) || hasAges(&x.naive.policy) && wake.After(x.now) && (next.IsZero() || wake.Before(next))
}

func hasAges(p *monitor.Policy) bool {
	return slices.ContainsFunc(p.Rules, func(r monitor.Rule) bool { return !r.MaxAge.IsZero() || !r.SilentFor.IsZero() })
}

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
		{"counters", s.Counters, counters},
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
	if err := x.compareWants(); err != nil {
		return err
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
	case !x.now.Before(n.flight.HeldUntil):
		want.Schedule = n.flight
	}
	for _, request := range n.cancelling {
		request.Params = nil
		want.Cancel = append(want.Cancel, monitor.Cancelling{RetrainingRequest: request})
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
func (x *trial) pendingStatus() *monitor.Pending {
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
func (x *trial) ruleStatus(r *monitor.Rule, v *naiveVersion, l *ledger) monitor.RuleStatus {
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
	for _, p := range l.points[max(0, len(l.points)-30):] {
		s.Datapoints = append(s.Datapoints, monitor.DatapointStatus{
			Start: time.Unix(p.start, 0).UTC(), Value: p.value, Breach: p.breach, Unknown: p.unknown, Approximate: p.approximate,
		})
	}
	return s
}
