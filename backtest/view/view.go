// Package view says what backtests and rehearsals have shown: to people as text, and to
// programs as JSON.
package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
)

const openLoop = `Open loop: the recorded metrics do not change by the retrainings imagined here. A model
that stays bad in the recording goes on breaching.
`

// shownDecisions is how many of the last decisions the text shows; the JSON has all.
const shownDecisions = 10

// Answer is what a backtest says of its policies.
type Answer struct {
	Results      []backtest.Result      `json:"results"`
	Files        []*recording.Outline   `json:"files"`
	RejectedRows int64                  `json:"rejected_rows"` // of all files, whosesoever
	SweptField   string                 `json:"swept,omitempty"`
	Sweep        []backtest.SweepResult `json:"sweep,omitempty"` // without decisions

	swept *backtest.Swept
}

// NewAnswer puts an answer together. files are what was understood of the events, rejected
// the rows of them that made no sense; swept is nil without a sweep.
func NewAnswer(results []backtest.Result, files []*recording.Outline, rejected int64, swept *backtest.Swept) *Answer {
	a := &Answer{Results: results, Files: files, RejectedRows: rejected, swept: swept}
	if swept != nil {
		a.SweptField = swept.Parameter()
		a.Sweep = swept.Results
	}
	return a
}

// Text is the answer for people: for each model, its policies side by side.
func (a *Answer) Text() string {
	var text strings.Builder
	text.WriteString(outlineLines(a.Files) + "\n")
	for _, model := range modelsOf(a.Results) {
		of := slices.DeleteFunc(slices.Clone(a.Results), func(r backtest.Result) bool { return r.ModelName != model })
		text.WriteString(modelHead(model, of) + "\n")
		text.WriteString(plain.RightTable(summaryRows(of)) + "\n")
		for i := range of {
			several := len(of) > 1
			text.WriteString(accountLines(&of[i], a.Files, several) + driftLines(&of[i], several) + decisionLines(&of[i], several))
		}
		if a.swept != nil {
			text.WriteString(sweepLines(model, a.swept) + "\n")
		}
	}

	if a.RejectedRows > 0 {
		fmt.Fprintf(&text, "%s rejected; see standard error.\n", plain.CountIs(a.RejectedRows, "row"))
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
	add(true, "time in breach", func(s *backtest.Summary) (string, bool) { return plain.Length(time.Duration(s.TimeInBreach)), true })
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

// driftLines say when each drift was detected.
func driftLines(r *backtest.Result, several bool) string {
	if r.Detection == nil {
		return ""
	}

	rows := [][]string{{"drift at", "detected", "delay", "by rule"}}
	for _, point := range r.Detection.Points {
		row := []string{plain.Time(point.At), "missed"}
		if !point.DetectedAt.IsZero() {
			row = []string{plain.Time(point.At), plain.Time(point.DetectedAt), plain.Length(time.Duration(point.Delay)), plain.Text(point.Rule)}
		}
		rows = append(rows, row)
	}
	return heading("drift", r, several) + plain.Table(rows) + "\n"
}

// decisionLines show the first decision and the last ones.
func decisionLines(r *backtest.Result, several bool) string {
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
	shown := plain.Table(rows)
	if from > 1 {
		first, last, _ := strings.Cut(shown, "\n")
		shown = fmt.Sprintf("%s\n  … %d more, see -o json\n%s", first, from-1, last)
	}

	return heading("decisions", r, several) + shown + "\n"
}

func heading(what string, r *backtest.Result, several bool) string {
	if several {
		what += " of " + title(&r.Summary)
	}
	return what + ":\n"
}

func delay(d *backtest.Detection) string {
	if d.Detected == 0 {
		return "-"
	}
	return plain.Length(time.Duration(d.MeanDelay))
}
