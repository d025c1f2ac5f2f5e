package policy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/modelvigil/modelvigil/metric"
)

// String is the rule in words, without its name: `latency_ms p99 over 5m above
// 250, 3 of 5 datapoints`.
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(r.subject())
	for _, side := range []struct {
		word      string
		threshold metric.Reading
	}{{"below", r.Below}, {"above", r.Above}, {"clears at", r.ClearBelow}, {"clears at", r.ClearAbove}} {
		if threshold, ok := side.threshold.Get(); ok {
			if side.word == "clears at" {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, " %s %s", side.word, strconv.FormatFloat(threshold, 'g', 6, 64))
		}
	}

	if margin, ok := r.BelowBaselineBy.Get(); ok {
		fmt.Fprintf(&b, " %s below %s", margin, r.baselineText())
	}
	if margin, ok := r.AboveBaselineBy.Get(); ok {
		fmt.Fprintf(&b, " %s above %s", margin, r.baselineText())
	}
	if c := r.Change; c != nil {
		direction := "changes"
		switch c.Direction {
		case DirectionUp:
			direction = "rises"
		case DirectionDown:
			direction = "falls"
		}
		fmt.Fprintf(&b, " %s, by %s, held for %s", direction, c.Method(), c.Hold.Or(Duration(DefaultHold)))
	}
	if m, n := r.MOfN(); n > 1 {
		fmt.Fprintf(&b, ", %d of %d datapoints", m, n)
	}
	switch {
	case r.Condition:
		b.WriteString(" (condition)")
	case r.Severity == Warning:
		b.WriteString(" (warning)")
	}

	return b.String()
}

// subject is what the rule looks at.
func (r *Rule) subject() string {
	switch {
	case len(r.AllOf) > 0:
		return "all of " + strings.Join(r.AllOf, ", ")
	case len(r.AnyOf) > 0:
		return "any of " + strings.Join(r.AnyOf, ", ")
	case len(r.Of) > 0:
		return fmt.Sprintf("at least %d of %s", r.AtLeast, strings.Join(r.Of, ", "))
	case r.Not != "":
		return "not " + r.Not
	case !r.MaxAge.IsZero():
		return fmt.Sprintf("not retrained for %s", r.MaxAge.Value())
	case !r.SilentFor.IsZero():
		return fmt.Sprintf("no event for %s", r.SilentFor.Value())
	case r.NewReadings != 0:
		return fmt.Sprintf("%d new readings of %s since the last success", r.NewReadings, r.Metric)
	case r.Schedule != "":
		return "at " + r.Schedule + r.alignment()
	case r.IsDrift():
		return r.driftText()
	case r.IsWindowed():
		return fmt.Sprintf("%s %s %s", r.Metric, r.Stat, r.span())
	}

	return r.Metric
}

// span is what a datapoint is made of: `over 168h from 96h, by arrival,`.
func (r *Rule) span() string {
	by := ""
	if r.Time == TimeOfArrival {
		by = ", by arrival,"
	}
	return fmt.Sprintf("over %s%s%s", r.Period.Value(), r.alignment(), by)
}

// alignment is where periods begin, if not at the epoch: ` from 6h in Europe/Berlin`.
func (r *Rule) alignment() (words string) {
	if offset, ok := r.Offset.Get(); ok && offset != 0 {
		words = fmt.Sprintf(" from %s", offset)
	}
	if r.Zone != "" {
		words += " in " + r.Zone
	}
	return words
}

// Figures are values of the rule's metric as a reason has them: 0.8000, and 12.50ms
// where it is a latency. A value that would come out as next to nothing has four
// significant digits instead, 1.25e-09, and values that differ have as many digits more
// as it takes to see that they do.
func (r *Rule) Figures(values ...float64) []string {
	unit := ""
	decimals := 4
	if r.Metric == metric.LatencyMS && r.Stat != StatCount && !r.IsDrift() {
		unit = "ms"
		decimals = 2
	}

	texts := make([]string, len(values))
	different := distinct(values)
	for more := 0; ; more++ {
		for i, value := range values {
			texts[i] = figure(value, decimals, more) + unit
		}
		if more == 16 || distinct(texts) >= different { // 16 digits more tell any two numbers apart
			return texts
		}
	}
}

// figure is a number to so many decimals, and more. One of which fewer than two
// significant digits would be left, and that isn't exact with them, has four, and more.
func figure(value float64, decimals, more int) string {
	if value == 0 {
		value = 0 // not the one below nought
	}

	text := strconv.FormatFloat(value, 'f', decimals+more, 64)
	if math.Abs(value) >= math.Pow10(1-decimals) {
		return text
	}
	if exact, err := strconv.ParseFloat(text, 64); err == nil && exact == value {
		return text
	}

	return strconv.FormatFloat(value, 'g', 4+more, 64)
}

// distinct is how many of them differ.
func distinct[T float64 | string](all []T) int {
	sorted := slices.Sorted(slices.Values(all))
	return len(slices.Compact(sorted))
}
