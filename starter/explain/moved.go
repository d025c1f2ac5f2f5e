package explain

import (
	"fmt"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// moved says what a drift rule found when it was judged last: a line for each metric
// that is told of, and one for all others.
func moved(r *policy.Rule, s *monitor.RuleStatus) (lines []string) {
	for _, m := range s.Drift {
		figures := r.Figures(m.Value, m.Threshold)
		side := "within"
		if m.Value > m.Threshold {
			side = "beyond"
		}
		line := fmt.Sprintf("%s %s %s %s its bound %s, %s readings against %s", plain.Text(policy.Word(m.Name)), r.Drift.Statistic, figures[0], side, figures[1],
			plain.Thousands(m.Readings), plain.Thousands(m.Reference))
		if len(m.Bins) > 0 {
			line += ": " + plain.Text(strings.Join(m.Bins, ", "))
		}
		lines = append(lines, line)
	}
	if rest := Rest(s); rest != "" {
		lines = append(lines, rest)
	}
	for _, name := range s.OneBin {
		lines = append(lines, plain.Text(policy.Word(name))+" is held against one bin, as its readings are within a sketch's 2 % of each other: "+
			"no change of it within them is seen; hold it against a profile of training data, or publish it less a constant")
	}

	return lines
}

// Rest says how it is about the metrics of a drift rule that its status doesn't tell
// of; empty where there are none.
func Rest(s *monitor.RuleStatus) string {
	more, beyond := s.Judged-len(s.Drift), s.Beyond
	for _, m := range s.Drift {
		if m.Value > m.Threshold {
			beyond--
		}
	}

	switch {
	case more <= 0:
		return ""
	case beyond <= 0:
		return fmt.Sprintf("and %d more within their bounds", more)
	case beyond == more:
		return fmt.Sprintf("and %d more beyond their bounds", more)
	}
	return fmt.Sprintf("and %d more, of which %d beyond their bounds", more, beyond)
}
