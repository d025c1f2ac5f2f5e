package metric

import (
	"fmt"
	"strconv"
)

// Doubts are what is legal in an event and yet seldom meant: a measurement of nothing, a
// share beyond 1, a time below zero. Whoever publishes by hand is asked about them.
func (e *Event) Doubts() (doubts []string) {
	if e.Accuracy.IsZero() && e.LatencyMS.IsZero() && e.DriftScore.IsZero() && len(e.Metrics) == 0 && len(e.Categories) == 0 {
		doubts = append(doubts, "the event measures nothing, so no rule about a metric looks at it; was a reading forgotten?")
	}
	if share := e.Accuracy.Or(0); share > 1 && share <= 100 {
		doubts = append(doubts, fmt.Sprintf("accuracy %s: is usually a share of 0 to 1, as thresholds are; was %s meant?", figure(share), figure(share/100)))
	} else if share < 0 || share > 100 {
		doubts = append(doubts, fmt.Sprintf("accuracy %s: is usually a share of 0 to 1; is it another metric?", figure(share)))
	}
	if latency := e.LatencyMS.Or(0); latency < 0 {
		doubts = append(doubts, fmt.Sprintf("latency_ms %s: is below zero; are the clocks apart by which it was measured?", figure(latency)))
	}

	return doubts
}

// figure is a number of six digits, so that 93/100 is 0.93.
func figure(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
