package monitor_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/monitor"
)

// stepsVariable names the environment variable that says how many inputs the tests
// of invariance try; defaultSteps takes some seconds.
const (
	stepsVariable = "MONITOR_STEPS"
	defaultSteps  = 1800
	stepsOfALife  = 120
)

// failedSeeds are those of lives that were decided differently once, before what
// they found was mended.
var failedSeeds = []uint64{}

// lives calls live with the seeds that failed once and with fresh ones, until so
// many steps are taken.
func lives(t *testing.T, live func(seed uint64)) {
	steps := defaultSteps
	if text := os.Getenv(stepsVariable); text != "" {
		var err error
		steps, err = strconv.Atoi(text)
		require.NoError(t, err, stepsVariable)
	}

	for _, seed := range failedSeeds {
		live(seed)
	}
	for seed := range uint64(max(1, steps/stepsOfALife)) {
		live(seed + 1)
	}
}

// life is a monitor's, lived in several lanes at once.
type life struct {
	t      require.TestingT
	seed   uint64
	random *rand.Rand
	now    time.Time
	lanes  []*lane
	inputs []string // what was done, for whoever looks for what went wrong

	policy    *wildPolicy
	publisher int64
	versions  int
	checked   int // of the first lane's decisions
	past      pastOfALife
}

func newLife(t require.TestingT, seed uint64, lanes ...*lane) *life {
	l := &life{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), now: noon, lanes: lanes, versions: 2}
	l.policy = newWildPolicy(l.random)
	for _, lane := range lanes {
		lane.m = newMachine(l.policy.decoded(t))
		listen(lane.m, lane.hear)
	}
	l.past.note(l.now, l.policy.decoded(t))
	l.settle()
	return l
}

// do gives one input to every lane.
func (l *life) do(what string, input func(m *monitor.Machine)) {
	l.inputs = append(l.inputs, l.now.Format("15:04:05.000000000 ")+what)
	for _, lane := range l.lanes {
		if lane.isCut {
			lane.cut(l.t)
		}
		input(lane.m)
	}
}

// settle is the end of inputs at one instant.
func (l *life) settle() {
	for _, lane := range l.lanes {
		lane.tick(l.t, l.now)
	}
	l.compare()
}

// wait lets time pass until the next input.
func (l *life) wait() {
	next := l.now.Add(pick(l.random, 0, time.Second, 2*time.Second, 5*time.Second, 7*time.Second+1, 10*time.Second, 20*time.Second, 45*time.Second, pick(l.random, time.Minute, 5*time.Minute)))
	others := l.instants(next)
	for _, lane := range l.lanes {
		if lane.isDisturbed {
			lane.pass(l.t, others, next)
		} else {
			lane.pass(l.t, nil, next)
		}
	}
	l.now = next
	l.compare()
}

// instants are some at which nobody asked to be woken, in order, some of them twice.
func (l *life) instants(until time.Time) (instants []time.Time) {
	if until.Equal(l.now) {
		return nil
	}
	for range l.random.IntN(6) {
		at := l.now.Add(time.Duration(l.random.Int64N(int64(until.Sub(l.now)) + 1)))
		if l.random.IntN(2) == 0 {
			at = at.Truncate(time.Second)
		}
		if !at.Before(l.now) {
			instants = append(instants, slices.Repeat([]time.Time{at}, 1+l.random.IntN(2))...)
		}
	}
	slices.SortFunc(instants, time.Time.Compare)
	return instants
}

// compare holds every lane to the first one's decisions, and these to what is
// always so.
func (l *life) compare() {
	first := l.lanes[0]
	for _, other := range l.lanes[1:] {
		for i := l.checked; i < max(len(first.heard), len(other.heard)); i++ {
			if i >= len(first.heard) || i >= len(other.heard) || encode(l.t, first.heard[i]) != encode(l.t, other.heard[i]) {
				l.fail("%s and %s decide differently:\n%s\n%s", first.name, other.name, shown(first.heard[i:]), shown(other.heard[i:]))
			}
		}
	}
	for ; l.checked < len(first.heard); l.checked++ {
		if fault := l.past.hold(first.heard[l.checked]); fault != "" {
			l.fail("%s: %s", fault, shown(first.heard[l.checked:]))
		}
	}
}

// compareAll holds the lanes to all that they show, too.
func (l *life) compareAll() {
	first := encode(l.t, l.lanes[0].m.Status(l.now))
	for _, other := range l.lanes[1:] {
		require.JSONEq(l.t, first, encode(l.t, other.m.Status(l.now)), "seed %d: %s and %s at %s", l.seed, l.lanes[0].name, other.name, l.history())
	}
	if fault := l.past.holdStatus(l.lanes[0].m.Status(l.now)); fault != "" {
		l.fail("%s", fault)
	}
}

func (l *life) fail(format string, args ...any) {
	require.Fail(l.t, fmt.Sprintf(format, args...), "seed %d, at %s\n%s", l.seed, l.now.Format(time.TimeOnly), l.history())
}

func (l *life) history() string {
	return strings.Join(l.inputs[max(0, len(l.inputs)-25):], "\n") + "\nfirst policy in force by then: " + encode(l.t, l.policy.decoded(l.t))
}

func shown(decisions []monitor.Decision) string {
	var lines []string
	for _, d := range decisions[:min(3, len(decisions))] {
		encoded, _ := json.Marshal(d)
		lines = append(lines, "\t"+string(encoded))
	}
	return strings.Join(lines, "\n")
}

func pick[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

// What a monitor decides depends on its inputs and their times alone: neither on
// where its state went through JSON nor on when it was woken beside the instants
// that it asked for.
func TestAMachineDecidesTheSameWhereverItIsCutAndWheneverItIsWoken(t *testing.T) {
	lives(t, func(seed uint64) {
		l := newLife(t, seed,
			&lane{name: "undisturbed"},
			&lane{name: "woken at other instants", isDisturbed: true},
			&lane{name: "woken at other instants and cut", isDisturbed: true, isCut: true},
		)
		for step := range stepsOfALife {
			l.wait()
			for range 1 + l.random.IntN(2) {
				l.step()
			}
			l.settle()
			if step%10 == 0 {
				l.compareAll()
			}
		}
		l.compareAll()
	})
}

// A policy that differs in nothing that decides is no reason to forget anything.
func TestAPolicyThatChangesNothingIsNoReasonToDecideDifferently(t *testing.T) {
	lives(t, func(seed uint64) {
		l := newLife(t, seed, &lane{name: "left alone"}, &lane{name: "applied to"})
		for range stepsOfALife {
			l.wait()
			l.step()
			l.settle()
			if l.random.IntN(3) > 0 {
				continue
			}
			applied := l.lanes[1]
			before := len(applied.heard)
			policy := l.policy.decoded(t)
			policy.Team = fmt.Sprint("team ", l.random.IntN(1000))
			for _, p := range []monitor.Policy{policy, l.policy.decoded(t)} {
				applied.m.SetPolicy(l.now, p)
				applied.tick(t, l.now)
			}
			for _, d := range applied.heard[before:] {
				require.Equal(t, monitor.PolicyChanged, d.Kind, "seed %d at %s\n%s", seed, l.now, l.history())
			}
			applied.heard = applied.heard[:before]
			l.compare()
		}
	})
}
