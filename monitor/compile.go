package monitor

import (
	"slices"
	"time"
)

// compiled is what follows from a policy, kept so that it isn't found again for
// each event.
type compiled struct {
	kinds           []kind
	findings        []finding      // of the rules, at the moment
	said            said           // the same as sets, where there are composites
	ruleNumber      map[string]int // by name
	members         [][]int        // of each composite, in its order; nil for other rules
	composites      []composite    // members before those they are in
	standingMembers []int          // members of composites that have a verdict between observations
	standing        standing
	verifies        []bool   // which rules have a say in a verification; nil where the policy asks for none
	streaks         []streak // of warnings by rule, of the warnings that share one, of each reason for suppression
	owes            bool     // some streak's entry lacks its words
	isTurned        []bool   // rules that a `not` turns around, itself or through others
	mayRest         bool     // silence of a rule may be fine
	hasComposites   bool
	hasWindows      bool
	hasAges         bool
}

// standing are the verdicts of standingMembers on one version at one instant.
type standing struct {
	seen     *version
	at       time.Time
	verdicts []Verdict // by rule
}

// composite is a rule that is made of others.
type composite struct {
	rule    int
	logic   logic
	members ruleSet
}

// logic is how a composite follows from its members.
type logic int8

const (
	logicAll logic = iota
	logicAny
	logicNot
)

func (r *Rule) logic() logic {
	switch {
	case len(r.AllOf) > 0:
		return logicAll
	case len(r.AnyOf) > 0:
		return logicAny
	}
	return logicNot
}

// kind is how a rule is judged.
type kind int8

const (
	kindInstant kind = iota
	kindWindow
	kindComposite
	kindAge
	kindSilence
)

func (r *Rule) kind() kind {
	switch {
	case r.IsComposite():
		return kindComposite
	case !r.MaxAge.IsZero():
		return kindAge
	case !r.SilentFor.IsZero():
		return kindSilence
	case r.IsWindowed():
		return kindWindow
	}
	return kindInstant
}

// compile finds what follows from the policy in force.
func (m *Machine) compile() {
	rules := m.state.Policy.Rules
	n := len(rules)
	m.compiled = compiled{
		kinds: make([]kind, n), findings: make([]finding, n), ruleNumber: make(map[string]int, n), members: make([][]int, n),
		isTurned: make([]bool, n),
		streaks:  make([]streak, n+1+len(suppressions)),
	}
	for i := range rules {
		m.ruleNumber[rules[i].Name] = i
		m.kinds[i] = rules[i].kind()
		m.hasComposites = m.hasComposites || m.kinds[i] == kindComposite
		m.mayRest = m.mayRest || rules[i].Missing == MissingOK
		m.hasWindows = m.hasWindows || m.kinds[i] == kindWindow
		m.hasAges = m.hasAges || m.kinds[i] == kindAge || m.kinds[i] == kindSilence
	}
	if m.hasComposites {
		m.compileComposites()
	}
	if v := m.state.Policy.Verify; v != nil {
		m.verifies = m.state.Policy.judged(v.within())
	}
	m.seen, m.dirty = nil, true
	m.isSilent = m.hasAges // until it is looked at
}

// compileComposites puts composites behind their members, and finds which members
// have a verdict between observations.
func (m *Machine) compileComposites() {
	rules := m.state.Policy.Rules
	placed := make([]bool, len(rules))
	var stand ruleSet
	var place func(i int)
	place = func(i int) {
		if placed[i] || m.kinds[i] != kindComposite {
			return
		}
		placed[i] = true

		c := composite{rule: i, logic: rules[i].logic()}
		for _, name := range rules[i].members() {
			member := m.ruleNumber[name]
			place(member)
			m.members[i] = append(m.members[i], member)
			c.members.add(member)
			if m.kinds[member] != kindInstant && m.kinds[member] != kindComposite {
				stand.add(member)
			}
		}
		m.composites = append(m.composites, c)
	}
	for i := range rules {
		place(i)
	}

	m.standing.verdicts = make([]Verdict, len(rules))
	for i := range rules {
		if stand.has(i) {
			m.standingMembers = append(m.standingMembers, i)
		}
	}
	m.isTurned = turned(rules, m.ruleNumber, m.composites)
}

// turned finds the rules that a `not` turns around, itself or through others.
// composites stand after their members.
func turned(rules []Rule, number map[string]int, composites []composite) []bool {
	turned := make([]bool, len(rules))
	for _, c := range slices.Backward(composites) {
		i := c.rule
		for _, name := range rules[i].members() {
			turned[number[name]] = turned[number[name]] || turned[i] || rules[i].Not != ""
		}
	}
	return turned
}
