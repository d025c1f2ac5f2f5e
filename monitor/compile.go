package monitor

import (
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/policy"
)

// compiled is what follows from a policy, kept so that it isn't found again for
// each event.
type compiled struct {
	forms           []policy.Form
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
	logic   policy.Logic
	members ruleSet
}

// compile finds what follows from the policy in force.
func (m *Machine) compile() {
	rules := m.state.Policy.Rules
	n := len(rules)
	m.compiled = compiled{
		forms: make([]policy.Form, n), findings: make([]finding, n), ruleNumber: make(map[string]int, n), members: make([][]int, n),
		isTurned: make([]bool, n),
		streaks:  make([]streak, n+1+len(suppressions)),
	}
	for i := range rules {
		m.ruleNumber[rules[i].Name] = i
		m.forms[i] = rules[i].Form()
		m.hasComposites = m.hasComposites || m.forms[i] == policy.FormComposite
		m.mayRest = m.mayRest || rules[i].Missing == policy.MissingOK
		m.hasWindows = m.hasWindows || m.forms[i] == policy.FormWindow
		m.hasAges = m.hasAges || m.forms[i] == policy.FormAge || m.forms[i] == policy.FormSilence
	}

	if m.hasComposites {
		m.compileComposites()
	}
	if v := m.state.Policy.Verify; v != nil {
		m.verifies = m.state.Policy.Verifiable(v.Length())
	}
	m.seen = nil
	m.dirty = true
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
		if placed[i] || m.forms[i] != policy.FormComposite {
			return
		}

		placed[i] = true

		c := composite{rule: i, logic: rules[i].Logic()}
		for _, name := range rules[i].Members() {
			member := m.ruleNumber[name]
			place(member)
			m.members[i] = append(m.members[i], member)
			c.members.add(member)
			if m.forms[member] != policy.FormInstant && m.forms[member] != policy.FormComposite {
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
func turned(rules []policy.Rule, number map[string]int, composites []composite) []bool {
	turned := make([]bool, len(rules))
	for _, c := range slices.Backward(composites) {
		i := c.rule
		for _, name := range rules[i].Members() {
			turned[number[name]] = turned[number[name]] || turned[i] || rules[i].Not != ""
		}
	}
	return turned
}
