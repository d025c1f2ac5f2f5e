package main

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/floats"
)

// The benchmark's stream.
const (
	samples    = 10_000
	features   = 10
	driftPoint = 5_000
	fades      = 1_000 // samples that a gradual drift takes
	recurs     = 1_000 // samples from one turn of the concept to the next
)

// kinds are the benchmark's drifts.
var kinds = []string{"abrupt", "gradual", "recurring"}

// Concepts are a seed's two weight vectors: labels follow the first, and from
// driftPoint on the second.
type Concepts struct {
	Seed          uint64
	Before, After []float64
}

// Sample is one row: standard normal features, and a label that is true with the
// probability sigmoid(x·w).
type Sample struct {
	X     []float64
	Label bool
}

// publishedWeights is what weights.py has written.
//
//go:embed testdata/weights.csv
var publishedWeights string

// Published are the concepts of the benchmark's ten seeds.
func Published() ([]Concepts, error) {
	rows, err := csv.NewReader(strings.NewReader(publishedWeights)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read weights.csv: %w", err)
	}

	var all []Concepts
	for i := 1; i+1 < len(rows); i += 2 {
		seed, err := strconv.ParseUint(rows[i][0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read weights.csv, row %d: %w", i+1, err)
		}

		c := Concepts{Seed: seed, Before: make([]float64, features), After: make([]float64, features)}
		for j := range features {
			if _, err := fmt.Sscan(rows[i][j+2]+" "+rows[i+1][j+2], &c.Before[j], &c.After[j]); err != nil {
				return nil, fmt.Errorf("read weights.csv, row %d: %w", i+1, err)
			}
		}
		all = append(all, c)
	}

	if len(all) == 0 {
		return nil, fmt.Errorf("read weights.csv: %w", io.ErrUnexpectedEOF)
	}
	return all, nil
}

// firstOther is the first seed that the benchmark does not have.
const firstOther = 10_000

// Others are concepts that the benchmark has not seen, which policies are chosen on.
func Others(count int) []Concepts {
	all := make([]Concepts, count)
	for i := range all {
		seed := uint64(firstOther + i)
		random := rand.New(rand.NewPCG(seed, 1))
		all[i] = Concepts{Seed: seed, Before: normals(random), After: normals(random)}
	}
	return all
}

func normals(random *rand.Rand) []float64 {
	x := make([]float64, features)
	for i := range x {
		x[i] = random.NormFloat64()
	}
	return x
}

// Stream draws the samples of the nth stream with a kind of drift. Its features are
// the same in every kind.
func (c *Concepts) Stream(kind string, n int) []Sample {
	random := rand.New(rand.NewPCG(c.Seed, 2+uint64(n)<<32))
	stream := make([]Sample, samples)
	w := make([]float64, features)
	for t := range stream {
		after := share(kind, t)
		floats.ScaleTo(w, 1-after, c.Before)
		floats.AddScaled(w, after, c.After)
		x := normals(random)
		stream[t] = Sample{X: x, Label: random.Float64() < sigmoid(floats.Dot(w, x))}
	}

	return stream
}

// share is that of the second concept in a sample's, 0 to 1.
func share(kind string, t int) float64 {
	since := t - driftPoint
	switch {
	case since < 0:
		return 0
	case kind == "gradual":
		return min(1, float64(since)/fades)
	case kind == "recurring" && since/recurs%2 == 1:
		return 0
	}
	return 1
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
