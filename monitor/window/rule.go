package window

import (
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Rule is a rule as its windows go by it: with its periods, if it has some, as clocks in
// its zone have them.
type Rule struct {
	*policy.Rule
	Periods calendar.Periods
}

// RuleOf is a rule with its periods. zones are what was computed of the zones that
// policies name.
func RuleOf(r *policy.Rule, zones map[string][]calendar.Shift) Rule {
	if !r.IsWindowed() {
		return Rule{Rule: r}
	}
	return Rule{r, r.Periods(zones)}
}
