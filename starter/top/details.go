package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// detailLines are what one model's monitor says, from the line that is scrolled to.
func (m *Model) detailLines() []string {
	row := &m.shown[m.cursor]
	h := m.readings[row.ModelName]
	lines := []string{bold.paint(plain.Text(row.ModelName)) + ": " + phaseStyles[row.phase()].paint(row.phase())}
	switch {
	case h == nil || h.at.IsZero():
		return append(lines, "", "  asking")
	case h.failed != "":
		return append(lines, "", "  "+red.paint(plain.Text(h.failed)))
	}

	lines = append(lines, dim.paint("workflow "+contract.WorkflowID(row.ModelName)), "")
	lines = append(lines, why(&h.status)...)
	for i, next := range h.status.Next {
		lines = append(lines, fmt.Sprintf("  %-9s %s  %s", [2]string{"next", "then"}[min(i, 1)], clock(next.At), plain.Text(next.What)))
	}
	lines = append(lines, ruleLines(&h.status)...)
	lines = append(lines, decisionLines(h.status.Decisions)...)
	c := &h.status.Counters
	lines = append(lines, "", fmt.Sprintf("%s %s, %d %s, %d retrainings: %d succeeded, %d accepted, %d failed",
		plain.Thousands(int(c.Events)), plural("event", int(c.Events)), c.Breaches, breaches(c.Breaches),
		c.Retrainings.Requested, c.Retrainings.Succeeded, c.Retrainings.Accepted, c.Retrainings.Failed))
	m.scroll = max(0, min(m.scroll, len(lines)-m.page()))
	return lines[m.scroll:]
}

// why says what the phase comes from.
func why(s *monitor.Status) (lines []string) {
	say := func(what string, at time.Time, by, reason string) {
		text := fmt.Sprintf("  %-9s %s  %s", what, clock(at), plain.Text(reason))
		if by != "" {
			text += " (" + plain.Text(by) + ")"
		}
		lines = append(lines, text)
	}

	if p := s.Paused; p != nil {
		say("paused", p.At, p.By, p.Reason)
	}
	if p := s.Pending; p != nil {
		say("waits", p.Since, p.By, p.Reason)
	}
	if f := s.Current; f != nil {
		say("retrains", f.TriggeredAt, f.By, f.Reason)
	}
	if f := s.LastFailure; f != nil {
		say("failed", f.At, f.By, f.Reason)
	}
	return lines
}

func ruleLines(s *monitor.Status) []string {
	version, rules := s.LatestRules()
	if rules == nil {
		return []string{"", "  no event has come yet"}
	}

	lines := []string{"", dim.paint("RULES of version " + plain.Text(version))}
	for _, r := range rules {
		verdict, shown := string(r.Verdict), green
		switch r.Verdict {
		case monitor.Unknown:
			verdict = "unknown"
			shown = dim
		case monitor.Breaching:
			shown = red
		}

		text := ""
		if i := slices.IndexFunc(s.Policy.Rules, func(rule policy.Rule) bool { return rule.Name == r.Name }); i >= 0 {
			text = s.Policy.Rules[i].String()
		}
		lines = append(lines, fmt.Sprintf("  %s  %s  %s  %s", pad(plain.Text(r.Name), 20), shown.paint(pad(verdict, 9)), pad(number(r.Value), 9), dim.paint(plain.Text(text))))
	}

	return lines
}

func decisionLines(decisions []monitor.Decision) []string {
	if len(decisions) == 0 {
		return nil
	}

	lines := []string{"", dim.paint("DECISIONS")}
	for _, d := range slices.Backward(decisions) {
		what := strings.ReplaceAll(string(d.Kind), "_", " ")
		if d.Kind == policy.Suppressed {
			what = fmt.Sprintf("suppressed %d, %s", d.Count, strings.ReplaceAll(string(d.SuppressedBy), "_", " "))
		}
		reason := plain.Text(d.Reason)
		if d.By != "" {
			reason += " (" + plain.Text(d.By) + ")"
		}
		lines = append(lines, fmt.Sprintf("  %s  %s  %s  %s", clock(d.At), pad(what, 22), pad(plain.Text(d.ModelVersion), 10), reason))
	}

	return lines
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func breaches(n int64) string {
	if n == 1 {
		return "breach"
	}
	return "breaches"
}
