package monitor_test

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/policy"
)

// trial shows one script to the naive machine and to three others.
type trial struct {
	naive    *naive
	subjects []*subject
	now      time.Time
	// cooldowns are those of the policies in force when a decision fell.
	cooldowns []time.Duration
	budgets   []*policy.Budget // and theirs
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
	x := &trial{now: scriptStart, naive: newNaive(policy.Policy{})}
	whole, cutUp, restless := newSubject("whole", policy.Policy{}), newSubject("cut", policy.Policy{}), newSubject("restless", policy.Policy{})
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
		said := s[i].tell(x.naive, at)
		x.noteCooldowns()
		for _, m := range x.subjects {
			fillCalendar(m.Machine, at)
			if answered := s[i].show(m.Machine, at); answered != said {
				return fmt.Errorf("at %s: %q is answered, not %q", clock(at), answered, said)
			}
			fillCalendar(m.Machine, at)
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
	x.noteCooldowns()
}

func (x *trial) noteCooldowns() {
	for len(x.cooldowns) < len(x.naive.decided) {
		x.cooldowns = append(x.cooldowns, x.naive.cooldown())
		x.budgets = append(x.budgets, x.naive.policy.Budget)
	}
}

func (x *trial) pass(end time.Time, inclusive bool) error {
	for _, m := range x.subjects {
		if err := m.pass(end, inclusive); err != nil {
			return err
		}
	}
	for next := x.naive.next(); !next.IsZero() && (next.Before(end) || inclusive && next.Equal(end)); next = x.naive.next() {
		x.naive.tick(next)
		x.noteCooldowns()
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

func hasAges(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return !r.MaxAge.IsZero() || !r.SilentFor.IsZero() })
}
