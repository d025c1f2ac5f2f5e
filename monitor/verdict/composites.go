package verdict

import (
	"slices"

	"github.com/modelvigil/modelvigil/policy"
)

// Composites are the rules of one policy that are made of others.
type Composites struct {
	// Standing are the members of composites that have a verdict between observations:
	// rules with a period, and those on age and silence.
	Standing []int

	ordered []composite // members before those they are in
	members [][]int     // of each composite, in its order; nil for other rules
	turned  []bool      // rules that a `not` turns around, itself or through others
	said    said        // what the rules said when they were combined last
}

// composite is a rule that is made of others.
type composite struct {
	rule    int
	logic   policy.Logic
	members Set
	least   int // of a composite of at least so many
}

// said is what the rules say at one moment, as sets of them.
type said struct{ fresh, hit, breaching, healthy Set }

func (s *said) put(rule int, f *Finding) {
	s.fresh.set(rule, f.Fresh)
	s.hit.set(rule, f.Hit)
	s.breaching.set(rule, f.Verdict == Breaching)
	s.healthy.set(rule, f.Verdict == Healthy)
}

// CompositesOf finds the composites of a policy's rules.
func CompositesOf(rules []policy.Rule) *Composites {
	c := &Composites{members: make([][]int, len(rules)), turned: make([]bool, len(rules))}
	number := make(map[string]int, len(rules))
	for i := range rules {
		number[rules[i].Name] = i
	}

	placed := make([]bool, len(rules))
	var standing Set
	var place func(i int)
	place = func(i int) {
		if placed[i] || rules[i].Form() != policy.FormComposite {
			return
		}

		placed[i] = true
		added := composite{rule: i, logic: rules[i].Logic(), least: rules[i].AtLeast}
		for _, name := range rules[i].Members() {
			member := number[name]
			place(member)
			c.members[i] = append(c.members[i], member)
			added.members.add(member)
			if form := rules[member].Form(); form != policy.FormInstant && form != policy.FormComposite {
				standing.add(member)
			}
		}

		c.ordered = append(c.ordered, added)
	}

	for i := range rules {
		place(i)
	}
	for i := range rules {
		if standing.Has(i) {
			c.Standing = append(c.Standing, i)
		}
	}

	c.turn(rules)
	return c
}

// turn finds the rules that a `not` turns around.
func (c *Composites) turn(rules []policy.Rule) {
	for _, composite := range slices.Backward(c.ordered) { // those that hold others come before these
		i := composite.rule
		for _, member := range c.members[i] {
			c.turned[member] = c.turned[member] || c.turned[i] || rules[i].Not != ""
		}
	}
}

// Any says that there is a composite.
func (c *Composites) Any() bool { return len(c.ordered) > 0 }

// Rules are the numbers of the composites, members before those they are in.
func (c *Composites) Rules(yield func(rule int) bool) {
	for i := range c.ordered {
		if !yield(c.ordered[i].rule) {
			return
		}
	}
}

// Members are those of a composite, in its order; nil of another rule.
func (c *Composites) Members(rule int) []int { return c.members[rule] }

// IsTurned says that a `not` turns a rule around, itself or through others.
func (c *Composites) IsTurned(rule int) bool { return c.turned[rule] }

// Breaching are the rules that breached when they were combined last.
func (c *Composites) Breaching() Set { return c.said.breaching }

// Combine fills in what composites say by the findings of all other rules.
func (c *Composites) Combine(findings []Finding) {
	c.said = said{}
	for i := range findings {
		c.said.put(i, &findings[i])
	}
	for i := range c.ordered {
		composite := &c.ordered[i]
		findings[composite.rule] = composite.find(&c.said)
		c.said.put(composite.rule, &findings[composite.rule])
	}
}

// find is three-valued logic over the composite's members.
func (c *composite) find(s *said) (f Finding) {
	fresh := c.members.both(s.fresh)
	f.Fresh = !fresh.isEmpty()
	breaching, healthy := c.members.both(s.breaching), c.members.both(s.healthy)
	breaches, heals := !breaching.isEmpty(), !healthy.isEmpty()
	switch c.logic {
	case policy.LogicNot:
		f.Hit = f.Fresh
		f.Verdict = of(heals, breaches)
	case policy.LogicAll:
		f.Hit = !fresh.both(s.hit).both(breaching).isEmpty()
		f.Verdict = of(breaching.count() == c.members.count(), heals)
	case policy.LogicAny:
		f.Hit = !fresh.both(s.hit).both(breaching).isEmpty()
		f.Verdict = of(breaches, healthy.count() == c.members.count())
	case policy.LogicAtLeast:
		f.Hit = !fresh.both(s.hit).both(breaching).isEmpty()
		f.Verdict = of(breaching.count() >= c.least, c.members.count()-healthy.count() < c.least)
	}

	return f
}
