// Package stream gives labelled samples in the order in which serving would see
// them: synthetic ones whose concept changes at known places, and recorded ones
// from a real market. Only the stream knows its concepts.
package stream

import (
	"fmt"
	"math"
)

// MaxMagnitude bounds the inputs of a sample, so that no sum of their squares
// overflows.
const MaxMagnitude = 1e100

// Sample is one prediction's inputs and what turned out to be true of it.
type Sample struct {
	X []float64 `json:"x"` // finite, at most MaxMagnitude either side of 0; not to be changed
	Y bool      `json:"y"` // the class
}

// Check returns the first fault among the samples, with its path, or nil.
// Every sample must have as many inputs as asked for, and at least one; 0 means
// as many as the first one has.
func Check(samples []Sample, inputs int) error {
	wanted := "the model takes"
	if inputs == 0 && len(samples) > 0 {
		inputs = len(samples[0].X)
		wanted = "samples[0] has"
	}

	for i, sample := range samples {
		if len(sample.X) == 0 {
			return fmt.Errorf("samples[%d].x: must have at least one input", i)
		}
		if len(sample.X) != inputs {
			return fmt.Errorf("samples[%d].x: must have %d inputs as %s, got %d", i, inputs, wanted, len(sample.X))
		}

		for j, x := range sample.X {
			if math.IsNaN(x) || math.Abs(x) > MaxMagnitude {
				return fmt.Errorf("samples[%d].x[%d]: must be a finite number within ±%g, got %v", i, j, MaxMagnitude, x)
			}
		}
	}

	return nil
}
