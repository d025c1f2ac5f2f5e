// Package tune finds the thresholds with which a policy keeps to a rate of false alarms
// and finds changes soonest, on a model's own recording.
//
// Of many points the best one looks better than it is. So the recording is cut into
// folds of time, and what is said of the tuned policy is by cross-validation: for each
// fold the thresholds are found on the others, and held against resamples of the one
// that they have not seen. The thresholds that are handed back are those of the whole.
package tune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/certificate"
)

// Options say how to tune.
type Options struct {
	// Resampling is how resamples are made. Without Changes those are sought that move
	// the datapoints of each tuned rule by as much as they vary.
	Resampling certify.Options
	// FalseAlarms is how many per Resampling.Per are allowed, above 0.
	FalseAlarms float64
	// Grid are the fields and the values that are tried; empty: the thresholds of all
	// rules that have one, together, from often to never.
	Grid backtest.Grid
}

const (
	// folds is how many parts a recording is cut into.
	folds = 4
	// candidate is how many times the rate that is allowed a point may show on a few
	// resamples, to be judged on all.
	candidate = 2
	// unimproved is after how many points in a row that find changes no sooner the search
	// ends: of those that keep to the rate, the ones with the most false alarms, which are
	// the most sensitive, come first.
	unimproved = 5
)

// Tuned is what was found.
type Tuned struct {
	Policy    string  `json:"policy"`
	Document  int     `json:"document,omitempty"`
	ModelName string  `json:"model_name"`
	Per       string  `json:"per"`
	Allowed   float64 `json:"allowed"` // false alarms per Per
	// Values are the thresholds found, by field, as a sweep names them, and TunedPolicy
	// the policy with them.
	Values      map[string]string `json:"values"`
	TunedPolicy policy.Policy     `json:"tuned_policy"`
	// Record is of the tuned policy, by folds that it was not tuned on: means over the
	// folds, of delays too.
	certify.Record
	// Before is the policy as it was, over the same folds.
	Before certify.Record `json:"before"`
	Folds  []Fold         `json:"folds"`
	Points int            `json:"points"` // that were tried
	Notes  []string       `json:"notes,omitempty"`
}

// Fold is a part of the recording, and what the others have found for it.
type Fold struct {
	From   time.Time         `json:"from"`
	Until  time.Time         `json:"until"`
	Values map[string]string `json:"values"`
	certify.Record
}

// Run tunes a policy, which must be valid, on a model's recording. The same options
// give the same policy, on however many processors.
func Run(ctx context.Context, model *certify.Model, wanted backtest.Policy, options Options) (*Tuned, error) {
	whole, err := certify.NewResampler(model, wanted.Policy, options.Resampling)
	if err != nil {
		return nil, err
	}
	points, err := pointsOf(wanted.Policy, options.Grid, whole)
	if err != nil {
		return nil, err
	}
	if len(options.Resampling.Changes) == 0 {
		options.Resampling.Changes, err = changesOf(wanted.Policy, points, whole)
		if err != nil {
			return nil, err
		}
	}

	t := &tuning{model: model, wanted: wanted.Policy, options: &options, points: points}
	best, err := t.best(ctx, model, nil)
	if err != nil {
		return nil, err
	}
	tuned := &Tuned{
		Policy: wanted.Label, Document: wanted.Document, ModelName: model.Name, Per: certify.DurationText(options.Resampling.Per),
		Allowed: options.FalseAlarms, Values: best.values(), TunedPolicy: best.policy, Points: len(points),
	}
	if err := t.crossValidate(ctx, tuned); err != nil {
		return nil, err
	}

	tuned.note(best, whole.Length(), options.Resampling.Per)
	return tuned, nil
}

// Work is about how many resamples Run judges.
func Work(options *Options, points int) int64 {
	changes := 1 + len(options.Resampling.Changes)
	search := points*min(certify.MinSamples, options.Resampling.Samples) + min(points, unimproved)*changes*options.Resampling.Samples
	return int64((folds+1)*search + folds*2*changes*options.Resampling.Samples)
}

// tuning is under way.
type tuning struct {
	model   *certify.Model
	wanted  policy.Policy
	options *Options
	points  []point
}

// judged is a point, and what was found of it.
type judged struct {
	point
	rate  certificate.Rate
	delay float64 // seconds, the mean over changes; infinite where none were sought
}

// best is the point that finds changes soonest of those that keep to the rate, on a
// model's recording without some of it; where none does, the one with the fewest false
// alarms.
func (t *tuning) best(ctx context.Context, model *certify.Model, without []backtest.Drift) (*judged, error) {
	resampling := t.options.Resampling
	resampling.Drifts = inOrder(resampling.Drifts, without)
	resampler, err := certify.NewResampler(model, t.wanted, resampling)
	if err != nil {
		return nil, err
	}

	rough := resampler.Fewer(certify.MinSamples)
	all := make([]judged, len(t.points))
	for i, p := range t.points {
		rate, err := rough.FalseAlarms(ctx, p.policy)
		if err != nil {
			return nil, err
		}
		all[i] = judged{p, rate, math.Inf(1)}
	}
	slices.SortStableFunc(all, func(a, b judged) int { return cmp.Compare(b.rate.Mean, a.rate.Mean) })

	best := &all[len(all)-1]
	since := 0
	for i := range all {
		j := &all[i]
		if j.rate.Mean > candidate*t.options.FalseAlarms && i < len(all)-1 {
			continue
		}
		j.rate, err = resampler.FalseAlarms(ctx, j.policy)
		if err != nil {
			return nil, err
		}
		if j.rate.Mean > t.options.FalseAlarms {
			continue
		}

		found, err := resampler.Changes(ctx, j.policy)
		if err != nil {
			return nil, err
		}
		j.delay = delayOf(found)
		if j.delay < best.delay || j.delay == best.delay && j.rate.Mean < best.rate.Mean {
			best = j
			since = 0
		}
		if since++; since > unimproved {
			break
		}
	}

	return best, nil
}

// delayOf is the mean delay over changes.
func delayOf(found []certify.Found) (seconds float64) {
	for _, f := range found {
		seconds += f.Mean / float64(len(found))
	}
	return seconds
}

// crossValidate holds, fold by fold, what the others find against the one left out.
func (t *tuning) crossValidate(ctx context.Context, tuned *Tuned) error {
	var before, after []certify.Record
	for _, span := range t.spans() {
		best, err := t.best(ctx, t.model, []backtest.Drift{span})
		if err != nil {
			return err
		}
		part := t.part(span)
		resampler, err := certify.NewResampler(part, t.wanted, t.options.Resampling)
		if err != nil {
			return fmt.Errorf("%s to %s, of %d folds: %w", span.At.Format(time.DateOnly), span.Until.Format(time.DateOnly), folds, err)
		}

		record, err := resampler.Record(ctx, best.policy)
		if err != nil {
			return err
		}
		was, err := resampler.Record(ctx, t.wanted)
		if err != nil {
			return err
		}
		before = append(before, was)
		after = append(after, record)
		tuned.Folds = append(tuned.Folds, Fold{From: span.At, Until: span.Until, Values: best.values(), Record: record})
	}

	tuned.Record = pooled(after)
	tuned.Before = pooled(before)
	return nil
}

// spans are the folds: as long as one another, in order. Each is inclusive.
func (t *tuning) spans() []backtest.Drift {
	first := t.model.Events[0].Timestamp
	length := t.model.Events[len(t.model.Events)-1].Timestamp.Sub(first) + 1
	spans := make([]backtest.Drift, folds)
	for i := range spans {
		spans[i].At = first.Add(length / folds * time.Duration(i))
		spans[i].Until = first.Add(length/folds*time.Duration(i+1) - 1)
	}
	spans[folds-1].Until = first.Add(length)
	return spans
}

// part is the model's recording within a span.
func (t *tuning) part(span backtest.Drift) *certify.Model {
	part := &certify.Model{Name: t.model.Name}
	for i := range t.model.Events {
		if at := t.model.Events[i].Timestamp; !at.Before(span.At) && !at.After(span.Until) {
			part.Events = append(part.Events, t.model.Events[i])
		}
	}
	return part
}

// inOrder are drifts of two lists.
func inOrder(a, b []backtest.Drift) []backtest.Drift {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b backtest.Drift) int { return a.At.Compare(b.At) })
	return all
}

// errNoThresholds says that there is nothing to tune.
var errNoThresholds = errors.New("no rule has a number for below or above and is about a metric's mean or its readings; name what to tune, such as --sweep accuracy.below_baseline_by=1%:5%:0.5%")
