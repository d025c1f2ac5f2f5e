package main

import (
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// phases is over how many phases the accuracy of a periodic schedule is averaged:
// on which day of the spacing it begins is luck.
const phases = 20

// Periodic is the mean course of periodic schedules that differ in phase alone.
type Periodic struct {
	First int
	Right []float64 // by day from First, the mean over the phases
}

// PeriodicOf retrains so many times over the days from..until-1, evenly spaced,
// and as often before and after.
func PeriodicOf(m *Matrix, retrainings, from, until int) *Periodic {
	from = max(from, m.First())
	spacing := float64(until-from) / float64(retrainings)
	p := &Periodic{First: m.First(), Right: make([]float64, m.Judged())}
	for i := range phases {
		course := Fixed(m, "", m.Days, Every(m.First(), spacing, spacing*float64(i)/phases))
		for day, right := range course.Right {
			p.Right[day] += float64(right) / phases
		}
	}
	return p
}

// Accuracy is the mean over the days from..until-1 of the stream.
func (p *Periodic) Accuracy(from, until int) float64 {
	return stat.Mean(p.Right[max(from, p.First)-p.First:until-p.First], nil) / HalfHours
}

// How a difference's standard error is found: by a bootstrap over blocks of days,
// since days next to each other are alike.
const (
	blockDays  = 14
	resamples  = 2000
	resampling = 1 // the seed
)

// standardError is that of the mean of a series of days.
func standardError(days []float64) float64 {
	random := rand.New(rand.NewPCG(resampling, resampling))
	means := make([]float64, resamples)
	for i := range means {
		sum, count := 0.0, 0
		for count < len(days) {
			begin := random.IntN(len(days))
			for j := range min(blockDays, len(days)-count) {
				sum += days[(begin+j)%len(days)]
				count++
			}
		}

		means[i] = sum / float64(count)
	}

	return stat.StdDev(means, nil)
}

// Ahead is by how many points of accuracy the course is ahead of another over the
// days from..until-1, and the standard error of that.
func (c *Course) Ahead(of []float64, from, until int) (points, deviation float64) {
	from = max(from, c.First)
	var days []float64
	for day := from - c.First; day < until-c.First; day++ {
		days = append(days, 100*(float64(c.Right[day])-of[day])/HalfHours)
	}
	return stat.Mean(days, nil), standardError(days)
}

// ByDay is how many predictions were right, by day from First.
func (c *Course) ByDay() []float64 {
	days := make([]float64, len(c.Right))
	for i, right := range c.Right {
		days[i] = float64(right)
	}
	return days
}

// Repeats counts retrainings on the night after another, and those of them in
// vain: the model that was replaced so soon had been right no more often, that one
// day, than the model before it would have been. ELEC2 does not say when its
// concept changes, so this stands for retraining again on the same concept.
func (c *Course) Repeats(m *Matrix) (again, inVain int) {
	for i := 1; i < len(c.Retrained); i++ {
		this, last, before := c.Retrained[i], c.Retrained[i-1], m.First()-1
		if i > 1 {
			before = c.Retrained[i-2]
		}
		if this != last+1 {
			continue
		}

		again++
		if m.Right(last, this) <= m.Right(before, this) {
			inVain++
		}
	}

	return again, inVain
}

// rolling is the mean over the last so many days, from the first day that has them.
func rolling(days []float64, over int) []float64 {
	if len(days) < over {
		return nil
	}
	means := make([]float64, 0, len(days)-over+1)
	for i := over; i <= len(days); i++ {
		means = append(means, stat.Mean(days[i-over:i], nil))
	}
	return slices.Clip(means)
}
