package backtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy"
)

// maxSweepValues bounds the values of a sweep.
const maxSweepValues = 1000

// Sweep runs a policy again and again with one field of it changed.
type Sweep struct {
	// Parameter is the field: `cooldown`, `retraining.timeout`, or a rule's name and
	// a field of it, `latency.above`, `drift.datapoints.breaching`.
	Parameter string
	Values    []string // as given, or made of a range
}

// ParseSweep reads PARAMETER=VALUE,VALUE,… or PARAMETER=FROM:TO:STEP. A value is
// a number, a share such as 3%, a duration, or a word that the field knows; a
// range ends at TO or the last step before it.
func ParseSweep(text string) (Sweep, error) {
	parameter, values, found := strings.Cut(text, "=")
	parameter = strings.TrimSpace(parameter)
	if !found || parameter == "" || strings.TrimSpace(values) == "" {
		return Sweep{}, fmt.Errorf("must be PARAMETER=VALUE,VALUE,… or PARAMETER=FROM:TO:STEP, such as latency.above=150:300:10, got %q", plain.Cut(text, 40))
	}
	sweep := Sweep{Parameter: parameter}
	if bounds := strings.Split(values, ":"); len(bounds) > 1 {
		if len(bounds) != 3 {
			return Sweep{}, fmt.Errorf("a range must be FROM:TO:STEP, got %q", plain.Cut(values, 40))
		}
		var err error
		sweep.Values, err = stepped(bounds)
		return sweep, err
	}

	for value := range strings.SplitSeq(values, ",") {
		sweep.Values = append(sweep.Values, strings.TrimSpace(value))
	}
	if len(sweep.Values) > maxSweepValues {
		return Sweep{}, fmt.Errorf("must be at most %d values, got %d", maxSweepValues, len(sweep.Values))
	}

	return sweep, nil
}

// stepped makes the values of a range, which is of numbers, shares or durations.
func stepped(bounds []string) ([]string, error) {
	var numbers [3]float64
	form := ""
	for i, bound := range bounds {
		value, of, err := Number(strings.TrimSpace(bound))
		if err != nil {
			return nil, err
		}
		if i > 0 && of != form {
			return nil, fmt.Errorf("FROM, TO and STEP must be of one kind, got %s", strings.Join(bounds, ":"))
		}
		numbers[i], form = value, of
	}

	from, to, step := numbers[0], numbers[1], numbers[2]
	steps := math.Floor((to-from)/step + 1e-9)
	switch {
	case step == 0 || steps < 0 || math.IsNaN(steps):
		return nil, fmt.Errorf("STEP must lead from FROM to TO, got %s", strings.Join(bounds, ":"))
	case steps >= maxSweepValues:
		return nil, fmt.Errorf("must be at most %d values, got %.0f", maxSweepValues, steps+1)
	}

	values := make([]string, 0, int(steps)+1)
	for i := range int(steps) + 1 {
		value := from + float64(i)*step
		if form == "duration" {
			values = append(values, policy.Duration(math.Round(value*float64(time.Second))).String())
			continue
		}

		// 12 digits hide that 0.1 three times is 0.30000000000000004.
		text := strconv.FormatFloat(value, 'g', 12, 64)
		if form == "share" {
			text += "%"
		}
		values = append(values, text)
	}

	return values, nil
}

// Number is a value as a place on an axis: a number, a share in percent, or the
// seconds of a duration; form says which: number, share, duration.
func Number(text string) (value float64, form string, err error) {
	if value, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
		return value, "number", nil
	}
	if share, is := strings.CutSuffix(text, "%"); is {
		if value, err := strconv.ParseFloat(share, 64); err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
			return value, "share", nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d.Seconds(), "duration", nil
	}
	return 0, "", fmt.Errorf(`must be a number, a share such as "3%%" or a duration such as "90s", got %q`, plain.Cut(text, 40))
}

// Apply returns the policy with the parameter set to a value, or every fault of
// what that makes.
func (s Sweep) Apply(wanted policy.Policy, value string) (policy.Policy, error) {
	encoded, err := json.Marshal(wanted.WithDefaults())
	if err != nil {
		return wanted, err
	}
	var object map[string]any
	if err := json.Unmarshal(encoded, &object); err != nil {
		return wanted, err
	}

	inside, path := object, s.Parameter
	rules, _ := object["rules"].([]any)
	names := make([]string, 0, len(rules))
	for _, rule := range rules {
		fields, _ := rule.(map[string]any)
		name, _ := fields["name"].(string)
		names = append(names, name)
		if rest, is := strings.CutPrefix(s.Parameter, name+"."); is && len(rest) < len(path) {
			inside = fields
			path = rest // the longest name that fits
		}
	}

	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		next, is := inside[step].(map[string]any)
		if !is {
			next = map[string]any{}
			inside[step] = next
		}
		inside = next
	}

	inside[steps[len(steps)-1]] = raw(value)
	encoded, err = json.Marshal(object)
	if err != nil {
		return wanted, err
	}

	changed, err := policy.Decode(encoded)
	if err != nil {
		err = fmt.Errorf("%s=%s: %w; the rules are %s", s.Parameter, value,
			errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")), strings.Join(names, ", "))
	}

	return changed, err
}

// raw is a value as JSON has it.
func raw(value string) any {
	if value == "true" || value == "false" {
		return value == "true"
	}
	if number, form, err := Number(value); err == nil && form == "number" {
		return number
	}
	return value
}

// Grid is several sweeps, whose values are all crossed.
type Grid []Sweep

// NewGrid checks that a grid is of a size that can be run, and that no field is in it
// twice.
func NewGrid(sweeps []Sweep) (Grid, error) {
	points := 1
	for i, sweep := range sweeps {
		if slices.ContainsFunc(sweeps[:i], func(s Sweep) bool { return s.Parameter == sweep.Parameter }) {
			return nil, fmt.Errorf("%s is given twice; name all its values at once", sweep.Parameter)
		}
		points *= len(sweep.Values)
		if points > maxSweepValues {
			return nil, fmt.Errorf("must be at most %d values, each with each, got %d and more", maxSweepValues, points)
		}
	}

	return sweeps, nil
}

// Parameter names the fields.
func (g Grid) Parameter() string {
	names := make([]string, len(g))
	for i, sweep := range g {
		names[i] = sweep.Parameter
	}
	return strings.Join(names, ", ")
}

// Points are all values, each with each; the last field's change first.
func (g Grid) Points() [][]string {
	points := [][]string{nil}
	for _, sweep := range g {
		var crossed [][]string
		for _, point := range points {
			for _, value := range sweep.Values {
				crossed = append(crossed, append(slices.Clone(point), value))
			}
		}
		points = crossed
	}

	return points
}

// Apply returns the policy at a point, or every fault of what that makes.
func (g Grid) Apply(wanted policy.Policy, point []string) (policy.Policy, error) {
	for i, sweep := range g {
		var err error
		wanted, err = sweep.Apply(wanted, point[i])
		if err != nil {
			return wanted, err
		}
	}
	return wanted, nil
}

// SweepResult is a policy at one point of a grid, over one model's events.
type SweepResult struct {
	Value  string            `json:"value"`  // of several fields, parted by commas
	Values map[string]string `json:"values"` // by field
	Summary
}

// RunSweep replays the recording through each policy at each point, as many at once
// as there are processors. Results come in the order of the policies, then of models,
// then of points. The fields must suit every policy.
func RunSweep(ctx context.Context, recorded *recording.Recording, policies []Policy, grid Grid, options Options) ([]SweepResult, error) {
	var all []task
	var results []SweepResult
	var faults []error
	for _, t := range tasks(recorded, policies) {
		for _, point := range grid.Points() {
			changed := t
			var err error
			changed.policy.Policy, err = grid.Apply(t.policy.Policy, point)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", t.policy.Label, err))
				break // the next value has the same fault, mostly
			}

			result := SweepResult{Value: strings.Join(point, ", "), Values: map[string]string{}}
			for i, value := range point {
				result.Values[grid[i].Parameter] = value
			}
			all = append(all, changed)
			results = append(results, result)
		}
	}

	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	options.Bounds = cmp.Or(options.Bounds, &Bounds{})
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range all {
		group.Go(func() error {
			result, err := replay(ctx, t, options)
			results[i].Summary = result.Summary
			return err
		})
	}

	return results, group.Wait()
}
