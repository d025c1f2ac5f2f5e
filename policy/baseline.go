package policy

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// Baseline is what a rule measures a version against. It is unknown until all that
// makes it is there.
//
//   - BaselineFirst and BaselinePrevious: the rule's Stat over the first readings of
//     this version, or of the version before it whose baseline is full: Samples of
//     them, or those of the first Period since the first of them, and then of Samples at
//     least.
//   - BaselineTrailing: the mean of the version's last Periods datapoints, or, with a
//     Season, of those of the same period in each of the last Periods seasons.
//     Datapoints that are missing or were lost to an outage are left out, and so are
//     breaching ones, which count again once Periods of them were left out in a row.
//   - BaselineReplaced: the mean, each weighted by its readings, of the last whole
//     datapoints, holding at least Samples readings, of the version that this one
//     replaced: the one heard of last of those that began before it and have so many. A
//     canary that was given up meanwhile has replaced nothing.
type Baseline struct {
	Samples int64                     `json:"samples,omitempty"` // default DefaultBaselineSamples; 1 beside a Period
	From    BaselineFrom              `json:"from,omitempty"`    // default BaselineFirst
	Period  metric.Optional[Duration] `json:"period,omitzero"`   // since a version's first reading
	Periods int                       `json:"periods,omitempty"` // 1 to 100
	Season  metric.Optional[Duration] `json:"season,omitzero"`   // whole periods
}

// BaselineFrom says what makes a baseline.
type BaselineFrom string

// What makes a baseline.
const (
	BaselineFirst    BaselineFrom = "first"    // the version's own first readings
	BaselinePrevious BaselineFrom = "previous" // those of the version before it
	BaselineTrailing BaselineFrom = "trailing" // its own last datapoints
	BaselineReplaced BaselineFrom = "replaced" // the last ones of the version that it replaced
)

// ReplacedReach is how many datapoints of a version BaselineReplaced looks back at
// most.
const ReplacedReach = 30

// Change asks for a detector of change over a rule's datapoints. The rule
// breaches from a detection for Hold, or until another version.
type Change struct {
	Detector Detector `json:"detector,omitempty"` // default DetectorADWIN
	Delta    float64  `json:"delta,omitempty"`    // ADWIN's confidence, above 0 and below 1; default DefaultDelta
	// Slack and Decision are CUSUM's, in standard deviations of the version's first
	// Samples datapoints: what a datapoint may be off their mean without adding to its
	// sum, above 0, and the sum beyond which the mean has changed. The defaults are
	// DefaultSlack, DefaultDecision and DefaultReference.
	Slack     float64                   `json:"slack,omitempty"`
	Decision  float64                   `json:"decision,omitempty"`
	Samples   int64                     `json:"samples,omitempty"`
	Direction Direction                 `json:"direction,omitempty"` // which changes count; default DirectionBoth
	Hold      metric.Optional[Duration] `json:"hold,omitzero"`       // default DefaultHold
}

// WithDefaults returns a copy in which what the detector goes by is spelled out.
func (c Change) WithDefaults() Change {
	if c.Detector == "" {
		c.Detector = DetectorADWIN
	}
	if c.Detector == DetectorADWIN {
		c.Delta = cmp.Or(c.Delta, DefaultDelta)
	} else {
		c.Slack = cmp.Or(c.Slack, DefaultSlack)
		c.Decision = cmp.Or(c.Decision, DefaultDecision)
		c.Samples = cmp.Or(c.Samples, DefaultReference)
	}
	c.Hold = metric.Some(c.Hold.Or(Duration(DefaultHold)))
	return c
}

// Detector is a method of change detection.
type Detector string

// The detectors.
const (
	DetectorADWIN Detector = "adwin" // adaptive windowing (Bifet & Gavaldà, SDM 2007)
	DetectorCUSUM Detector = "cusum" // cumulative sums (Page, Biometrika 1954), for slow decay
)

// Direction says which changes of a mean count.
type Direction string

// The directions of change.
const (
	DirectionUp   Direction = "up"
	DirectionDown Direction = "down"
	DirectionBoth Direction = "both"
)

func (b *Baseline) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{
		"samples": &b.Samples, "from": &b.From, "period": &b.Period, "periods": &b.Periods, "season": &b.Season,
	})
}

func (c *Change) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{
		"detector": &c.Detector, "delta": &c.Delta, "slack": &c.Slack, "decision": &c.Decision, "samples": &c.Samples,
		"direction": &c.Direction, "hold": &c.Hold,
	})
}

// HasBaseline says that the rule measures a version against what it, or another, used
// to do.
func (r *Rule) HasBaseline() bool { return !r.BelowBaselineBy.IsZero() || !r.AboveBaselineBy.IsZero() }

// BaselineOf is what the rule's baseline is made of, with what is left out spelled out.
func (r *Rule) BaselineOf() (b Baseline) {
	if r.Baseline != nil {
		b = *r.Baseline
	}
	if b.From == "" {
		b.From = BaselineFirst
	}
	switch {
	case b.Samples != 0 || b.From == BaselineTrailing:
	case b.Period.IsZero():
		b.Samples = DefaultBaselineSamples
	default:
		b.Samples = 1
	}

	return b
}

// BaselineSamples is how many readings make the rule's baseline.
func (r *Rule) BaselineSamples() int64 { return r.BaselineOf().Samples }

// IsOfFirstReadings says that so many first readings of a version make the baseline,
// however long they take.
func (b Baseline) IsOfFirstReadings() bool {
	return b.Period.IsZero() && (b.From == BaselineFirst || b.From == BaselinePrevious)
}

// measuresPrevious says that the rule measures against the version before.
func (r *Rule) measuresPrevious() bool { return r.BaselineOf().From == BaselinePrevious }

// measuresOther says that the rule measures against another version.
func (r *Rule) measuresOther() bool {
	return r.measuresPrevious() || r.BaselineOf().From == BaselineReplaced
}

// Phases is how many periods of the rule a season of its baseline has; 1 without one.
func (r *Rule) Phases() int64 {
	season := time.Duration(r.BaselineOf().Season.Or(0))
	if r.PeriodLength() <= 0 || season == 0 {
		return 1
	}
	return int64(season / r.PeriodLength())
}

// Method is the detector, or the default.
func (c *Change) Method() Detector {
	if c.Detector == "" {
		return DetectorADWIN
	}
	return c.Detector
}

// baselineText is the baseline in words.
func (r *Rule) baselineText() string {
	b := r.BaselineOf()
	readings := fmt.Sprint(b.Samples)
	if period, ok := b.Period.Get(); ok {
		readings = period.String()
		if b.Samples > 1 {
			readings += fmt.Sprintf(" of at least %d", b.Samples)
		}
	}

	switch b.From {
	case BaselinePrevious:
		return "the previous version's first " + readings
	case BaselineReplaced:
		return fmt.Sprintf("the last %d of the version it replaced", b.Samples)
	case BaselineTrailing:
		if season, ok := b.Season.Get(); ok {
			return fmt.Sprintf("the mean of the same period in the last %d seasons of %s", b.Periods, season)
		}
		return fmt.Sprintf("the mean of its last %d periods", b.Periods)
	}

	return "its first " + readings
}

// validateComparison is about baselines and detectors.
func (r *Rule) validateComparison(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	for _, margin := range []struct {
		name  string
		value metric.Optional[Margin]
	}{{"below_baseline_by", r.BelowBaselineBy}, {"above_baseline_by", r.AboveBaselineBy}} {
		if m, ok := margin.value.Get(); ok && !(m.Value >= 0 && m.Value <= metric.MaxMagnitude) {
			fault(margin.name, fmt.Errorf("must be 0 to %.0e, got %v", metric.MaxMagnitude, m.Value))
		}
	}

	if r.HasBaseline() && r.IsTotal() && r.BaselineOf().From != BaselineTrailing {
		fault("stat", fmt.Errorf("%s grows with the readings, so its baseline is made of whole periods: say baseline: {from: trailing, periods: 4}", r.Stat))
	}
	if r.Baseline != nil {
		if !r.HasBaseline() {
			fault("baseline", errors.New("has its place only beside below_baseline_by or above_baseline_by"))
		}
		faults = append(faults, r.Baseline.validate(strict.Join(path, "baseline"), r.PeriodLength())...)
	}
	if r.Change != nil {
		faults = append(faults, r.Change.validate(strict.Join(path, "change"))...)
		if r.Datapoints != nil {
			fault("datapoints", errors.New("has no place beside change, whose detector judges the whole series"))
		}
	}

	return faults
}

// validate names what is wrong with a baseline of a rule with periods of that length.
func (b *Baseline) validate(path string, period time.Duration) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	fault("from", oneOf(b.From, BaselineFirst, BaselinePrevious, BaselineTrailing, BaselineReplaced))
	isTrailing := b.From == BaselineTrailing
	switch {
	case isTrailing && b.Samples != 0:
		fault("samples", errors.New("has no place beside from trailing, which is made of datapoints; say how many by periods"))
	case b.Samples < 0 || b.Samples > metric.MaxCount:
		fault("samples", fmt.Errorf("must be 1 to %d, got %d", int64(metric.MaxCount), b.Samples))
	}

	switch {
	case isTrailing && (b.Periods < 1 || b.Periods > maxDatapoints):
		fault("periods", fmt.Errorf("must be 1 to %d, got %d", maxDatapoints, b.Periods))
	case !isTrailing && b.Periods != 0:
		fault("periods", errors.New("has its place only beside from trailing"))
	}

	if first, ok := b.Period.Get(); ok {
		if isTrailing || b.From == BaselineReplaced {
			fault("period", fmt.Errorf("has no place beside from %s, which looks at the last datapoints, not at the first readings", b.From))
		}
		fault("period", checkWait(first, time.Second))
	}

	if season, ok := b.Season.Get(); ok {
		switch length := time.Duration(season); {
		case !isTrailing:
			fault("season", errors.New("has its place only beside from trailing"))
		case length > maxWait || period > 0 && (length < 2*period || length%period != 0):
			fault("season", fmt.Errorf("must be two or more whole periods, and at most %s, got %s", Duration(maxWait), season))
		}
	}

	return faults
}

// Bounds of what CUSUM goes by.
const (
	minReference = 2
	maxReference = 10_000
	maxSlack     = 10
	maxDecision  = 1000
)

// validate names what is wrong with a detector.
func (c *Change) validate(path string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(strict.Join(path, field), err)) }
	fault("detector", oneOf(c.Detector, DetectorADWIN, DetectorCUSUM))
	fault("direction", oneOf(c.Direction, DirectionUp, DirectionDown, DirectionBoth))
	if c.Delta != 0 && !(c.Delta >= MinDelta && c.Delta < 1) {
		fault("delta", fmt.Errorf("must be %.0e to less than 1, got %v", MinDelta, c.Delta))
	}
	if c.Slack != 0 && !(c.Slack > 0 && c.Slack <= maxSlack) {
		fault("slack", fmt.Errorf("must be above 0 and at most %d standard deviations, got %v", maxSlack, c.Slack))
	}
	if c.Decision != 0 && !(c.Decision > 0 && c.Decision <= maxDecision) {
		fault("decision", fmt.Errorf("must be above 0 and at most %d standard deviations, got %v", maxDecision, c.Decision))
	}
	if c.Samples != 0 && (c.Samples < minReference || c.Samples > maxReference) {
		fault("samples", fmt.Errorf("must be %d to %d datapoints, got %d", minReference, maxReference, c.Samples))
	}

	if c.Method() == DetectorCUSUM && c.Delta != 0 {
		fault("delta", errors.New("is adwin's, and has no place beside detector cusum; say slack and decision"))
	}
	for _, field := range present([]field{{"slack", c.Slack != 0}, {"decision", c.Decision != 0}, {"samples", c.Samples != 0}}) {
		if c.Method() == DetectorADWIN {
			fault(field, errors.New("has its place only beside detector cusum"))
		}
	}
	if hold, ok := c.Hold.Get(); ok {
		fault("hold", checkWait(hold, time.Second))
	}
	return faults
}
