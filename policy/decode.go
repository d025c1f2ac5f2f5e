package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

func (r *Rule) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{
		"name": &r.Name, "metric": &r.Metric, "stat": &r.Stat, "below": &r.Below, "above": &r.Above,
		"clear_below": &r.ClearBelow, "clear_above": &r.ClearAbove,
		"category": &r.Category, "metrics": &r.Metrics, "categories": &r.Categories,
		"drift": strict.Object(&r.Drift, (*Drift).decodeAt), "false_alarms": &r.FalseAlarms,
		"below_baseline_by": &r.BelowBaselineBy, "above_baseline_by": &r.AboveBaselineBy,
		"baseline": strict.Object(&r.Baseline, (*Baseline).decodeAt), "change": strict.Object(&r.Change, (*Change).decodeAt),
		"period": strict.Nested(r.decodePeriod), "offset": &r.Offset, "zone": &r.Zone, "time": &r.Time, "datapoints": strict.Object(&r.Datapoints, (*Datapoints).decodeAt),
		"min_samples": &r.MinSamples, "missing": &r.Missing, "grace": &r.Grace,
		"all_of": &r.AllOf, "any_of": &r.AnyOf, "not": &r.Not, "at_least": &r.AtLeast, "of": &r.Of,
		"max_age": &r.MaxAge, "silent_for": &r.SilentFor, "new_readings": &r.NewReadings, "schedule": &r.Schedule,
		"severity": &r.Severity, "condition": &r.Condition,
	})
}

// decodePeriod reads the period. A rule whose period can't be read is refused; until
// then it has the longest, so that what needs a period isn't said to lack one and its
// other faults are named too.
func (r *Rule) decodePeriod(data []byte, path string) error {
	err := json.Unmarshal(data, &r.Period)
	if err != nil {
		r.Period = metric.Some(Duration(maxPeriod))
	}
	return strict.At(path, err)
}

func (d *Datapoints) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"breaching": &d.Breaching, "of": &d.Of})
}

// Margin is a distance from a baseline, 0 or more: absolute, 0.03, or a share of
// the baseline's magnitude, "3%".
type Margin struct {
	Value   float64 // 3 for "3%"
	Percent bool
}

// Of is the distance from a baseline, in its unit.
func (m Margin) Of(baseline float64) float64 {
	if m.Percent {
		return m.Value / 100 * math.Abs(baseline)
	}
	return m.Value
}

// String is the margin as a policy has it.
func (m Margin) String() string {
	text := strconv.FormatFloat(m.Value, 'g', -1, 64)
	if m.Percent {
		text += "%"
	}
	return text
}

// MarshalJSON writes a number, or a string such as "3%".
func (m Margin) MarshalJSON() ([]byte, error) {
	if m.Percent {
		return json.Marshal(m.String())
	}
	return json.Marshal(m.Value)
}

// UnmarshalJSON reads a number, or a string such as "3%".
func (m *Margin) UnmarshalJSON(data []byte) error {
	*m = Margin{}
	var text string
	if json.Unmarshal(data, &text) == nil {
		number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
		value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err == nil && percent {
			*m = Margin{value, true}
			return nil
		}
	} else if json.Unmarshal(data, &m.Value) == nil {
		return nil
	}

	return fmt.Errorf(`must be a number such as 0.03 or a share such as "3%%", got %s`, plain.Cut(string(data), 40))
}

// Duration is a time.Duration that reads and writes as Go's text, "1h30m".
type Duration time.Duration

// String returns Go's text with zero units cut off: "1h", not "1h0m0s".
func (d Duration) String() string { return plain.Duration(time.Duration(d)) }

// MarshalJSON writes the duration as a string, "1h30m".
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads a duration from a string of Go's form.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf(`must be a duration such as "90s" or "1h30m", got %s`, plain.Cut(string(data), 40))
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		err = fmt.Errorf(`must be a duration such as "90s" or "1h30m", got %q`, plain.Cut(text, 40))
		if strings.ContainsAny(text, "dw") {
			err = fmt.Errorf(`%w; a day is "24h", a week "168h"`, err)
		}
		return err
	}
	*d = Duration(parsed)
	return nil
}
