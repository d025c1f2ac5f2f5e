package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// kind is what is done to a target.
type kind string

const (
	kill    kind = "kill"   // SIGKILL, and started again at the end
	freeze  kind = "freeze" // SIGSTOP, and SIGCONT at the end
	starve  kind = "starve" // stopped for 75 of every 100 ms, as under a limit of processor time
	leave   kind = "leave"  // SIGTERM while the link is cut, so that a hub closes with batches on their way; started again at the end
	cut     kind = "cut"    // connections are closed, and none is taken
	delay   kind = "delay"  // what goes over the link takes 300 ms longer, give or take 200
	hang    kind = "hang"   // half open: connections stay, and nothing goes over them
	closing kind = "close"  // what ends a run is held back, so that signals overtake it and then are refused
	fail    kind = "fail"   // the trainer answers 503
	slow    kind = "slow"   // the trainer answers late
	forget  kind = "forget" // the trainer takes a request, and its answer is lost
)

// fault is done to its target at At for For.
type fault struct {
	At, For time.Duration
	Kind    kind
	Target  string
}

func (f fault) String() string {
	return fmt.Sprintf("%6.1fs  %-6s %-12s for %.1fs", f.At.Seconds(), f.Kind, f.Target, f.For.Seconds())
}

// deck is what is dealt in each minute: in three of them each worker is killed
// ten times and more, the server six times, and publishers are cut off twelve times.
var deck = []struct {
	kind    kind
	targets []string
	times   int
	longest time.Duration
}{
	{kill, []string{"worker-0", "worker-1"}, 7, 4 * time.Second},
	{kill, []string{"server"}, 2, 3 * time.Second},
	{kill, []string{"publisher-0", "publisher-1"}, 1, 2 * time.Second},
	{freeze, []string{"worker-0", "worker-1"}, 2, 12 * time.Second}, // longer than a workflow task may take
	{freeze, []string{"server"}, 1, 6 * time.Second},
	{freeze, []string{"publisher-0", "publisher-1"}, 1, 6 * time.Second},
	{starve, []string{"worker-0", "worker-1"}, 1, 12 * time.Second},
	{leave, []string{"publisher-0", "publisher-1"}, 1, 6 * time.Second},
	{cut, []string{"link-publisher-0", "link-publisher-1"}, 4, 8 * time.Second},
	{cut, []string{"link-worker-0", "link-worker-1", "link-trainer"}, 2, 8 * time.Second},
	{delay, []string{"link-publisher-0", "link-publisher-1", "link-worker-0", "link-worker-1", "link-trainer"}, 3, 10 * time.Second},
	{hang, []string{"link-publisher-0", "link-publisher-1", "link-worker-0", "link-worker-1", "link-trainer"}, 3, 12 * time.Second},
	{closing, []string{"front-worker-1"}, 3, 12 * time.Second},
	{fail, []string{"trainer"}, 1, 6 * time.Second},
	{slow, []string{"trainer"}, 1, 6 * time.Second},
	{forget, []string{"trainer"}, 2, 6 * time.Second},
}

// schedule deals the faults of so long a run. The same seed deals the same; no
// target has two at a time.
func schedule(seed uint64, length time.Duration) []fault {
	random := rand.New(rand.NewPCG(seed, seed))
	var faults []fault
	isFree := func(f fault) bool {
		return !slices.ContainsFunc(faults, func(other fault) bool {
			return other.Target == f.Target && f.At < other.At+other.For+time.Second && other.At < f.At+f.For+time.Second
		})
	}

	for minute := time.Duration(0); minute < length; minute += time.Minute {
		span := min(time.Minute, length-minute)
		for _, card := range deck {
			for range card.times {
				for range 20 { // a crowded minute has fewer
					f := fault{
						At: minute + rand64(random, span), For: 500*time.Millisecond + rand64(random, card.longest),
						Kind: card.kind, Target: card.targets[random.IntN(len(card.targets))],
					}
					if float64(f.At+f.For) < float64(length) && isFree(f) {
						faults = append(faults, f)
						break
					}
				}
			}
		}
	}

	slices.SortFunc(faults, func(a, b fault) int { return cmp.Compare(a.At, b.At) })
	return faults
}

// rand64 is a duration in [0,below), in whole milliseconds.
func rand64(random *rand.Rand, below time.Duration) time.Duration {
	return time.Duration(random.Int64N(below.Milliseconds())) * time.Millisecond
}

// dealt counts faults by kind and what they were done to.
func dealt(faults []fault) string {
	counts := map[string]int{}
	for _, f := range faults {
		counts[string(f.Kind)+" "+strings.TrimRight(f.Target, "-01")]++
	}
	names := make([]string, 0, len(counts))
	for name, n := range counts {
		names = append(names, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
