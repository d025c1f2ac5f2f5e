package tune

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/certify"
)

// Curve is how the delay until changes are found goes down with the false alarms that a
// policy's thresholds allow: its operating curve.
type Curve struct {
	Points []CurvePoint
	Lacks  string // why it has no points
}

// CurvePoint is the policy with other thresholds.
type CurvePoint struct {
	Values map[string]string
	certify.Record
}

// CurveOf is the curve of a policy, which must be valid, over the points that Run would
// try, each on certify.MinSamples resamples.
func CurveOf(ctx context.Context, model *certify.Model, wanted backtest.Policy, options Options) (*Curve, error) {
	resampler, err := certify.NewResampler(model, wanted.Policy, options.Resampling)
	if err != nil {
		return nil, err
	}
	points, err := pointsOf(wanted.Policy, options.Grid, resampler)
	if errors.Is(err, errNoThresholds) {
		return &Curve{Lacks: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}

	curve := &Curve{}
	few := resampler.Fewer(certify.MinSamples)
	for _, p := range points {
		record, err := few.Record(ctx, p.policy)
		if err != nil {
			return nil, err
		}
		curve.Points = append(curve.Points, CurvePoint{Values: p.values(), Record: record})
	}
	return curve, nil
}

// said is what a point's thresholds are.
func (p *CurvePoint) said() string {
	var parts []string
	for _, field := range slices.Sorted(maps.Keys(p.Values)) {
		parts = append(parts, field+"="+p.Values[field])
	}
	return fmt.Sprintf("%s: %s false alarms", strings.Join(parts, ", "), certify.RateText(p.FalseAlarms.Mean))
}
