package backtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/modelvigil/modelvigil/metric/drift"
)

// Bounds finds the bounds of drift rules and keeps them, for all simulators that share
// it: those of a stretch of sizes are a simulation of a tenth of a second. Its zero value is ready, and nil
// keeps nothing.
type Bounds struct {
	mu    sync.Mutex
	found map[string]func() drift.Bounds
}

// Find returns the bounds of a null distribution for periods whose sizes are in the same
// stretch as one. Of several who ask for the same at once, one finds it.
func (b *Bounds) Find(null *drift.Null, size int64) drift.Bounds {
	if b == nil {
		return null.Find(size)
	}

	key := fmt.Sprint(null.Statistic, null.Counts, null.Level, null.Among, drift.StretchOf(size))
	b.mu.Lock()
	find, isKnown := b.found[key]
	if !isKnown {
		asked := *null
		asked.Counts = slices.Clone(null.Counts)
		find = sync.OnceValue(func() drift.Bounds { return asked.Find(size) })
		if b.found == nil {
			b.found = map[string]func() drift.Bounds{}
		}
		b.found[key] = find
	}
	b.mu.Unlock()
	return find()
}
