package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor/contrast"
)

// summaryColumns is how wide the summary's table is.
const summaryColumns = 76

// summary is what was measured: a table, or, where there are too few columns for one,
// a line for each figure.
func (s *story) summary(columns int) (lines []string) {
	lines = append(lines, "", fmt.Sprintf("Accuracy in windows of %s predictions, labelled %s late:",
		plain.Thousands(windowSamples), labelsLate*windowEvery), "")
	episodes := s.episodes()
	if columns >= summaryColumns {
		lines = append(lines, summaryTable(episodes)...)
	} else {
		lines = append(lines, summaryList(episodes)...)
	}

	lines = append(lines, "")
	for i, e := range episodes {
		for _, m := range e.moved {
			lines = append(lines, fmt.Sprintf("Drift %d moved %s.", i+1, movedText(&m)))
		}
	}

	with, without := 0.0, 0.0
	for _, window := range s.windows {
		with += window.Accuracy / float64(len(s.windows))
		without += window.Static / float64(len(s.windows))
	}
	return append(lines, fmt.Sprintf("Accuracy of all: %.3f; with the first model alone: %.3f.", with, without))
}

func summaryTable(episodes []episode) (lines []string) {
	const row = "%5s  %6s  %5s  %5s  %8s   %-14s %-10s  %6s  %s"
	line := func(cells ...any) { lines = append(lines, strings.TrimRight(fmt.Sprintf(row, cells...), " ")) }
	line("", "", "", "", "without", "noticed by", "by its", "healed", "")
	line("drift", "before", "worst", "after", "retrain.", "its inputs", "accuracy", "after", "by")
	for i, e := range episodes {
		line(fmt.Sprint(i+1), share(e.before), share(e.during), share(e.after), share(e.static),
			noticed(e.byInputs, e.moved), noticed(e.byAccuracy, nil), seconds(e.recovered), e.version)
	}
	return lines
}

func summaryList(episodes []episode) (lines []string) {
	for i, e := range episodes {
		lines = append(lines,
			fmt.Sprintf("drift %d: %s before, %s worst, %s after", i+1, share(e.before), share(e.during), share(e.after)),
			"  noticed by inputs "+noticed(e.byInputs, e.moved)+"; by accuracy "+noticed(e.byAccuracy, nil),
			fmt.Sprintf("  healed after %s by %s; without, %s", seconds(e.recovered), e.version, share(e.static)))
	}
	return lines
}

func share(x float64) string { return fmt.Sprintf("%.3f", x) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// noticed says how long it took, and by what.
func noticed(after time.Duration, moved []contrast.Moved) string {
	if after == 0 {
		return "not at all"
	}
	text := seconds(after)
	for _, m := range moved {
		text += ", " + m.Name
	}
	return text
}

// movedText says where an input moved most.
func movedText(m *contrast.Moved) string {
	if len(m.Bins) == 0 {
		return m.Name
	}
	return m.Name + ": " + m.Bins[0]
}
