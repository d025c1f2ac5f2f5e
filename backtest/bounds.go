package backtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/modelvigil/modelvigil/metric/drift"
)

// Bounds finds the bounds of drift rules and keeps them, for all simulators that share
// it: each is a simulation of some tenths of a second. Its zero value is ready, and nil
// keeps nothing.
type Bounds struct {
	mu    sync.Mutex
	found map[string]func() float64
}

// Find returns the bound of a null distribution for a period of some size. Of several
// who ask for the same at once, one finds it.
func (b *Bounds) Find(null *drift.Null, size int64) float64 {
	if b == nil {
		return null.Bound(size)
	}

	key := fmt.Sprint(null.Statistic, null.Counts, null.Level, size)
	b.mu.Lock()
	find, isKnown := b.found[key]
	if !isKnown {
		asked := *null
		asked.Counts = slices.Clone(null.Counts)
		find = sync.OnceValue(func() float64 { return asked.Bound(size) })
		if b.found == nil {
			b.found = map[string]func() float64{}
		}
		b.found[key] = find
	}
	b.mu.Unlock()
	return find()
}
