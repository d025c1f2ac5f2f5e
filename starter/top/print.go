package top

import (
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/modelvigil/modelvigil/monitor/fleet"
)

// printWidth is that of a list that is printed: no column is left out.
const printWidth = 400

// Print is the list as plain text, without what only a monitor itself can say.
func Print(rows []Row, freezes []fleet.Freeze, now time.Time) string {
	m := &Model{
		Options: Options{Now: func() time.Time { return now }}, rows: rows, shown: rows, listed: now,
		width: printWidth, height: len(rows) + chrome,
	}
	m.freezes = freezes
	lines := append([]string{tally(rows), m.notice()}, m.table()...)
	for i := range lines {
		lines[i] = strings.TrimRight(ansi.Strip(lines[i]), " ")
	}
	return strings.Join(lines, "\n") + "\n"
}
