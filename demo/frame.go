package demo

import (
	"fmt"
	"strings"

	"github.com/guptarohit/asciigraph"

	"github.com/modelvigil/modelvigil/monitor"
)

const (
	mostChartRows  = 14
	leastChartRows = 5
	mostEntries    = 8  // decisions shown, where the rows suffice
	axisColumns    = 8  // of the chart, left of its lines
	leastColumns   = 40 // below which there is no chart
)

// frame is one picture: at most so many rows of at most so many columns.
func (v *view) frame(s *story, status *monitor.Status, columns, rows int) []string {
	w := s.windows[len(s.windows)-1]
	lines := []string{
		fit(fmt.Sprintf("%s, %s: %s  (window %d of %d)", ModelName, w.Version, phase(status), w.Number+1, windows), columns),
		fit(v.page(), columns),
	}
	below := []string{
		fit(fmt.Sprintf("accuracy %.3f (green), at least %.2f (red), labels %s late", w.Accuracy, minAccuracy, labelsLate*windowEvery), columns),
		fit(inputsText(status), columns),
		"",
	}

	room := rows - len(lines) - len(below) - 1
	if room >= leastChartRows+1 && columns >= leastColumns {
		height := min(mostChartRows, max(leastChartRows, room-mostEntries))
		lines = append(lines, "")
		lines = append(lines, chart(s.windows, columns-axisColumns, height)...)
	}
	lines = append(lines, below...)

	all := entries(s.decisions)
	room = max(0, min(rows-len(lines), mostEntries, len(all)))
	for _, e := range all[len(all)-room:] {
		lines = append(lines, fit(e.String(), columns))
	}
	return lines[:min(len(lines), rows)]
}

// chart draws the accuracy of the last windows, one a column.
func chart(all []Window, columns, rows int) []string {
	accuracy, threshold := make([]float64, 0, columns), make([]float64, 0, columns)
	for _, w := range all[max(0, len(all)-columns):] {
		accuracy = append(accuracy, w.Accuracy)
		threshold = append(threshold, minAccuracy)
	}
	picture := asciigraph.PlotMany([][]float64{threshold, accuracy}, asciigraph.Height(rows-1), asciigraph.Precision(2),
		asciigraph.LowerBound(0.65), asciigraph.UpperBound(0.95), asciigraph.SeriesColors(asciigraph.Red, asciigraph.Green))
	return strings.Split(picture, "\n")
}

// inputsText is how far the inputs of the version heard of last are from its first ones.
func inputsText(status *monitor.Status) string {
	version, rules := status.LatestRules()
	for _, rule := range rules {
		if rule.Name != inputsRule || len(rule.Drift) == 0 {
			continue
		}
		text := "inputs moved by"
		for _, name := range inputs {
			for _, m := range rule.Drift {
				if m.Name == name {
					text += fmt.Sprintf(" %s %.2f,", name, m.Value)
				}
			}
		}
		return text + fmt.Sprintf(" at most %.2f", maxDistance)
	}

	return "inputs: the first that " + version + " sees are learnt"
}
