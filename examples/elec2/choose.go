package main

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// How a policy is chosen, the same way for all learners.
const (
	// chosenShare of the stream's days are looked at for the choice.
	chosenShare = 0.30
	// A policy that is chosen retrains on leastShare to mostShare of the days that
	// the choice looks at. The goal is a fifth; what is left of it is for a stream
	// that gets harder. Below an eighth, a few lucky nights would make the choice.
	leastShare = 1.0 / 8
	mostShare  = 1.0 / 6
	// goalShare is the goal.
	goalShare = 1.0 / 5
)

// Split is the first day that the choice does not look at.
func (m *Matrix) Split() int { return int(chosenShare * float64(m.Days)) }

// Choice is the policy chosen from a family for a learner.
type Choice struct {
	*Family
	Candidate
	// Plateau is the mean accuracy before the split of the candidate and its
	// neighbours in the sweep, by which it was chosen: a peak amid worse is luck.
	Plateau float64
	Course  *Course // over the whole stream
}

// errNoneInBounds says that a family has nothing to choose.
var errNoneInBounds = errors.New("no candidate retrains as often as it should")

// Choose walks the days before the split with every candidate, and takes the one
// with the highest plateau among those whose number of retrainings is in bounds.
func Choose(m *Matrix, family *Family) (*Choice, error) {
	candidates, err := family.Candidates()
	if err != nil {
		return nil, err
	}

	split := m.Split()
	accuracy, share := make([]float64, len(candidates)), make([]float64, len(candidates))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range candidates {
		group.Go(func() error {
			course := Watched(m, family.File, candidates[i].Policy, split)
			accuracy[i] = course.Accuracy(0, split)
			share[i] = float64(course.Retrainings(0, split)) / float64(split-m.First())
			return nil
		})
	}

	if err := group.Wait(); err != nil {
		return nil, err
	}

	choice := &Choice{Family: family}
	for i := range candidates {
		if share[i] < leastShare || share[i] > mostShare {
			continue
		}

		sum, count := 0.0, 0
		for j := range candidates {
			if candidates[j].isNeighbour(&candidates[i]) {
				sum += accuracy[j]
				count++
			}
		}

		if plateau := sum / float64(count); plateau > choice.Plateau {
			choice.Candidate = candidates[i]
			choice.Plateau = plateau
		}
	}

	if choice.Plateau == 0 {
		return nil, fmt.Errorf("%w: %s for %s", errNoneInBounds, family.File, m.Learner)
	}

	choice.Course = Watched(m, family.File, choice.Policy, m.Days)
	return choice, nil
}
