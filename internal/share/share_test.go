package share_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/internal/share"
)

// greed takes one after the other until nothing is given any more.
func greed(p *share.Pool, party string) (held int64) {
	for p.Take(party, 1) {
		held++
	}
	return held
}

func TestWhoeverIsGreedyLeavesAsMuchToTheOthers(t *testing.T) {
	p := share.New(1200)
	assert.EqualValues(t, 600, greed(p, "first"), "alone: a half")
	assert.EqualValues(t, 300, greed(p, "second"), "what is left is halved again")
	p.Give("first", 600)
	assert.EqualValues(t, 300, greed(p, "second"), "it may have its half now")
	assert.EqualValues(t, 300, greed(p, "third"))
	p.Give("second", 300)
	assert.EqualValues(t, 0, greed(p, "first")-300, "and what the greedy give back comes to the others")
	assert.EqualValues(t, 900, p.Taken())

	all := share.New(100)
	assert.EqualValues(t, 100, greed(all, ""), "where nobody has a name, everybody may have all")
	assert.False(t, share.New(100).Take("any", 51))
}

func TestTheNextPartyAlwaysGetsItsShareWhateverTheOthersDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 1000
		p, held := share.New(size), map[string]int64{}
		parties := rapid.IntRange(1, 6).Draw(t, "parties")
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			party := fmt.Sprint("party ", rapid.IntRange(1, parties).Draw(t, "party"))
			n := rapid.Int64Range(1, size).Draw(t, "n")
			if n <= held[party] && rapid.Bool().Draw(t, "give") {
				p.Give(party, n)
				held[party] -= n
			} else if p.Take(party, n) {
				held[party] += n
			}
		}
		var all int64
		for _, n := range held {
			all += n
		}
		if all != p.Taken() {
			t.Fatalf("%d are held, %d are counted", all, p.Taken())
		}
		left := size - all
		if got := greed(p, "next"); got != left/2 {
			t.Fatalf("got %d of the %d that were left", got, left)
		}
	})
}
