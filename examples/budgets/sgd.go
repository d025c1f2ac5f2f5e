package main

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
)

// The learner is scikit-learn's SGDClassifier with log loss as it comes, trained
// by one partial_fit: a single pass over shuffled samples, with steps that fall
// from 10 as 1 / (decay · samples seen).
const (
	decay = 1e-4           // its alpha, of the squared weights too
	begun = 1 / decay / 10 // samples that the first step counts as seen, so that it is 10
)

// Model is a logistic regression.
type Model struct {
	Weights   []float64
	Intercept float64
}

// Train makes a model of samples in an order drawn by random.
func Train(window []Sample, random *rand.Rand) *Model {
	m := &Model{Weights: make([]float64, features)}
	for seen, i := range random.Perm(len(window)) {
		step := 1 / (decay * (begun + float64(seen)))
		residual := sigmoid(m.score(window[i].X))
		if window[i].Label {
			residual--
		}

		floats.Scale(1-step*decay, m.Weights)
		floats.AddScaled(m.Weights, -step*residual, window[i].X)
		m.Intercept -= step * residual
	}
	return m
}

func (m *Model) score(x []float64) float64 { return m.Intercept + floats.Dot(m.Weights, x) }

// IsRight says that the likelier label is the sample's.
func (m *Model) IsRight(s *Sample) bool { return (m.score(s.X) > 0) == s.Label }
