package tune

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/policy"
)

// point is a policy with some fields set.
type point struct {
	fields []field
	policy policy.Policy
}

// field is one, as a sweep names it, and what it is set to.
type field struct{ parameter, value string }

func (p *point) values() map[string]string {
	values := make(map[string]string, len(p.fields))
	for _, f := range p.fields {
		values[f.parameter] = f.value
	}
	return values
}

// pointsOf are those of a grid that make a valid policy or, without one, of levels.
func pointsOf(wanted policy.Policy, grid backtest.Grid, resampler *certify.Resampler) ([]point, error) {
	if len(grid) == 0 {
		return levelsOf(wanted, resampler)
	}

	var points []point
	for _, values := range grid.Points() {
		p := point{}
		for i, value := range values {
			p.fields = append(p.fields, field{grid[i].Parameter, value})
		}
		var err error
		p.policy, err = grid.Apply(wanted, values)
		if err != nil {
			return nil, err
		}
		points = append(points, p)
	}

	return points, nil
}

const (
	levels     = 20   // at which thresholds lie among the datapoints
	outside    = 5    // and beyond all of them
	mostOften  = 0.25 // of the datapoints that breach, at the first level
	widestStep = 0.25 // of the distance from the median to the utmost, between those beyond
)

// levelsOf are points at which all thresholds are as rare as one another: from each
// rule's own datapoints, from a quarter of which breach to far beyond any.
func levelsOf(wanted policy.Policy, resampler *certify.Resampler) ([]point, error) {
	wanted = wanted.WithDefaults()
	points := make([]point, levels+outside)
	for i := range wanted.Rules {
		r := &wanted.Rules[i]
		sorted := tunable(r, resampler)
		if sorted == nil {
			continue
		}
		for level, threshold := range thresholds(sorted, r.Above.IsZero()) {
			side := "above"
			if r.Above.IsZero() {
				side = "below"
			}
			text := strconv.FormatFloat(threshold, 'g', 4, 64)
			points[level].fields = append(points[level].fields, field{r.Name + "." + side, text})
		}
	}
	if points[0].fields == nil {
		return nil, errNoThresholds
	}

	var valid []point
	for _, p := range points {
		p.policy = wanted
		var err error
		for _, f := range p.fields {
			p.policy, err = backtest.Sweep{Parameter: f.parameter}.Apply(p.policy, f.value)
			if err != nil {
				break // beside a threshold to clear, not every other one has sense
			}
		}
		isSame := len(valid) > 0 && slices.Equal(valid[len(valid)-1].fields, p.fields)
		if err == nil && !isSame {
			valid = append(valid, p)
		}
	}
	if valid == nil {
		return nil, errNoThresholds
	}
	return valid, nil
}

// tunable are the datapoints of a rule whose threshold levels can set; nil for others.
func tunable(r *policy.Rule, resampler *certify.Resampler) []float64 {
	isNumber := !r.Below.IsZero() || !r.Above.IsZero()
	isPlain := r.Form() == policy.FormInstant || r.Stat == "mean"
	if !isNumber || !isPlain || r.IsDrift() {
		return nil
	}
	if sorted := resampler.Datapoints(r); len(sorted) > 0 {
		return sorted
	}
	return nil
}

// thresholds are one for each level.
func thresholds(sorted []float64, isBelow bool) (all [levels + outside]float64) {
	if !isBelow {
		mirrored := make([]float64, len(sorted))
		for i, x := range sorted {
			mirrored[len(sorted)-1-i] = -x
		}
		for i, x := range thresholds(mirrored, true) {
			all[i] = -x
		}
		return all
	}

	n := float64(len(sorted))
	rarest := math.Min(1/n, mostOften)
	for i := range levels {
		share := mostOften * math.Pow(rarest/mostOften, float64(i)/(levels-1))
		all[i] = sorted[min(int(share*n), len(sorted)-1)]
	}
	for i := range outside {
		all[levels+i] = sorted[0] - float64(i)*widestStep*(sorted[len(sorted)/2]-sorted[0])
	}
	return all
}

// changesOf are those sought where none are named: of each tuned rule's metric, to its
// worse side, by as much as its datapoints vary.
func changesOf(wanted policy.Policy, points []point, resampler *certify.Resampler) (changes []certify.Change, err error) {
	wanted = wanted.WithDefaults()
	for i := range wanted.Rules {
		r := &wanted.Rules[i]
		isTuned := slices.ContainsFunc(points[0].fields, func(f field) bool { return strings.HasPrefix(f.parameter, r.Name+".") })
		sorted := resampler.Datapoints(r)
		if !isTuned || len(sorted) == 0 {
			continue
		}

		sign := "+"
		if !r.Below.IsZero() || !r.BelowBaselineBy.IsZero() {
			sign = "-"
		}
		deviation := deviationOf(sorted)
		if deviation == 0 {
			continue
		}
		change, err := certify.ParseChange(fmt.Sprintf("%s=%s%.2g", r.Metric, sign, deviation))
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}

	if changes == nil {
		return nil, errors.New("what is sought must be named for these fields, such as --change accuracy=-0.03")
	}
	return changes, nil
}

func deviationOf(values []float64) float64 {
	mean, squares := 0.0, 0.0
	for i, x := range values {
		distance := x - mean
		mean += distance / float64(i+1)
		squares += distance * (x - mean)
	}
	return math.Sqrt(squares / float64(len(values)))
}
