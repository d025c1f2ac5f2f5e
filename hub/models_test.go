package hub

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The table of models against a plain map, with so few hashes that most of them collide.
func TestATableOfModelsFindsEachOfThemAndNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newModelTable(nil)
		known := map[string]*pipe{}
		hashOf := func(model string) uint64 { return uint64(model[0]%3) << 32 }

		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			model := fmt.Sprintf("%c%d", 'a'+rune(rapid.IntRange(0, 5).Draw(t, "letter")), rapid.IntRange(0, 3).Draw(t, "number"))
			if p := known[model]; p != nil {
				delete(known, model)
				table = newModelTable(table.others(p))
			} else {
				known[model] = &pipe{model: model}
				table = newModelTable(append(table.others(nil), modelSlot{hashOf(model), known[model]}))
			}

			for letter := 'a'; letter <= 'f'; letter++ {
				for number := range 4 {
					model := fmt.Sprintf("%c%d", letter, number)
					require.Same(t, known[model], table.get(hashOf(model), model))
				}
			}
		}
	})
}
