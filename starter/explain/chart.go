package explain

import (
	"fmt"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// levels are the heights of a chart's bars.
var levels = []rune("▁▂▃▄▅▆▇█")

const (
	barMissing = '·' // nothing was measured, or too little
	barUnknown = '?' // it could not be judged
	markBreach = '^'
)

// chart draws datapoints, oldest first, as one line of bars, and says of which
// height the threshold is. A second line marks those that breach.
func chart(points []monitor.DatapointStatus, threshold metric.Reading) []string {
	low, high, drawn := 0.0, 0.0, false
	see := func(r metric.Reading) {
		value, ok := r.Get()
		switch {
		case !ok:
		case !drawn:
			low = value
			high = value
			drawn = true
		default:
			low = min(low, value)
			high = max(high, value)
		}
	}

	for _, p := range points {
		see(p.Value)
	}
	if !drawn {
		return nil
	}

	see(threshold)
	bar := func(value float64) rune {
		if high <= low {
			return levels[len(levels)/2]
		}
		// Halves keep the difference of two bounded values from overflowing.
		share := (value/2 - low/2) / (high/2 - low/2)
		return levels[min(len(levels)-1, int(share*float64(len(levels))))]
	}

	var bars, marks strings.Builder
	for _, p := range points {
		value, measured := p.Value.Get()
		switch {
		case p.Unknown:
			bars.WriteRune(barUnknown)
		case !measured:
			bars.WriteRune(barMissing)
		default:
			bars.WriteRune(bar(value))
		}

		if p.Breach {
			marks.WriteRune(markBreach)
		} else {
			marks.WriteByte(' ')
		}
	}

	legend := "  " + plain.Number(low) + " to " + plain.Number(high)
	if value, ok := threshold.Get(); ok {
		legend += fmt.Sprintf(", the threshold %s is %c", plain.Number(value), bar(value))
	}
	lines := []string{bars.String() + legend}
	if below := strings.TrimRight(marks.String(), " "); below != "" {
		lines = append(lines, below)
	}
	return lines
}
