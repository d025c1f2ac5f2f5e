package status

import (
	"cmp"
	"slices"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/starter/explain"
)

// driftLines shows what the drift rules found of the version heard of last: of each the
// metrics furthest beyond their bounds, or nearest to them.
func driftLines(s *monitor.Status) string {
	version, rules := s.LatestRules()
	rows := [][]string{{"DRIFT OF " + plain.Text(cmp.Or(version, "(none)")), "METRIC", "FOUND", "BOUND", "READINGS", "AGAINST", "MOVED MOST"}}
	for i := range rules {
		found := &rules[i]
		at := slices.IndexFunc(s.Policy.Rules, func(r policy.Rule) bool { return r.Name == found.Name && r.IsDrift() })
		if at < 0 {
			continue
		}

		rule := &s.Policy.Rules[at]
		lead := plain.Text(found.Name)
		for _, m := range found.Drift {
			figures := rule.Figures(m.Value, m.Threshold)
			row := []string{
				lead, plain.Text(policy.Word(m.Name)), string(rule.Drift.Statistic) + " " + figures[0], figures[1],
				plain.Thousands(m.Readings), plain.Thousands(m.Reference), "",
			}
			if len(m.Bins) > 0 {
				row[6] = plain.Text(m.Bins[0])
			}
			rows = append(rows, row)
			lead = ""
		}
		if rest := explain.Rest(found); rest != "" {
			rows = append(rows, []string{lead, rest})
		}
	}

	if len(rows) == 1 {
		return ""
	}
	return plain.Table(rows)
}
