package main

import "math"

// limits are what every schedule of the benchmark obeys.
type limits struct {
	left, latency int
	free          int // the sample from which on the last retraining is over
}

func newLimits(c Cell) limits { return limits{left: c.Budget, latency: c.latency()} }

// take spends a retraining, if one is wanted and may be.
func (l *limits) take(t int, wanted bool) bool {
	if !wanted || l.left == 0 || t < l.free {
		return false
	}
	l.left--
	l.free = t + l.latency
	return true
}

// calendar retrains every so many samples, from the very first on.
type calendar struct {
	limits
	every int
}

// Calendar is the benchmark's periodic schedule: as many retrainings as the budget.
func Calendar(c Cell) Schedule { return &calendar{newLimits(c), samples / c.Budget} }

func (s *calendar) Retrain(t int, _ bool) bool { return s.take(t, t%s.every == 0) }

// recent are the last errors, 0 or 1, oldest first, and their sum.
type recent struct {
	errors []float64
	sum    float64
	most   int
}

func (r *recent) add(right bool) {
	e := 1.0
	if right {
		e = 0
	}
	r.errors = append(r.errors, e)
	r.sum += e
	if len(r.errors) > r.most {
		r.sum -= r.errors[0]
		r.errors = r.errors[1:]
	}
}

// threshold retrains when more than 0.27 of the last 200 predictions, of whatever
// model, were wrong.
type threshold struct {
	limits
	recent
}

// Threshold is the benchmark's second schedule.
func Threshold(c Cell) Schedule { return &threshold{limits: newLimits(c), recent: recent{most: 200}} }

func (s *threshold) Retrain(t int, right bool) bool {
	s.add(right)
	return s.take(t, len(s.errors) == s.most && s.sum/float64(s.most) > 0.27)
}

// hoeffding retrains when the means of two parts of the last 500 errors differ by
// more than Hoeffding's bound at 0.002.
type hoeffding struct {
	limits
	recent
}

// Hoeffding is what the benchmark calls ADWIN.
func Hoeffding(c Cell) Schedule { return &hoeffding{limits: newLimits(c), recent: recent{most: 500}} }

func (s *hoeffding) Retrain(t int, right bool) bool {
	s.add(right)
	if s.left == 0 || t < s.free {
		return false
	}
	return s.take(t, len(s.errors) >= 100 && s.changed())
}

func (s *hoeffding) changed() bool {
	n := len(s.errors)
	least := max(30, n/10)
	sums := make([]float64, n+1)
	for i, e := range s.errors {
		sums[i+1] = sums[i] + e
	}

	for left := least; left <= n-least; left++ {
		right := n - left
		apart := math.Abs(sums[left]/float64(left) - (sums[n]-sums[left])/float64(right))
		if apart >= math.Sqrt(math.Log(4/0.002)/2*(1/float64(left)+1/float64(right))) {
			return true
		}
	}
	return false
}
