package view

import (
	"maps"
	"slices"
	"strconv"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/rehearse"
	"github.com/modelvigil/modelvigil/internal/plain"
)

const closedLoop = `Closed loop: each policy had a run of the program to itself.
`

// Rehearsal shows the runs side by side.
func Rehearsal(results []rehearse.Result) string {
	runs := make([]backtest.Result, len(results))
	for i := range results {
		runs[i] = results[i].Result
	}

	rows := summaryRows(runs)
	for _, name := range measured(results) {
		row := []string{"mean " + plain.Text(name)}
		for i := range results {
			text := "-"
			if mean, is := results[i].Metrics[name]; is {
				text = strconv.FormatFloat(mean.Mean, 'f', 4, 64)
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}

	text := modelHead(runs[0].ModelName, runs) + "\n" + plain.RightTable(rows) + "\n"
	for i := range runs {
		text += decisionLines(&runs[i], len(runs) > 1)
	}
	return text + closedLoop
}

// measured are the names of all metrics that any run has measured.
func measured(results []rehearse.Result) []string {
	all := map[string]bool{}
	for i := range results {
		for name := range results[i].Metrics {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
