package whatif

import (
	"cmp"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

// Pair is a decision of the recording, one of the what-if, or the same one of both.
type Pair struct {
	Recorded, WhatIf *monitor.Decision // nil where there is none
}

// First is the recorded decision, or else the other.
func (p Pair) First() *monitor.Decision { return cmp.Or(p.Recorded, p.WhatIf) }

// closeTo is how far apart a decision may be in both lists and still be the same: a
// recorded timer fires a little late, one of the what-if on the dot.
const closeTo = 2 * time.Second

// Pairs finds for each recorded decision the one of the what-if that is the same, and
// returns them in order of time.
func (a *Answer) Pairs() []Pair {
	recorded, other := a.Recorded, a.WhatIf
	var pairs []Pair
	taken := make([]bool, len(other))
	begin := 0
	for i := range recorded {
		p := Pair{Recorded: &recorded[i]}
		for begin < len(other) && p.Recorded.At.Sub(other[begin].At) > closeTo {
			begin++
		}
		for j := begin; j < len(other) && other[j].At.Sub(p.Recorded.At) <= closeTo; j++ {
			if !taken[j] && isSame(p.Recorded, &other[j]) {
				p.WhatIf = &other[j]
				taken[j] = true
				break
			}
		}

		pairs = append(pairs, p)
	}

	for j := range other {
		if !taken[j] {
			pairs = append(pairs, Pair{WhatIf: &other[j]})
		}
	}

	slices.SortStableFunc(pairs, func(a, b Pair) int { return a.First().At.Compare(b.First().At) })
	return pairs
}

func isSame(a, b *monitor.Decision) bool {
	return a.Kind == b.Kind && a.Rule == b.Rule && a.SuppressedBy == b.SuppressedBy && a.ModelVersion == b.ModelVersion &&
		a.At.Sub(b.At).Abs() <= closeTo
}
