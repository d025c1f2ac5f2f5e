package top

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// style is an SGR sequence of the sixteen colours that a terminal's theme chooses,
// so that they are readable on light and on dark.
type style string

const (
	normal  style = ""
	bold    style = "1"
	dim     style = "2"
	invert  style = "7"
	red     style = "31"
	green   style = "32"
	yellow  style = "33"
	blue    style = "34"
	magenta style = "1;35"
	cyan    style = "36"
)

func (s style) paint(text string) string {
	if s == normal || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// phaseStyles colour what wants somebody, and leave the rest alone.
var phaseStyles = map[string]style{
	"awaiting approval": magenta, "held": yellow, "queued": blue, "retraining": blue, "paused": yellow,
	"cooling down": cyan, "watching": green,
}

// chrome is how many lines are not rows: the head, the freezes or a failure, the
// titles, and the foot.
const chrome = 4

// page is how many rows there is room for.
func (m *Model) page() int { return max(1, m.height-chrome) }

// View implements tea.Model.
func (m *Model) View() tea.View {
	lines := []string{m.head(), m.notice()}
	switch {
	case m.help:
		lines = append(lines, helpLines()...)
	case m.details:
		lines = append(lines, m.detailLines()...)
	default:
		lines = append(lines, m.table()...)
	}

	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:max(0, m.height-1)], m.foot())
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, m.width, m.ellipsis())
	}
	view := tea.NewView(strings.Join(lines, "\n"))
	view.AltScreen = true
	view.WindowTitle = "modelvigil"
	return view
}

func (m *Model) ellipsis() string {
	if m.ASCII {
		return "~"
	}
	return "…"
}

// head is where this is, and how many models do what.
func (m *Model) head() string {
	if m.listed.IsZero() {
		return bold.paint("modelvigil") + "  " + plain.Text(m.Where) + "  listing the monitors"
	}
	return m.tally + dim.paint("  "+plain.Text(m.Where)+", "+span(m.Now().Sub(m.listed))+" ago")
}

// tally is how many models do what.
func tally(rows []Row) string {
	parts := []string{bold.paint(plain.Thousands(len(rows)) + " " + plural("model", len(rows)))}
	phases, number := counts(rows)
	for _, phase := range phases {
		parts = append(parts, phaseStyles[phase].paint(plain.Thousands(number[phase])+" "+phase))
	}
	return strings.Join(parts, "  ")
}

// notice is what must not be overlooked.
func (m *Model) notice() string {
	switch {
	case m.failure != "":
		return red.paint(plain.Text(m.failure))
	case len(m.freezes) > 0:
		texts := make([]string, len(m.freezes))
		for i := range m.freezes {
			texts[i] = m.freezes[i].String()
		}
		return yellow.paint(plain.Text(strings.Join(texts, "; ")))
	}

	return ""
}

// foot is the prompt, what was done last, or what can be done.
func (m *Model) foot() string {
	cursor := "_"
	switch p := m.prompt; {
	case p != nil:
		force := ""
		if p.force {
			force = " by force"
		}
		return bold.paint(fmt.Sprintf("%s %s%s, by %s, because: ", p.update, plain.Text(p.model), force, plain.Text(cmp.Or(m.By, "nobody")))) +
			plain.Text(p.reason) + cursor + dim.paint("  enter sends it, esc leaves it")
	case m.filtering:
		return bold.paint("filter: ") + plain.Text(m.Filter) + cursor + dim.paint("  enter keeps it, esc drops it")
	case m.message != "":
		return plain.Text(m.message)
	}

	hints := fmt.Sprintf("by %s  / filter  s sort  enter details  a approve  x reject  p pause  u resume  t retrain  c cancel  ? help  q leave", m.Order)
	if m.Filter != "" {
		hints = fmt.Sprintf("%s of %s with %q  ", plain.Thousands(len(m.shown)), plain.Thousands(len(m.rows)), m.Filter) + hints
	}
	return dim.paint(hints)
}

// column is one of the table's.
type column struct {
	title string
	most  int // characters
	keep  int // the higher, the longer it is kept when the terminal is narrow
	cell  func(*Model, *Row, *reading) (string, style)
}

var columns = []column{
	{"MODEL", 36, 9, func(_ *Model, r *Row, _ *reading) (string, style) { return r.ModelName, normal }},
	{"PHASE", 17, 8, func(_ *Model, r *Row, _ *reading) (string, style) { return r.phase(), phaseStyles[r.phase()] }},
	{"TEAM", 14, 2, func(_ *Model, r *Row, _ *reading) (string, style) { return r.Team, normal }},
	{"VERSION", 16, 3, func(_ *Model, r *Row, _ *reading) (string, style) { return r.ModelVersion, normal }},
	{"RULE", 16, 4, func(_ *Model, _ *Row, h *reading) (string, style) { return h.rule.Name, normal }},
	{"VALUE", 9, 7, func(_ *Model, _ *Row, h *reading) (string, style) {
		if h.rule.Verdict == monitor.Breaching {
			return number(h.rule.Value), red
		}
		return number(h.rule.Value), normal
	}},
	{"LIMIT", 9, 1, func(_ *Model, _ *Row, h *reading) (string, style) { return number(h.rule.Threshold), dim }},
	{"TREND", trendLength, 4, func(m *Model, _ *Row, h *reading) (string, style) {
		if m.ASCII {
			return sparkline(h.trend, ascii), normal
		}
		return sparkline(h.trend, blocks), normal
	}},
	{"LAST DECISION", 24, 7, func(m *Model, r *Row, _ *reading) (string, style) {
		if r.Last == nil {
			return "", normal
		}
		text := strings.ReplaceAll(string(r.Last.Kind), "_", " ") + " " + span(m.Now().Sub(r.Last.At))
		switch r.Last.Kind {
		case policy.Failed, policy.TimedOut, policy.Regressed, policy.CircuitOpened, policy.CancelFailed:
			return text, red
		}
		return text, normal
	}},
	{"COOLDOWN", 8, 5, func(m *Model, r *Row, _ *reading) (string, style) {
		if left := r.cooldownLeft(m.Now()); left > 0 {
			return span(left), cyan
		}
		return "", normal
	}},
	{"LAST FAILURE", 40, 1, func(_ *Model, r *Row, _ *reading) (string, style) {
		if r.Failure == nil {
			return "", normal
		}
		return r.Failure.Reason, red
	}},
	{"BACKEND", 14, 1, func(_ *Model, r *Row, _ *reading) (string, style) { return r.Backend, dim }},
}

// table is the titles and the rows on the screen.
func (m *Model) table() []string {
	if len(m.shown) == 0 && !m.listed.IsZero() {
		return []string{"", "  no monitor" + map[bool]string{true: " fits the filter; esc drops it", false: " runs; `modelvigil apply` starts one, and so does a model's first event"}[m.Filter != ""]}
	}

	rows := m.visible()
	texts, styles := make([][]string, len(rows)), make([][]style, len(rows))
	widths := make([]int, len(columns))
	for c, column := range columns {
		widths[c] = len(column.title)
		for i := range rows {
			h := m.readings[rows[i].ModelName]
			if h == nil {
				h = &reading{}
			}
			text, s := column.cell(m, &rows[i], h)
			text = ansi.Truncate(plain.Text(text), column.most, m.ellipsis())
			texts[i], styles[i] = append(texts[i], text), append(styles[i], s)
			widths[c] = max(widths[c], ansi.StringWidth(text))
		}
	}

	if len(m.readings) == 0 { // nobody was asked yet, or will be
		for c := range columns {
			if !slices.ContainsFunc(texts, func(row []string) bool { return row[c] != "" }) {
				widths[c] = 0
			}
		}
	}

	kept := fitting(widths, m.width)
	title := ""
	for _, c := range kept {
		title += pad(columns[c].title, widths[c]) + "  "
	}
	lines := []string{dim.paint(strings.TrimRight(title, " "))}
	for i := range rows {
		line := ""
		isSelected := rows[i].ModelName == m.selected
		for _, c := range kept {
			cell := pad(texts[i][c], widths[c])
			if !isSelected {
				cell = styles[i][c].paint(cell)
			}
			line += cell + "  "
		}

		if isSelected {
			line = invert.paint(pad(strings.TrimRight(line, " "), m.width))
		}
		lines = append(lines, line)
	}

	return lines
}

// fitting are the columns for which there is room, those that matter least left
// out; a width of 0 is no column.
func fitting(widths []int, room int) (kept []int) {
	total := 0
	for c, width := range widths {
		if width > 0 {
			kept = append(kept, c)
			total = total + width + 2
		}
	}

	for total > room+2 && len(kept) > 2 {
		least := slices.MinFunc(kept, func(a, b int) int { return cmp.Compare(columns[a].keep, columns[b].keep) })
		kept = slices.DeleteFunc(kept, func(c int) bool { return c == least })
		total -= widths[least] + 2
	}

	return kept
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

func helpLines() []string {
	lines := []string{""}
	for _, k := range keys {
		lines = append(lines, "  "+bold.paint(pad(k.name, 8))+"  "+k.does)
	}
	return append(lines, "", dim.paint("  any key goes back"))
}

// number is a reading as a list has room for it.
func number(r metric.Reading) string {
	value, taken := r.Get()
	if !taken {
		return ""
	}
	return strconv.FormatFloat(value, 'g', 5, 64)
}

// span is a time as a list has room for it: its two greatest units.
func span(d time.Duration) string {
	d = max(0, d).Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

func plural(thing string, n int) string {
	if n == 1 {
		return thing
	}
	return thing + "s"
}
