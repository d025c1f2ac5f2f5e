package verdict

import (
	"math/bits"

	"github.com/modelvigil/modelvigil/policy"
)

// Set is a set of rules of one policy, by their numbers: one bit each, so that
// what a composite says of its members costs the same for one member and for all.
type Set [(policy.MaxRules + 63) / 64]uint64

func (s *Set) add(rule int) { s[rule/64] |= 1 << (rule % 64) }

func (s *Set) set(rule int, in bool) {
	s[rule/64] &^= 1 << (rule % 64)
	if in {
		s.add(rule)
	}
}

// Has says that a rule is in the set.
func (s *Set) Has(rule int) bool { return s[rule/64]&(1<<(rule%64)) != 0 }

func (s Set) isEmpty() bool { return s == Set{} }

// both returns the rules that are in both sets.
func (s Set) both(other Set) Set {
	for i := range s {
		s[i] &= other[i]
	}
	return s
}

// count is how many rules are in the set.
func (s Set) count() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}
