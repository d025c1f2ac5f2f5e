package table

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A part against a plain map, with so few hashes that most of them collide.
func TestAPartFindsEachOfItsNamesAndNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPart[string](nil)
		known := map[string]*string{}
		hashOf := func(name string) uint64 { return uint64(name[0]%3) << 32 }

		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			name := fmt.Sprintf("%c%d", 'a'+rune(rapid.IntRange(0, 5).Draw(t, "letter")), rapid.IntRange(0, 3).Draw(t, "number"))
			if known[name] != nil {
				delete(known, name)
				p = newPart(p.others(name))
			} else {
				known[name] = new(string)
				p = newPart(append(p.others(name), slot[string]{hashOf(name), name, known[name]}))
			}

			for letter := 'a'; letter <= 'f'; letter++ {
				for number := range 4 {
					name := fmt.Sprintf("%c%d", letter, number)
					require.Same(t, known[name], p.get(hashOf(name), name))
				}
			}
		}
	})
}

func TestATableHasWhatWasPutAndNotRemoved(t *testing.T) {
	table := New[int]()
	for i := range 1000 {
		table.Put(fmt.Sprint(i), &i)
	}
	for i := range 500 {
		table.Remove(fmt.Sprint(i))
	}

	require.EqualValues(t, 500, table.Len())
	sum := 0
	for value := range table.All() {
		sum += *value
	}
	require.Equal(t, 500*(500+999)/2, sum)
	require.Nil(t, table.Get("499"))
	require.Equal(t, 500, *table.Get("500"))
}
