package main

import (
	"math"
	"math/rand/v2"
	"runtime"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"
)

// Cell is one of the benchmark's settings.
type Cell struct {
	Drift            string
	Budget           int // retrainings at most
	Training, Deploy int // samples; nothing more is retrained while they last
}

// latency is how many samples from a retraining on there is no other.
func (c Cell) latency() int { return c.Training + c.Deploy }

// Schedule says after each sample whether to retrain now.
type Schedule interface {
	Retrain(t int, right bool) bool
}

// Course is what became of a stream under a schedule.
type Course struct {
	Accuracy    float64 // over all samples
	Retrainings int
}

// Run walks a stream as the benchmark does: predict, learn whether it was right,
// ask the schedule, and train on what came since the last retraining. The new model
// serves from the next sample on, whatever the latency. The first model has seen
// the first sample alone.
func Run(stream []Sample, seed uint64, schedule Schedule) Course {
	random := rand.New(rand.NewPCG(seed, 3))
	model := Train(stream[:1], random)
	var course Course
	since, hits := 0, 0
	for t := range stream {
		right := model.IsRight(&stream[t])
		if right {
			hits++
		}
		if schedule.Retrain(t, right) {
			model = Train(stream[since:t+1], random)
			since = t + 1
			course.Retrainings++
		}
	}

	course.Accuracy = float64(hits) / float64(len(stream))
	return course
}

// Courses are the means of each concepts' streams.
type Courses struct {
	accuracy, retrainings []float64
}

// RunAll runs so many streams of each of the concepts; every schedule gets the same.
func RunAll(concepts []Concepts, streams int, cell Cell, schedule func(Cell) Schedule) Courses {
	all := Courses{make([]float64, len(concepts)), make([]float64, len(concepts))}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range concepts {
		group.Go(func() error {
			for n := range streams {
				seed := concepts[i].Seed + uint64(n)<<32
				course := Run(concepts[i].Stream(cell.Drift, n), seed, schedule(cell))
				all.accuracy[i] += course.Accuracy / float64(streams)
				all.retrainings[i] += float64(course.Retrainings) / float64(streams)
			}
			return nil
		})
	}

	_ = group.Wait() // none fails
	return all
}

// Accuracy is the mean over all.
func (c Courses) Accuracy() float64 { return stat.Mean(c.accuracy, nil) }

// Retrainings is the mean over all.
func (c Courses) Retrainings() float64 { return stat.Mean(c.retrainings, nil) }

// Ahead is by how much the accuracy is ahead of another schedule's on the same
// streams, and the standard error of that over the concepts.
func (c Courses) Ahead(of Courses) (ahead, deviation float64) {
	apart := make([]float64, len(c.accuracy))
	for i := range apart {
		apart[i] = c.accuracy[i] - of.accuracy[i]
	}
	mean, spread := stat.MeanStdDev(apart, nil)
	return mean, spread / math.Sqrt(float64(len(apart)))
}
