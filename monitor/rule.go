package monitor

import (
	"errors"
	"fmt"
	"strings"
)

// Rule is one threshold on one metric: exactly one of Below and Above is set.
// The comparison is strict: a value equal to its threshold is healthy.
type Rule struct {
	Name   string  `json:"name"`   // unique in its policy; left out, the metric's word
	Metric string  `json:"metric"` // accuracy, latency_ms, drift_score, or a name in an event's metrics
	Below  Reading `json:"below,omitzero"`
	Above  Reading `json:"above,omitzero"`
}

// Below is the rule that a metric must not fall below threshold.
func Below(metric string, threshold float64) Rule {
	return Rule{Name: word(metric), Metric: metric, Below: Some(threshold)}
}

// Above is the rule that a metric must not rise above threshold.
func Above(metric string, threshold float64) Rule {
	return Rule{Name: word(metric), Metric: metric, Above: Some(threshold)}
}

// Breach is how an observation violates a rule.
type Breach struct {
	Rule      Rule
	Value     float64 // the observation's worst value
	Threshold float64
}

// Judge returns how an observation violates the rule, and whether it does. Its
// minimum is held against below, its maximum against above, so that a digest
// breaches exactly when one of the events folded into it would have.
func (r Rule) Judge(observation *Digest) (Breach, bool) {
	metric, measured := observation.Metrics[r.Metric]
	if !measured {
		return Breach{}, false
	}
	if threshold, ok := r.Below.Get(); ok && metric.Min < threshold {
		return Breach{r, metric.Min, threshold}, true
	}
	if threshold, ok := r.Above.Get(); ok && metric.Max > threshold {
		return Breach{r, metric.Max, threshold}, true
	}
	return Breach{}, false
}

// Reason is the breach in words: `accuracy 0.8000 below threshold 0.9500`.
func (b Breach) Reason() string {
	side := "above"
	if _, below := b.Rule.Below.Get(); below {
		side = "below"
	}
	format := "%s %.4f %s threshold %.4f"
	if b.Rule.Metric == LatencyMS {
		format = "%s %.2fms %s threshold %.2fms"
	}
	return cut(fmt.Sprintf(format, word(b.Rule.Metric), b.Value, side, b.Threshold), maxTextBytes)
}

// word is how a metric is called in a reason and, by default, its rule.
func word(metric string) string {
	switch metric {
	case LatencyMS:
		return "latency"
	case DriftScore:
		return "drift"
	}
	return metric
}

func (r *Rule) decodeAt(data []byte, path string) error {
	return decodeFields(data, path, fields{
		"name": &r.Name, "metric": &r.Metric, "below": &r.Below, "above": &r.Above,
	})
}

func (r Rule) validate(path string) error {
	faults := []error{
		at(join(path, "name"), checkName(r.Name, 1, MaxMetricNameBytes)),
		at(join(path, "metric"), checkName(r.Metric, 1, MaxMetricNameBytes)),
	}
	if strings.ContainsAny(r.Name, "\n\r") {
		faults = append(faults, at(join(path, "name"), errors.New("must be one line")))
	}
	below, hasBelow := r.Below.Get()
	above, hasAbove := r.Above.Get()
	if hasBelow == hasAbove {
		faults = append(faults, at(path, errors.New("must have exactly one of below and above")))
	}
	if hasBelow {
		faults = append(faults, at(join(path, "below"), checkReading(below)))
	}
	if hasAbove {
		faults = append(faults, at(join(path, "above"), checkReading(above)))
	}
	return errors.Join(faults...)
}
