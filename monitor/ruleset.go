package monitor

import (
	"math/bits"

	"github.com/modelvigil/modelvigil/policy"
)

// ruleSet is a set of rules of one policy, by their numbers: one bit each, so that
// what a composite says of its members costs the same for one member and for all.
type ruleSet [(policy.MaxRules + 63) / 64]uint64

func (s *ruleSet) add(rule int) { s[rule/64] |= 1 << (rule % 64) }

func (s *ruleSet) set(rule int, in bool) {
	s[rule/64] &^= 1 << (rule % 64)
	if in {
		s.add(rule)
	}
}

func (s *ruleSet) has(rule int) bool { return s[rule/64]&(1<<(rule%64)) != 0 }

func (s ruleSet) isEmpty() bool { return s == ruleSet{} }

// both returns the rules that are in both sets.
func (s ruleSet) both(other ruleSet) ruleSet {
	for i := range s {
		s[i] &= other[i]
	}
	return s
}

// count is how many rules are in the set.
func (s ruleSet) count() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}
