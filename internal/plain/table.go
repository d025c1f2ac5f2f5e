package plain

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Table lines columns up, to the left; no line ends in spaces.
func Table(rows [][]string) string {
	var b strings.Builder
	columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(columns, strings.Join(row, "\t"))
	}
	_ = columns.Flush() // a strings.Builder takes all

	lines := strings.SplitAfter(b.String(), "\n")
	for i := range lines {
		if trimmed, cut := strings.CutSuffix(lines[i], "\n"); cut {
			lines[i] = strings.TrimRight(trimmed, " ") + "\n"
		}
	}
	return strings.Join(lines, "")
}

// RightTable lines columns up, all but the first to the right, as numbers are read.
func RightTable(rows [][]string) string {
	width := 0
	for _, row := range rows {
		width = max(width, len([]rune(row[0])))
	}

	var b strings.Builder
	columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		first := row[0] + strings.Repeat(" ", width-len([]rune(row[0])))
		_, _ = fmt.Fprintln(columns, first+"\t"+strings.Join(row[1:], "\t")+"\t")
	}
	_ = columns.Flush() // a strings.Builder takes all
	return strings.ReplaceAll(b.String(), "\n  ", "\n")[2:]
}
