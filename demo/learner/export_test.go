package learner

// Probability is the probability, 0 to 1, that the class of x is true.
func (m *Model) Probability(x []float64) float64 { return sigmoid(m.logOdds(x)) }
