package monitor

import "slices"

// compiled is what follows from a policy, kept so that it isn't found again for
// each event.
type compiled struct {
	kinds          []kind
	findings       []finding      // of the rules, at the moment
	ruleNumber     map[string]int // by name
	compositeOrder []int          // members before those they are in
	isTurned       []bool         // rules that a `not` turns around, itself or through others
	mayRest        bool           // silence of a rule may be fine
	hasComposites  bool
	hasWindows     bool
	hasAges        bool
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
	m.compiled = compiled{
		kinds: make([]kind, len(rules)), findings: make([]finding, len(rules)), ruleNumber: make(map[string]int, len(rules)),
	}
	for i := range rules {
		m.ruleNumber[rules[i].Name] = i
		m.kinds[i] = rules[i].kind()
		m.hasComposites = m.hasComposites || m.kinds[i] == kindComposite
		m.mayRest = m.mayRest || rules[i].Missing == MissingOK
		m.hasWindows = m.hasWindows || m.kinds[i] == kindWindow
		m.hasAges = m.hasAges || m.kinds[i] == kindAge || m.kinds[i] == kindSilence
	}
	placed := make([]bool, len(rules))
	var place func(i int)
	place = func(i int) {
		if placed[i] || m.kinds[i] != kindComposite {
			return
		}
		placed[i] = true
		for _, name := range rules[i].members() {
			place(m.ruleNumber[name])
		}
		m.compositeOrder = append(m.compositeOrder, i)
	}
	for i := range rules {
		place(i)
	}
	m.isTurned = turned(rules, m.ruleNumber, m.compositeOrder)
	m.seen, m.dirty = nil, true
	m.isSilent = m.hasAges // until it is looked at
}

// turned finds the rules that a `not` turns around, itself or through others. order
// has composites after their members.
func turned(rules []Rule, number map[string]int, order []int) []bool {
	turned := make([]bool, len(rules))
	for _, i := range slices.Backward(order) {
		for _, name := range rules[i].members() {
			turned[number[name]] = turned[number[name]] || turned[i] || rules[i].Not != ""
		}
	}
	return turned
}
