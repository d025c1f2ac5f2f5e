package policy

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
)

// Rule says when a model is out of order. What is set says what kind it is;
// exactly one of these is:
//
//   - Below or Above: a threshold. Without a Period it is judged on each
//     observation: its minimum against Below, its maximum against Above. With
//     one, Stat over each period is a datapoint, and Datapoints says how many of
//     the last must breach.
//   - BelowBaselineBy or AboveBaselineBy: the same, against what the model's
//     version itself used to do.
//   - Change: a detector of change in the datapoints.
//   - Drift: distributions held against a reference, beside Above or FalseAlarms.
//   - AllOf, AnyOf, Not, or Of beside AtLeast: a composite of other rules.
//   - MaxAge: how long ago the model may have been trained.
//   - SilentFor: how long the model may go without an event.
//   - NewReadings: how many readings of a Metric may come before it is trained again.
//   - Schedule: when it is trained whatever was measured, or a composite over it says.
//
// Comparisons are strict: a value equal to its threshold is healthy.
type Rule struct {
	Name   string `json:"name"`             // unique in its policy; left out, the metric's word
	Metric string `json:"metric,omitempty"` // accuracy, latency_ms, drift_score, or a name in an event's metrics
	Stat   Stat   `json:"stat,omitempty"`   // with a Period
	// Category, or Metrics and Categories, are what a drift rule is about instead of a
	// Metric: names, or patterns in which a * is anything. Up to MaxWatched.
	Category   string   `json:"category,omitempty"`
	Metrics    []string `json:"metrics,omitempty"`
	Categories []string `json:"categories,omitempty"`
	// Below and Above are thresholds, of any unit the metric has.
	Below metric.Reading `json:"below,omitzero"`
	Above metric.Reading `json:"above,omitzero"`
	// ClearBelow (beside Below, not below it) and ClearAbove (beside Above, not
	// above it) keep a breaching rule breaching until a datapoint is no longer
	// beyond them.
	ClearBelow metric.Reading `json:"clear_below,omitzero"`
	ClearAbove metric.Reading `json:"clear_above,omitzero"`
	// BelowBaselineBy and AboveBaselineBy are how far Stat may be from the Baseline.
	BelowBaselineBy metric.Optional[Margin] `json:"below_baseline_by,omitzero"`
	AboveBaselineBy metric.Optional[Margin] `json:"above_baseline_by,omitzero"`
	Baseline        *Baseline               `json:"baseline,omitempty"`
	Change          *Change                 `json:"change,omitempty"`
	// Drift holds distributions against a reference. Its statistic breaches Above, or
	// the bound that FalseAlarms asks for.
	Drift       *Drift                  `json:"drift,omitempty"`
	FalseAlarms metric.Optional[Alarms] `json:"false_alarms,omitzero"`

	Period     metric.Optional[Duration] `json:"period,omitzero"`       // 1 s to 31 days, aligned to the Unix epoch
	Offset     metric.Optional[Duration] `json:"offset,omitzero"`       // of each period's beginning, less than a Period: 96h makes weeks begin on Monday
	Zone       string                    `json:"zone,omitempty"`        // whose midnights days begin at, or whose clocks a Schedule reads; default UTC
	Time       TimeBasis                 `json:"time,omitempty"`        // what puts an event into a period; default TimeOfEvent
	Datapoints *Datapoints               `json:"datapoints,omitempty"`  // default 1 of 1
	MinSamples int64                     `json:"min_samples,omitempty"` // readings below which a datapoint is missing; default 1
	Missing    Missing                   `json:"missing,omitempty"`     // what a missing datapoint counts as; default MissingIgnored
	Grace      metric.Optional[Duration] `json:"grace,omitzero"`        // after a period's end until it is judged; default 30 s or a tenth of the period, the smaller

	AllOf []string `json:"all_of,omitempty"` // names of rules
	AnyOf []string `json:"any_of,omitempty"`
	Not   string   `json:"not,omitempty"`
	// AtLeast is how many of the rules that Of names must breach, 1 to all of them; of a
	// drift rule, how many of its metrics and categories, default 1.
	AtLeast int      `json:"at_least,omitempty"`
	Of      []string `json:"of,omitempty"` // names of rules, each once

	MaxAge    metric.Optional[Duration] `json:"max_age,omitzero"`    // since the last success, else the first event
	SilentFor metric.Optional[Duration] `json:"silent_for,omitzero"` // since the last event
	// NewReadings is since the last success, else since the monitor began to count them.
	NewReadings int64 `json:"new_readings,omitempty"`
	// Schedule is a cron expression of five fields: minute, hour, day of month, month
	// and weekday. The rule breaches at each instant that it names, for that moment alone.
	Schedule string `json:"schedule,omitempty"`

	Severity  Severity `json:"severity,omitempty"`  // default Critical
	Condition bool     `json:"condition,omitempty"` // has a state for composites, and never triggers by itself
}

// Stat is a statistic over the readings of a period: min, max, mean, sum, count,
// or a percentile by nearest rank, p0.1 to p99.9, within SketchAccuracy.
type Stat string

// The statistics that are no percentiles.
const (
	StatMin   Stat = "min"
	StatMax   Stat = "max"
	StatMean  Stat = "mean"
	StatSum   Stat = "sum"
	StatCount Stat = "count"
)

// TimeBasis says which instant puts an event into its period.
type TimeBasis string

// The bases of time.
const (
	TimeOfEvent   TimeBasis = "event"   // its timestamp
	TimeOfArrival TimeBasis = "arrival" // when it was published: for labels that come a day late
)

// Datapoints is M of N: the rule breaches while Breaching of the last Of
// datapoints do, even while fewer than Of exist.
type Datapoints struct {
	Breaching int `json:"breaching"` // 1 to Of; default Of
	Of        int `json:"of"`        // 1 to 100; default Breaching
}

// Missing says what a datapoint with too few readings counts as. StatCount and
// StatSum know no missing: silence is 0.
type Missing string

// The treatments of missing datapoints.
const (
	MissingIgnored   Missing = "ignore" // earlier ones are looked at instead, 3 N back at most
	MissingBreaching Missing = "breaching"
	MissingOK        Missing = "ok"
)

// Severity says what a rule may do.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // it can trigger
	Warning  Severity = "warning"  // it writes the decision Warned
)

// MaxTextBytes bounds free text that is kept: reasons, messages, who did it.
const MaxTextBytes = 300

// Defaults of a rule.
const (
	DefaultBaselineSamples = 1000
	DefaultDelta           = 0.002 // river's, and MOA's
	DefaultSlack           = 0.5   // with DefaultDecision a run of 465 datapoints without a change (Montgomery)
	DefaultDecision        = 5.0
	DefaultReference       = 50 // datapoints
	DefaultHold            = 24 * time.Hour
	maxDefaultGrace        = 30 * time.Second
)

// Below is the rule that a metric must not fall below threshold.
func Below(name string, threshold float64) Rule {
	return Rule{Name: Word(name), Metric: name, Below: metric.Some(threshold)}
}

// Above is the rule that a metric must not rise above threshold.
func Above(name string, threshold float64) Rule {
	return Rule{Name: Word(name), Metric: name, Above: metric.Some(threshold)}
}

// BreachReason is a breach of a rule without a period in words: `accuracy 0.8000
// below threshold 0.9500`.
func (r *Rule) BreachReason(value, threshold float64) string {
	side := "above"
	if r.BreachesLow() {
		side = "below"
	}
	figures := r.Figures(value, threshold)
	return plain.Cut(fmt.Sprintf("%s %s %s threshold %s", Word(r.Metric), figures[0], side, figures[1]), MaxTextBytes)
}

// Word is how a metric is called in a reason and, by default, its rule.
func Word(name string) string {
	switch name {
	case metric.LatencyMS:
		return "latency"
	case metric.DriftScore:
		return "drift"
	}
	return name
}

// IsBeyond says that a value is on the breaching side of a threshold. This is the
// comparison; the hub has it once more, for haste alone, in hub/internal/tripwire.
func (r *Rule) IsBeyond(value, threshold float64) bool {
	if r.BreachesLow() {
		return value < threshold
	}
	return value > threshold
}

// BreachesLow says that low values breach.
func (r *Rule) BreachesLow() bool { return !r.Below.IsZero() || !r.BelowBaselineBy.IsZero() }

// ClearThreshold is the threshold beyond which a breaching rule stays so.
func (r *Rule) ClearThreshold() (float64, bool) {
	if clear, ok := r.ClearBelow.Get(); ok {
		return clear, true
	}
	return r.ClearAbove.Get()
}

// Extreme is which of some readings a rule without a period holds against its
// threshold: the least where low ones breach, else the greatest.
func (r *Rule) Extreme(readings *metric.Summary) (value, threshold float64) {
	if below, ok := r.Below.Get(); ok {
		return readings.Min, below
	}
	return readings.Max, r.Above.Value()
}
