package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"

	"github.com/modelvigil/modelvigil/policy"
)

// seaPolicies are those that a user would copy; the same files meet every stream.
var seaPolicies = []string{"sea/decay", "sea/change", "sea/decay-or-change", "tried/sea-change-hourly"}

// SEASize says how much of SEA is run.
type SEASize struct {
	Seeds      int // streams of each kind
	Stationary int // events of a stationary stream
}

// fullSEA is what the goals are about.
var fullSEA = SEASize{Seeds: 20, Stationary: 1_000_000}

const (
	seaStay        = 100 * seaPerHour // events of a concept in the streams that drift, more or less
	seaGradualOver = 20 * seaPerHour  // events that a gradual drift takes
)

// seaKinds are the streams of the study.
var seaKinds = []string{"stationary", "abrupt", "gradual"}

// seaStream is one of a kind. Drifts come anywhere within a period.
func seaStream(kind string, seed uint64, size SEASize) *SEAStream {
	random := rand.New(rand.NewPCG(seed, 8))
	if kind == "stationary" {
		return &SEAStream{Seed: seed, Events: size.Stationary, Theta: seaConcepts[seed%uint64(len(seaConcepts))]}
	}

	s := &SEAStream{Seed: seed, Events: len(seaConcepts) * seaStay, Theta: seaConcepts[0]}
	for i, theta := range seaConcepts[1:] {
		drift := Drift{Event: (i+1)*seaStay + random.IntN(seaPerHour), Theta: theta}
		if kind == "gradual" {
			drift.Over = seaGradualOver
		}
		s.Drifts = append(s.Drifts, drift)
	}

	return s
}

// SEAResult is what a policy did with all streams of a kind.
type SEAResult struct {
	Policy, Kind string
	Retrainings  int
	Seeds        int       // streams
	Retrained    int       // of them with any retraining
	Drifts       int       // of all streams
	Delays       []float64 // periods from a drift to its first retraining, ascending; of those detected
	FalseAlarms  int       // retrainings with no drift since the stream's begin
	Repeated     int       // further ones after a drift's first
	Flaps        int       // of them, within two cooldowns of the one before and after the drift was over
	Accuracy     float64   // the mean over streams
}

// RunSEA runs every stream of a kind past a policy.
func RunSEA(name, kind string, size SEASize) (*SEAResult, error) {
	policy, err := ReadPolicy(name)
	if err != nil {
		return nil, err
	}

	courses := make([]*SEACourse, size.Seeds)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range courses {
		group.Go(func() (err error) {
			courses[i], err = seaStream(kind, uint64(i), size).Watch(policy)
			return err
		})
	}

	if err := group.Wait(); err != nil {
		return nil, err
	}

	r := &SEAResult{Policy: name, Kind: kind, Seeds: size.Seeds}
	for i, course := range courses {
		r.add(seaStream(kind, uint64(i), size), course, policy)
	}
	r.Accuracy /= float64(size.Seeds)
	slices.Sort(r.Delays)
	return r, nil
}

// add counts what became of one stream.
func (r *SEAResult) add(stream *SEAStream, course *SEACourse, policy policy.Policy) {
	twoCooldowns := int(2 * time.Duration(policy.Cooldown.Or(0)).Hours() * seaPerHour)
	r.Accuracy += course.Accuracy
	r.Retrainings += len(course.Triggers)
	r.Drifts += len(stream.Drifts)
	if len(course.Triggers) > 0 {
		r.Retrained++
	}
	detected := make([]bool, len(stream.Drifts))
	for i, trigger := range course.Triggers {
		drift := -1
		for j := range stream.Drifts {
			if stream.Drifts[j].Event <= trigger {
				drift = j
			}
		}

		switch {
		case drift < 0:
			r.FalseAlarms++
		case !detected[drift]:
			detected[drift] = true
			r.Delays = append(r.Delays, float64(trigger-stream.Drifts[drift].Event)/seaPerHour)
			continue
		default:
			r.Repeated++
		}

		over := 0
		if drift >= 0 {
			over = stream.Drifts[drift].Event + stream.Drifts[drift].Over
		}
		if i > 0 && course.Triggers[i-1] >= over && trigger-course.Triggers[i-1] < twoCooldowns {
			r.Flaps++
		}
	}
}

// Median is the median delay in periods; a drift that was missed is none of them.
func (r *SEAResult) Median() float64 {
	if len(r.Delays) == 0 {
		return 0
	}
	return stat.Quantile(0.5, stat.LinInterp, r.Delays, nil)
}

// PrintSEA runs all policies on all kinds of streams, and prints what became of them.
func PrintSEA(out io.Writer, size SEASize) ([]*SEAResult, error) {
	var results []*SEAResult
	t := newTable(out, fmt.Sprintf("SEA, %d seeds: stationary streams of %d events, drifting ones of %d",
		size.Seeds, size.Stationary, len(seaConcepts)*seaStay),
		"stream", "policy", "retrainings", "seeds with any", "drifts found", "median delay", "longest", "before any drift", "repeated", "flaps", "accuracy")
	for _, kind := range seaKinds {
		for _, name := range seaPolicies {
			r, err := RunSEA(name, kind, size)
			if err != nil {
				return nil, err
			}

			results = append(results, r)
			found, median, longest := "", "", ""
			if r.Drifts > 0 {
				found = fmt.Sprintf("%d of %d", len(r.Delays), r.Drifts)
			}
			if len(r.Delays) > 0 {
				median = fmt.Sprintf("%.1f", r.Median())
				longest = fmt.Sprintf("%.1f", r.Delays[len(r.Delays)-1])
			}

			t.row(kind, name, r.Retrainings, fmt.Sprintf("%d of %d", r.Retrained, r.Seeds), found, median, longest,
				r.FalseAlarms, r.Repeated, r.Flaps, fmt.Sprintf("%.2f %%", 100*r.Accuracy))
		}
	}

	return results, t.print()
}
