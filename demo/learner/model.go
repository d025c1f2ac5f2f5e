// Package learner is a small machine-learning library: logistic regression that
// is really fitted, and the population stability index for input drift. It knows
// nothing of where its samples come from.
package learner

import (
	"errors"
	"fmt"
	"math"

	"github.com/modelvigil/modelvigil/demo/stream"
)

// Model is a fitted logistic regression, complete in its JSON form. One from Fit
// is good by construction; one that was read is to be checked by Validate. It is
// safe for concurrent use as long as nobody changes it.
type Model struct {
	Version   string `json:"version"`
	TrainedOn int    `json:"trained_on"` // samples
	// Quadratic says that features are not only the inputs but also their squares
	// and their products of two.
	Quadratic bool      `json:"quadratic,omitempty"`
	Means     []float64 `json:"means"`   // of each input in training
	Scales    []float64 `json:"scales"`  // its standard deviation, 1 for a constant input; above 0
	Bias      float64   `json:"bias"`    // the log odds where every input is at its mean
	Weights   []float64 `json:"weights"` // of each feature, inputs first
}

// Inputs returns how many inputs the model takes.
func (m *Model) Inputs() int { return len(m.Means) }

// Predict returns the likelier class of x. Like an index out of range, an x of
// another length than Inputs panics.
func (m *Model) Predict(x []float64) bool { return m.logOdds(x) >= 0 }

// Accuracy returns the share, 0 to 1, of samples that the model predicts right;
// an error where there are none or one doesn't fit the model.
func (m *Model) Accuracy(samples []stream.Sample) (float64, error) {
	if len(samples) == 0 {
		return 0, errors.New("accuracy: needs at least one sample")
	}
	if err := stream.Check(samples, m.Inputs()); err != nil {
		return 0, fmt.Errorf("accuracy: %w", err)
	}

	right := 0
	for _, sample := range samples {
		if m.Predict(sample.X) == sample.Y {
			right++
		}
	}

	return float64(right) / float64(len(samples)), nil
}

// Validate names every fault of a model, with its path.
func (m *Model) Validate() error {
	var faults []error
	if m.Version == "" {
		faults = append(faults, errors.New("version: must not be empty"))
	}
	if m.TrainedOn < 1 {
		faults = append(faults, fmt.Errorf("trained_on: must be at least 1, got %d", m.TrainedOn))
	}
	if len(m.Means) == 0 {
		faults = append(faults, errors.New("means: must not be empty"))
	}
	if len(m.Scales) != len(m.Means) {
		faults = append(faults, fmt.Errorf("scales: must be %d as means are, got %d", len(m.Means), len(m.Scales)))
	}
	if want := features(len(m.Means), m.Quadratic); len(m.Weights) != want {
		faults = append(faults, fmt.Errorf("weights: must be %d for %d inputs, got %d", want, len(m.Means), len(m.Weights)))
	}
	for i, scale := range m.Scales {
		if !(scale > 0) {
			faults = append(faults, fmt.Errorf("scales[%d]: must be above 0, got %v", i, scale))
		}
	}

	faults = append(faults,
		checkFinite("bias", []float64{m.Bias}), checkFinite("means", m.Means),
		checkFinite("scales", m.Scales), checkFinite("weights", m.Weights))
	return errors.Join(faults...)
}

func checkFinite(path string, values []float64) error {
	for i, value := range values {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return fmt.Errorf("%s[%d]: must be a finite number, got %v", path, i, value)
		}
	}
	return nil
}

func (m *Model) logOdds(x []float64) float64 {
	var room [32]float64 // holds the features of six inputs without an allocation
	sum := m.Bias
	for i, feature := range m.appendFeatures(room[:0], x) {
		sum += m.Weights[i] * feature
	}
	return sum
}

// appendFeatures standardises x and, for a quadratic model, adds the products.
// They are taken of the standardised inputs, which keeps them nearly independent
// of the inputs themselves and the optimiser's path short.
func (m *Model) appendFeatures(to, x []float64) []float64 {
	if len(x) != m.Inputs() {
		panic(fmt.Sprintf("learner: model %s takes %d inputs, got %d", m.Version, m.Inputs(), len(x)))
	}
	for i, value := range x {
		to = append(to, (value-m.Means[i])/m.Scales[i])
	}
	if m.Quadratic {
		inputs := to[len(to)-len(x):]
		for i := range inputs {
			for j := range i + 1 {
				to = append(to, inputs[i]*inputs[j])
			}
		}
	}

	return to
}

func features(inputs int, quadratic bool) int {
	if quadratic {
		return inputs + inputs*(inputs+1)/2
	}
	return inputs
}

// sigmoid never takes the exponential of a large number.
func sigmoid(logOdds float64) float64 {
	if logOdds >= 0 {
		return 1 / (1 + math.Exp(-logOdds))
	}
	odds := math.Exp(logOdds)
	return odds / (1 + odds)
}
