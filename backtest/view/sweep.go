package view

import (
	"slices"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// sweepLines is the table of a sweep over one model.
func sweepLines(model string, swept *backtest.Swept) string {
	var policies []string
	for i := range swept.Results {
		if name := title(&swept.Results[i].Summary); !slices.Contains(policies, name) {
			policies = append(policies, name)
		}
	}

	head := []string{plain.Text(swept.Parameter()), "retrainings", "breaches", "time in breach"}
	var rows [][]string
	for i := range swept.Results {
		r := &swept.Results[i]
		if r.ModelName != model {
			continue
		}

		row := []string{r.Value, strconv.FormatInt(r.Retrainings.Requested, 10), strconv.FormatInt(r.Breaches, 10), plain.Length(time.Duration(r.TimeInBreach))}
		if d := r.Detection; d != nil {
			row = append(row, delay(d), strconv.Itoa(d.Missed), strconv.Itoa(d.FalseAlarms))
		}
		if len(policies) > 1 {
			row = append([]string{title(&r.Summary)}, row...)
		}
		rows = append(rows, row)
	}

	if len(rows) == 0 {
		return ""
	}

	if swept.Results[0].Detection != nil {
		head = append(head, "mean delay", "missed", "false alarms")
	}
	if len(policies) > 1 {
		head = append([]string{"sweep"}, head...)
	}
	return plain.RightTable(append([][]string{head}, rows...))
}
