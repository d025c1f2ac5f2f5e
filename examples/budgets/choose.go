package main

import (
	"bytes"
	"embed"
	"fmt"
	"path"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/policy"
)

// policyName is the policy's file in policies.
const policyName = "bad-or-dull"

// sweeps are the policy's parameters that are chosen, as of modelvigil backtest
// --sweep; all their values are crossed.
var sweeps = []string{"bad.below=0.52:0.64:0.04", "dull.below=0.67:0.75:0.02"}

//go:embed policies
var policyFiles embed.FS

// ReadPolicy reads a policy of this study by its name in policies. Whose it is
// does not matter here.
func ReadPolicy(name string) (policy.Policy, error) {
	text, err := policyFiles.ReadFile(path.Join("policies", name+".yaml"))
	if err != nil {
		return policy.Policy{}, err
	}

	documents, err := document.ReadForAny([]string{"-"}, bytes.NewReader(text))
	if err != nil {
		return policy.Policy{}, fmt.Errorf("%s.yaml: %w", name, err)
	}
	return documents[0].Policy, nil
}

// Candidate is the policy with values of the swept parameters.
type Candidate struct {
	Policy policy.Policy
	Values string
}

// Candidates are those of all values crossed.
func Candidates() ([]Candidate, error) {
	read, err := ReadPolicy(policyName)
	if err != nil {
		return nil, err
	}

	all := []Candidate{{Policy: read}}
	for _, text := range sweeps {
		sweep, err := backtest.ParseSweep(text)
		if err != nil {
			return nil, err
		}

		var crossed []Candidate
		for _, c := range all {
			for _, value := range sweep.Values {
				changed, err := sweep.Apply(c.Policy, value)
				if err != nil {
					return nil, err
				}
				crossed = append(crossed, Candidate{changed, c.Values + " " + value})
			}
		}
		all = crossed
	}

	return all, nil
}

// Choose takes the candidate with the highest mean accuracy over the cells on the
// given concepts, a stream each.
func Choose(concepts []Concepts, cells []Cell) (Candidate, error) {
	candidates, err := Candidates()
	if err != nil {
		return Candidate{}, err
	}

	best := 0
	accuracy := make([]float64, len(candidates))
	for i := range candidates {
		for _, cell := range cells {
			accuracy[i] += RunAll(concepts, 1, cell, Under(candidates[i].Policy)).Accuracy()
		}
		if accuracy[i] > accuracy[best] {
			best = i
		}
	}

	return candidates[best], nil
}
