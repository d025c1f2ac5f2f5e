package verdict_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// drawRules draws thresholds and composites of them and of each other, in any order.
func drawRules(t *rapid.T) []policy.Rule {
	var rules []policy.Rule
	for i := range rapid.IntRange(1, 6).Draw(t, "thresholds") {
		rules = append(rules, policy.Rule{Name: fmt.Sprintf("r%d", i), Metric: "auc", Below: metric.Some(0.9)})
	}
	for range rapid.IntRange(0, 8).Draw(t, "composites") {
		var names []string
		for i := range rules {
			names = append(names, rules[i].Name)
		}
		made := policy.Rule{Name: fmt.Sprintf("r%d", len(rules))}
		members := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(t, "members")
		switch rapid.SampledFrom([]string{"all", "any", "not", "at least"}).Draw(t, "logic") {
		case "all":
			made.AllOf = members
		case "any":
			made.AnyOf = members
		case "not":
			made.Not = members[0]
		case "at least":
			made.Of = members
			made.AtLeast = rapid.IntRange(1, len(members)).Draw(t, "least")
		}
		rules = append(rules, made)
	}
	return rapid.Permutation(rules).Draw(t, "in this order")
}

// said is what a composite says by the definition of its logic: each unknown member may
// turn out either way, and only what holds in all cases is known.
func said(rules []policy.Rule, found map[string]verdict.Finding, r *policy.Rule) (f verdict.Finding) {
	breaching, healthy, members := 0, 0, r.Members()
	for _, name := range members {
		of := found[name]
		f.Fresh = f.Fresh || of.Fresh
		f.Hit = f.Hit || of.Speaks()
		switch of.Verdict {
		case verdict.Breaching:
			breaching++
		case verdict.Healthy:
			healthy++
		}
	}

	holds := func(breaching int) bool {
		switch r.Logic() {
		case policy.LogicAll:
			return breaching == len(members)
		case policy.LogicAny:
			return breaching > 0
		case policy.LogicNot:
			return breaching == 0
		}
		return breaching >= r.AtLeast
	}
	if r.Logic() == policy.LogicNot {
		f.Hit = f.Fresh
	}
	always, never := true, true
	for more := range len(members) - healthy - breaching + 1 {
		always = always && holds(breaching+more)
		never = never && !holds(breaching+more)
	}
	switch {
	case always:
		f.Verdict = verdict.Breaching
	case never:
		f.Verdict = verdict.Healthy
	}
	return f
}

func TestCompositesSayWhatHoldsHoweverTheirUnknownMembersTurnOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		c := verdict.CompositesOf(rules)
		number := map[string]int{}
		findings := make([]verdict.Finding, len(rules))
		found := map[string]verdict.Finding{}
		for i := range rules {
			number[rules[i].Name] = i
			if !rules[i].IsComposite() {
				findings[i] = verdict.Finding{
					Verdict: rapid.SampledFrom([]verdict.Verdict{verdict.Unknown, verdict.Healthy, verdict.Breaching}).Draw(t, "says"),
					Fresh:   rapid.Bool().Draw(t, "fresh"), Hit: rapid.Bool().Draw(t, "hit"),
				}
				found[rules[i].Name] = findings[i]
			}
		}

		c.Combine(findings)

		for n := range len(rules) { // by name a composite comes after all that it can hold
			r := &rules[number[fmt.Sprintf("r%d", n)]]
			if r.IsComposite() {
				found[r.Name] = said(rules, found, r)
			}
			got := findings[number[r.Name]]
			assert.Equal(t, found[r.Name], got, "%s is %s", r.Name, r.String())
			breaching := c.Breaching()
			assert.Equal(t, got.Verdict == verdict.Breaching, breaching.Has(number[r.Name]), r.Name)
		}
	})
}

func TestACompositeComesAfterItsMembersAndARuleIsTurnedBelowANot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		c := verdict.CompositesOf(rules)
		place := map[int]int{}
		for rule := range c.Rules {
			place[rule] = len(place) + 1
		}

		turned := make([]bool, len(rules))
		var turn func(rule int, is bool)
		turn = func(rule int, is bool) {
			turned[rule] = turned[rule] || is
			for _, member := range c.Members(rule) {
				assert.Less(t, place[member], place[rule], "%s holds %s", rules[rule].Name, rules[member].Name)
				turn(member, is || rules[rule].Not != "")
			}
		}
		for i := range rules {
			turn(i, false)
		}

		for i := range rules {
			assert.Equal(t, turned[i], c.IsTurned(i), "%s in %v", rules[i].Name, rules)
			names := []string{}
			for _, member := range c.Members(i) {
				names = append(names, rules[member].Name)
			}
			assert.True(t, slices.Equal(rules[i].Members(), names), rules[i].Name)
		}
	})
}
