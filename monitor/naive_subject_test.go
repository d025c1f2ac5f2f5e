package monitor_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
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

func newSubject(name string, policy policy.Policy) *subject {
	s := &subject{Machine: monitor.NewMachine("fraud", requestBase, policy), name: name}
	listen(s.Machine, s.hear)
	return s
}

func (s *subject) hear(d monitor.Decision) { s.decided = append(s.decided, d) }

// look lets time pass, as at the end of each task of the shell.
func (s *subject) look(now time.Time, isWake bool) {
	look(s.Machine, now)
	if s.wakes++; s.isCut && (!isWake || s.wakes%16 == 0) {
		state := s.Unfitted()
		decisions, wanted := state.Decisions, state.Policy
		state.Decisions, state.Policy = nil, policy.Policy{} // long, and read back elsewhere
		state, err := monitor.DecodeState(mustJSON(&state))
		if err != nil {
			panic(err)
		}
		state.Decisions, state.Policy = decisions, wanted
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
