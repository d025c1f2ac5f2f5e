package main

import (
	"math"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Course is what became of one learner under one schedule of retraining.
type Course struct {
	Name  string
	First int // the first day judged
	// Right is how many of the HalfHours predictions were right, by day from First.
	Right []int
	// Retrained are the days at whose end a model was trained; the first model,
	// which every schedule has, is none of them.
	Retrained []int
}

// Accuracy is the mean over the days from..until-1 of the stream.
func (c *Course) Accuracy(from, until int) float64 {
	from = max(from, c.First)
	until = min(until, c.First+len(c.Right))
	total := 0
	for _, right := range c.Right[from-c.First : until-c.First] {
		total += right
	}
	return float64(total) / float64((until-from)*HalfHours)
}

// Retrainings counts those at the ends of the days from..until-1.
func (c *Course) Retrainings(from, until int) (count int) {
	for _, day := range c.Retrained {
		if from <= day && day < until {
			count++
		}
	}
	return count
}

// Fixed walks the days before until with a retraining at the end of each that is due.
func Fixed(m *Matrix, name string, until int, due func(day int) bool) *Course {
	c := &Course{Name: name, First: m.First()}
	trained := m.First() - 1
	for day := m.First(); day < until; day++ {
		c.Right = append(c.Right, m.Right(trained, day))
		if due(day) {
			trained = day
			c.Retrained = append(c.Retrained, day)
		}
	}
	return c
}

// Never keeps the first model.
func Never(int) bool { return false }

// Always retrains at the end of every day.
func Always(int) bool { return true }

// Every retrains every so many days, counted from the day before first; the
// spacing may be a fraction, so that any number of retrainings can be had. With a
// phase, 0 to less than days, all are that much earlier.
func Every(first int, days, phase float64) func(day int) bool {
	return func(day int) bool {
		judged := float64(day-first+1) + phase
		return math.Floor(judged/days+1e-9) > math.Floor((judged-1)/days+1e-9)
	}
}

const modelName = "elec2"

// Watched walks the days before until with the retrainings that the policy asks
// for. Each prediction is an event of the accuracy 1 or 0, stamped with the middle
// of its half-hour. At night, once the day's datapoints are judged, the model that
// a retraining was asked for is trained; the next day's events bear its version.
//
// A day's hits come before its misses, since the matrix does not know their order;
// to a rule whose period is whole days that makes no difference.
func Watched(m *Matrix, name string, policy policy.Policy, until int) *Course {
	c := &Course{Name: name, First: m.First()}
	loop := NewLoop(modelName, policy)
	trained := m.First() - 1
	event := metric.Event{ModelName: modelName, ModelVersion: version(trained)}
	for day := m.First(); day < until; day++ {
		begins := firstDay.AddDate(0, 0, day)
		right := m.Right(trained, day)
		c.Right = append(c.Right, right)
		for i := range HalfHours {
			hit := 0.0
			if i < right {
				hit = 1
			}
			event.Timestamp = begins.Add(time.Duration(i)*30*time.Minute + 15*time.Minute)
			event.Accuracy = metric.Some(hit)
			loop.Observe(&event)
		}

		night := begins.AddDate(0, 0, 1).Add(time.Minute) // the grace of a day's datapoint is 30 s
		loop.Advance(night)
		if requestID, wanted := loop.Wanted(night); wanted {
			trained = day
			c.Retrained = append(c.Retrained, day)
			event.ModelVersion = version(trained)
			loop.Retrained(night, requestID, event.ModelVersion)
		}
	}

	return c
}

// version names the model that was trained at the end of a day.
func version(trained int) string { return "day-" + strconv.Itoa(trained) }
