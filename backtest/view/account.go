package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/near"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// outlineLines say what was understood of the files.
func outlineLines(outlines []*recording.Outline) string {
	var text strings.Builder
	for _, o := range outlines {
		fmt.Fprintf(&text, "%s: %s, %s", plain.Text(o.File), o.Form, plain.Count(o.Events, "event"))
		if o.Rejected > 0 {
			fmt.Fprintf(&text, " and %s rejected", plain.Count(o.Rejected, "row"))
		}
		if o.Events > 0 {
			fmt.Fprintf(&text, ", %s to %s", plain.Time(o.First), plain.Time(o.Last))
		}
		if o.Zone != "" {
			fmt.Fprintf(&text, "; times without a zone are of %s", o.Zone)
		}
		fmt.Fprintf(&text, "\n  versions: %s; read: %s; passed over: %s\n", names(o.Versions), names(o.Taken), names(o.PassedOver))
	}

	return text.String()
}

// names are the first of a list.
func names(all []string) string {
	const shown = 10
	if len(all) == 0 || len(all) == 1 && all[0] == "" {
		return "none"
	}

	words := make([]string, 0, shown)
	for _, name := range all[:min(len(all), shown)] {
		if name == "" {
			name = "none"
		}
		words = append(words, plain.Text(name))
	}
	return strings.Join(words, ", ") + plain.AndMore(len(all)-shown)
}

// accountLines say what each rule has judged, and warn of those that have judged
// nothing.
func accountLines(r *backtest.Result, outlines []*recording.Outline, several bool) string {
	if r.Events == 0 {
		return ""
	}

	rows := [][]string{{"rule", "judged", "breaching", "missing", "too few", "unknown", "late", "from", "to"}}
	warnings := ""
	for i := range r.Rules {
		a := &r.Rules[i]
		row := []string{plain.Text(a.Name)}
		for _, n := range []int64{a.Judged, a.Breaching, a.Missing, a.TooFew, a.Unknown, a.Late} {
			row = append(row, strconv.FormatInt(n, 10))
		}
		for _, end := range []metric.Reading{a.Min, a.Max} {
			if value, any := end.Get(); any {
				row = append(row, plain.Number(value))
			} else {
				row = append(row, "-")
			}
		}

		rows = append(rows, row)
		warnings += accountWarning(a, r.Judging(i), outlines)
	}

	return heading("rules", r, several) + plain.RightTable(withoutZeros(rows)) + warnings + "\n"
}

// withoutZeros drops the columns between breaching and the range that say nothing.
func withoutZeros(rows [][]string) [][]string {
	const first, last = 3, 6
	for column := last; column >= first; column-- {
		says := slices.ContainsFunc(rows[1:], func(row []string) bool { return row[column] != "0" })
		for i := range rows {
			if !says {
				rows[i] = slices.Delete(rows[i], column, column+1)
			}
		}
	}
	return rows
}

// accountWarning says why a rule has judged nothing, or that it lacks something.
func accountWarning(a *backtest.Account, rule *policy.Rule, outlines []*recording.Outline) string {
	why := a.Lacks
	if a.Judged == 0 {
		why = unjudged(a, rule, outlines)
	}
	if why == "" {
		return ""
	}
	return fmt.Sprintf("warning: rule %q %s\n", plain.Text(a.Name), why)
}

func unjudged(a *backtest.Account, rule *policy.Rule, outlines []*recording.Outline) string {
	var reasons []string
	for _, reason := range []struct {
		n    int64
		text string
	}{
		{a.TooFew, "of %s with too few readings"},
		{a.Missing, "of %s without a reading"},
		{a.Unknown, "of %s that could not be judged"},
	} {
		if reason.n > 0 {
			reasons = append(reasons, fmt.Sprintf(reason.text, plain.Count(reason.n, "datapoint")))
		}
	}
	if a.Late > 0 {
		reasons = append(reasons, fmt.Sprintf("of %s that came when their period was judged; a longer grace, or time: arrival, counts them", plain.Count(a.Late, "reading")))
	}

	text := "has judged nothing"
	if len(reasons) > 0 {
		text += ", because " + strings.Join(reasons, ", and ")
	}
	if a.Lacks != "" {
		text += "; " + a.Lacks
	}
	if rule == nil || rule.Metric == "" || len(reasons) > 0 {
		return text
	}
	return text + unmeasured(rule.Metric, outlines)
}

// unmeasured says why no event measures a metric: its column is empty, or is called
// something else.
func unmeasured(name string, outlines []*recording.Outline) string {
	var taken, passedOver []string
	for _, o := range outlines {
		taken = append(taken, o.Taken...)
		passedOver = append(passedOver, o.PassedOver...)
	}
	if slices.Contains(taken, name) {
		return fmt.Sprintf(": no event measures %q, whose column holds no value", plain.Text(name))
	}

	all := slices.Concat(taken, passedOver)
	text := ": " + near.Unmeasured(name, all)
	if len(all) > 0 {
		text += fmt.Sprintf("; --map %s=COLUMN names the column that holds it", plain.Text(name))
	}
	return text
}
