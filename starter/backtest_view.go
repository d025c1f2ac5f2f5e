package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

const openLoop = `Open loop: the recorded metrics do not change by the retrainings imagined here. A model
that stays bad in the recording goes on breaching.
`

// backtestJSON is what backtest -o json says.
type backtestJSON struct {
	Results      []backtest.Result      `json:"results"`
	Files        []*recording.Outline   `json:"files"`
	RejectedRows int64                  `json:"rejected_rows"` // of all files, whosesoever
	SweptField   string                 `json:"swept,omitempty"`
	Sweep        []backtest.SweepResult `json:"sweep,omitempty"` // without decisions
}

func backtestAnswer(read *readEvents, swept *backtest.Swept) backtestJSON {
	answer := backtestJSON{Results: read.results, Files: read.outlines, RejectedRows: read.rejected}
	if swept != nil {
		answer.SweptField = swept.Parameter()
		answer.Sweep = swept.Results
	}
	return answer
}

// backtestText is what backtest says to people: for each model, its policies side
// by side.
func backtestText(read *readEvents, swept *backtest.Swept) string {
	var text strings.Builder
	results := read.results
	text.WriteString(outlineLines(read.outlines) + "\n")
	for _, model := range modelsOf(results) {
		of := slices.DeleteFunc(slices.Clone(results), func(r backtest.Result) bool { return r.ModelName != model })
		text.WriteString(modelHead(model, of) + "\n")
		text.WriteString(rightTable(summaryRows(of)) + "\n")
		for i := range of {
			named := len(of) > 1
			text.WriteString(accountLines(&of[i], read.outlines, named) + pointLines(&of[i], named) + backtestDecisions(&of[i], named))
		}
		if swept != nil {
			text.WriteString(sweepLines(model, swept) + "\n")
		}
	}

	if read.rejected > 0 {
		fmt.Fprintf(&text, "%s rejected; see standard error.\n", isOrAre(int(read.rejected), "row"))
	}
	return text.String() + openLoop
}

func modelsOf(results []backtest.Result) (names []string) {
	for _, r := range results {
		if !slices.Contains(names, r.ModelName) {
			names = append(names, r.ModelName)
		}
	}
	return names
}

func modelHead(model string, results []backtest.Result) string {
	r := results[0]
	if r.Events == 0 {
		return plain.Text(model) + ": no events"
	}
	return fmt.Sprintf("%s: %s, %s to %s", plain.Text(model), plain.Count(r.Events, "event"), plain.Time(r.First), plain.Time(r.Last))
}

// title is what a result's policy is called.
func title(s *backtest.Summary) string {
	name := plain.Text(s.Policy)
	if s.Document > 0 {
		name += fmt.Sprintf(" #%d", s.Document)
	}
	return name
}

// summaryRows has a column for each result, and only the rows that say something.
func summaryRows(results []backtest.Result) [][]string {
	var rows [][]string
	add := func(always bool, name string, value func(*backtest.Summary) (string, bool)) {
		row, says := []string{name}, always
		for i := range results {
			text, something := value(&results[i].Summary)
			row = append(row, text)
			says = says || something
		}

		if says {
			rows = append(rows, row)
		}
	}

	counted := func(always bool, name string, n func(*backtest.Summary) int64) {
		add(always, name, func(s *backtest.Summary) (string, bool) { return strconv.FormatInt(n(s), 10), n(s) != 0 })
	}
	add(true, "", func(s *backtest.Summary) (string, bool) { return title(s), true })
	counted(true, "events", func(s *backtest.Summary) int64 { return s.Events })
	counted(true, "rejected", func(s *backtest.Summary) int64 { return s.Rejected })
	counted(true, "breaches", func(s *backtest.Summary) int64 { return s.Breaches })
	counted(false, "warnings", func(s *backtest.Summary) int64 { return s.Warnings })
	counted(true, "retrainings", func(s *backtest.Summary) int64 { return s.Retrainings.Requested })
	counted(false, "  succeeded", func(s *backtest.Summary) int64 { return s.Retrainings.Succeeded })
	counted(false, "  accepted", func(s *backtest.Summary) int64 { return s.Retrainings.Accepted })
	counted(false, "  failed", func(s *backtest.Summary) int64 { return s.Retrainings.Failed })
	counted(false, "  cancelled", func(s *backtest.Summary) int64 { return s.Retrainings.Cancelled })
	for _, by := range suppressions(results) {
		counted(false, "suppressed: "+plain.Words(by), func(s *backtest.Summary) int64 { return s.Suppressed[by] })
	}
	add(true, "time in breach", func(s *backtest.Summary) (string, bool) { return short(time.Duration(s.TimeInBreach)), true })
	if results[0].Detection != nil {
		add(true, "mean delay", func(s *backtest.Summary) (string, bool) { return delay(s.Detection), true })
		counted(true, "drift detected", func(s *backtest.Summary) int64 { return int64(s.Detection.Detected) })
		counted(true, "drift missed", func(s *backtest.Summary) int64 { return int64(s.Detection.Missed) })
		counted(true, "false alarms", func(s *backtest.Summary) int64 { return int64(s.Detection.FalseAlarms) })
		counted(true, "repeated alarms", func(s *backtest.Summary) int64 { return int64(s.Detection.Repeated) })
	}

	return rows
}

// suppressions are the reasons that any result has, by name.
func suppressions(results []backtest.Result) (all []monitor.Suppression) {
	for _, r := range results {
		for by := range r.Suppressed {
			if !slices.Contains(all, by) {
				all = append(all, by)
			}
		}
	}
	slices.Sort(all)
	return all
}

// pointLines say when each drift was detected.
func pointLines(r *backtest.Result, named bool) string {
	if r.Detection == nil {
		return ""
	}
	rows := [][]string{{"drift at", "detected", "delay", "by rule"}}
	for _, point := range r.Detection.Points {
		row := []string{plain.Time(point.At), "missed"}
		if !point.DetectedAt.IsZero() {
			row = []string{plain.Time(point.At), plain.Time(point.DetectedAt), short(time.Duration(point.Delay)), plain.Text(point.Rule)}
		}
		rows = append(rows, row)
	}
	return heading("drift", r, named) + table(rows) + "\n"
}

// backtestDecisions shows the first decision and the last ones.
func backtestDecisions(r *backtest.Result, named bool) string {
	if len(r.Decisions) == 0 {
		return ""
	}

	row := func(d *monitor.Decision) []string {
		what := plain.Words(d.Kind)
		if d.SuppressedBy != "" {
			what += " by " + plain.Words(d.SuppressedBy)
		}
		if d.Count > 1 {
			what += fmt.Sprintf(", %d times", d.Count)
		}
		return []string{"  " + plain.Time(d.At), what, plain.Text(d.Rule), plain.Text(d.Reason)}
	}

	var rows [][]string
	from := max(0, len(r.Decisions)-shownDecisions)
	if from > 0 {
		rows = append(rows, row(&r.Decisions[0]))
	}
	for i := range r.Decisions[from:] {
		rows = append(rows, row(&r.Decisions[from+i]))
	}
	shown := table(rows)
	if from > 1 {
		first, last, _ := strings.Cut(shown, "\n")
		shown = fmt.Sprintf("%s\n  … %d more, see -o json\n%s", first, from-1, last)
	}

	return heading("decisions", r, named) + shown + "\n"
}

func heading(what string, r *backtest.Result, named bool) string {
	if named {
		what += " of " + title(&r.Summary)
	}
	return what + ":\n"
}

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

		row := []string{r.Value, strconv.FormatInt(r.Retrainings.Requested, 10), strconv.FormatInt(r.Breaches, 10), short(time.Duration(r.TimeInBreach))}
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
	return rightTable(append([][]string{head}, rows...))
}

func delay(d *backtest.Detection) string {
	if d.Detected == 0 {
		return "-"
	}
	return short(time.Duration(d.MeanDelay))
}

// short is a duration of a length that people read: to the second, or to the
// minute where it has days.
func short(d time.Duration) string {
	if d >= 48*time.Hour {
		days := d / (24 * time.Hour)
		return strings.TrimSuffix(fmt.Sprintf("%dd%s", days, policy.Duration((d-days*24*time.Hour).Round(time.Minute))), "0s")
	}
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	return policy.Duration(d).String()
}

// rightTable lines columns up, all but the first to the right.
func rightTable(rows [][]string) string {
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

func modelNames(models []string) string {
	const shown = 5
	var names []string
	for _, name := range models[:min(len(models), shown)] {
		names = append(names, strconv.Quote(name))
	}
	return strings.Join(names, ", ") + andMore(len(models)-shown)
}

func andMore(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
