package main

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/policy"
)

// Family is a policy file and the parameters of it that are chosen by a sweep.
type Family struct {
	File   string
	Sweeps []string // as of modelvigil backtest --sweep; all their values are crossed
	// Ascending says that the swept values make sense in ascending order only: what
	// one day must fall below is less than what three must.
	Ascending bool
}

// families are those that the study recommends something of, the first first.
var families = []Family{
	{File: "bad-day-or-dull-days", Sweeps: []string{"bad day.below=0.4:0.9:0.02", "dull days.below=0.4:0.9:0.02"}, Ascending: true},
	{File: "bad-day", Sweeps: []string{"bad day.below=0.4:0.9:0.02", "cooldown=12h,36h,60h"}},
	{File: "bad-day-or-old", Sweeps: []string{"bad day.below=0.4:0.9:0.02", "old.max_age=168h,240h,336h"}},
}

// tried are those that did not help.
var tried = []Family{
	{File: "tried/two-bad-days-of-three", Sweeps: []string{"bad days.below=0.4:0.9:0.02"}},
	{File: "tried/two-days", Sweeps: []string{"two days.below=0.4:0.9:0.02"}},
	{File: "tried/three-days", Sweeps: []string{"three days.below=0.4:0.9:0.02"}},
	{File: "tried/below-first-days", Sweeps: []string{"worse.below_baseline_by=2%:40%:2%"}},
	{File: "tried/change", Sweeps: []string{"change.change.delta=0.002,0.01,0.05,0.1,0.2,0.3,0.5,0.7,0.9"}},
	{File: "tried/older-is-stricter", Sweeps: []string{
		"bad day.below=0.4:0.72:0.04", "dull day.below=0.5:0.9:0.04", "old.max_age=71h,119h,167h",
	}},
	{File: "tried/cusum", Sweeps: []string{"bad day.below=0.4:0.72:0.04", "decay.change.decision=0.5:4:0.5"}},
	{File: "tried/last-days", Sweeps: []string{"bad day.below=0.4:0.72:0.04", "worse.below_baseline_by=4%:40%:4%"}},
	{File: "tried/season", Sweeps: []string{"bad day.below=0.4:0.72:0.04", "worse than last week.below_baseline_by=2%:30%:4%"}},
	{File: "tried/budget", Sweeps: []string{"bad day.below=0.4:0.9:0.02", "budget.retrainings=4,5,6"}},
}

//go:embed policies
var policyFiles embed.FS

// ReadPolicy reads a policy of this study by its path below policies, without
// the extension. Whose it is does not matter here.
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

// Candidate is a policy of a family.
type Candidate struct {
	Policy policy.Policy
	Values []string // of the swept parameters
	place  []int    // and which of their values these are
}

func (c *Candidate) String() string { return strings.Join(c.Values, ", ") }

// isNeighbour says that no parameter is more than one step away.
func (c *Candidate) isNeighbour(of *Candidate) bool {
	for i := range c.place {
		if d := c.place[i] - of.place[i]; d < -1 || d > 1 {
			return false
		}
	}
	return true
}

// Candidates are all policies of the family.
func (f *Family) Candidates() ([]Candidate, error) {
	policy, err := ReadPolicy(f.File)
	if err != nil {
		return nil, err
	}

	all := []Candidate{{Policy: policy}}
	for _, text := range f.Sweeps {
		sweep, err := backtest.ParseSweep(text)
		if err != nil {
			return nil, err
		}

		var crossed []Candidate
		for _, c := range all {
			for i, value := range sweep.Values {
				changed := Candidate{Values: append(slices.Clone(c.Values), value), place: append(slices.Clone(c.place), i)}
				if f.Ascending && !slices.IsSorted(changed.place) {
					continue
				}
				changed.Policy, err = sweep.Apply(c.Policy, value)
				if err != nil {
					return nil, err
				}

				crossed = append(crossed, changed)
			}
		}

		all = crossed
	}

	return all, nil
}
