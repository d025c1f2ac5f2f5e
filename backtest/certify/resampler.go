package certify

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/certificate"
)

// Resampler judges policies that differ in thresholds only on the same resamples.
type Resampler struct {
	pool    *pool
	options Options
}

// NewResampler makes one of a model's recording; of the policy, which must be valid, it
// takes the periods, and how long its rules look back.
func NewResampler(model *Model, wanted policy.Policy, options Options) (*Resampler, error) {
	r := &Resampler{options: options}
	var err error
	r.pool, err = newPool(model, stripped(wanted), &r.options)
	return r, err
}

// Length is that of the recording, without what is left out, and of a resample.
func (r *Resampler) Length() time.Duration { return r.pool.length }

// Fewer is the resampler with so many resamples at most: the first of them.
func (r *Resampler) Fewer(samples int) *Resampler {
	fewer := *r
	fewer.options.Samples = min(samples, r.options.Samples)
	return &fewer
}

// FalseAlarms is how often a policy cries wolf.
func (r *Resampler) FalseAlarms(ctx context.Context, wanted policy.Policy) (certificate.Rate, error) {
	return newTrials(r.pool, stripped(wanted), &r.options).falseAlarms(ctx)
}

// Changes is how soon a policy finds the changes of the options.
func (r *Resampler) Changes(ctx context.Context, wanted policy.Policy) ([]Found, error) {
	return newTrials(r.pool, stripped(wanted), &r.options).changes(ctx)
}

// Datapoints are what a rule holds its threshold against: means over its period or,
// without one, readings, sorted. It is nil where the rule is about no metric.
func (r *Resampler) Datapoints(rule *policy.Rule) (sorted []float64) {
	if rule.Metric == "" {
		return nil
	}
	if rule.PeriodLength() > 0 {
		sorted, _ = r.pool.series(rule.Metric, rule.PeriodLength())
		sorted = slices.DeleteFunc(sorted, math.IsNaN)
	} else {
		for i := range r.pool.readings {
			if value, measured := r.pool.readings[i].event.Reading(rule.Metric); measured {
				sorted = append(sorted, value)
			}
		}
	}

	slices.Sort(sorted)
	return sorted
}

// Record is both.
func (r *Resampler) Record(ctx context.Context, wanted policy.Policy) (Record, error) {
	return newTrials(r.pool, stripped(wanted), &r.options).run(ctx)
}
