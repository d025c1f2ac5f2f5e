package whatif

import (
	"fmt"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Text shows both lists of decisions side by side.
func (a *Answer) Text() string {
	text := fmt.Sprintf("%s: %s from %s until %s\n", plain.Text(a.ModelName), plain.Count(a.Runs, "run"), plain.Time(a.From), plain.Time(a.Until))
	text += plain.Table([][]string{
		{"", "RECORDED", "WHAT IF"},
		{"decisions", fmt.Sprint(len(a.Recorded)), fmt.Sprint(len(a.WhatIf))},
		{"retrainings", fmt.Sprint(triggers(a.Recorded)), fmt.Sprint(triggers(a.WhatIf))},
	})
	if len(a.Recorded)+len(a.WhatIf) > 0 {
		text += "\n" + plain.Table(a.rows())
	}
	if len(a.Notes)+len(a.Unjudged) > 0 {
		text += "\n"
	}
	for _, note := range a.Notes {
		text += "note: " + plain.Text(note) + "\n"
	}
	for _, rule := range a.Unjudged {
		text += "warning: " + plain.Text(rule) + "\n"
	}

	return text
}

func triggers(decisions []monitor.Decision) (n int) {
	for _, d := range decisions {
		if d.Kind == policy.Triggered {
			n++
		}
	}
	return n
}

// rows line both lists up by time.
func (a *Answer) rows() [][]string {
	rows := [][]string{{"ON", "RECORDED", "WHAT IF", "VERSION", "WHY"}}
	for _, p := range a.Pairs() {
		d := p.First()
		left, right := "", ""
		if p.Recorded != nil {
			left = whatWasDecided(*p.Recorded)
		}
		if p.WhatIf != nil {
			right = whatWasDecided(*p.WhatIf)
		}
		why := strings.TrimPrefix(strings.TrimPrefix(plain.WhoAndWhy(d.By, d.Reason), " "), ": ")
		switch {
		case p.Recorded == nil:
			left = "-"
		case p.WhatIf == nil:
			right = "-"
		case left != right || p.Recorded.Reason == p.WhatIf.Reason:
			if left == right {
				right = "same"
			}
		default:
			right = "same, but"
			why = why + " | " + plain.Text(p.WhatIf.Reason)
		}

		rows = append(rows, []string{plain.Time(d.At), left, right, plain.Text(d.ModelVersion), why})
	}

	return rows
}

// whatWasDecided is a decision in short.
func whatWasDecided(d monitor.Decision) string {
	text := plain.Words(d.Kind)
	if d.Rule != "" && d.Rule != modelops.RuleManual {
		text += " " + plain.Text(d.Rule)
	}
	if d.SuppressedBy != "" {
		text += ", " + plain.Words(d.SuppressedBy)
	}
	if d.Count > 1 {
		text += fmt.Sprintf(", %d×", d.Count)
	}

	return text
}
