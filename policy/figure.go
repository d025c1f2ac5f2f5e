package policy

import (
	"math"
	"slices"
	"strconv"

	"github.com/modelvigil/modelvigil/metric"
)

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

	// 16 digits more tell any two numbers apart.
	for more := 0; ; more++ {
		var texts []string
		for _, value := range values {
			texts = append(texts, figure(value, decimals, more)+unit)
		}
		if more == 16 || distinct(texts) >= distinct(values) {
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
