package backtest

import (
	"fmt"
	"sync"

	"github.com/modelvigil/modelvigil/metric/drift"
)

// Bounds finds the bounds of drift rules and keeps them, for all simulators that share
// it: a simulation of some tenths of a second each. Its zero value is ready, and nil
// keeps nothing.
type Bounds struct {
	mu    sync.Mutex
	found map[string]float64
}

// Find returns the bound of a null distribution for a period of some size.
func (b *Bounds) Find(null *drift.Null, size int64) float64 {
	if b == nil {
		return null.Bound(size)
	}

	key := fmt.Sprint(null.Statistic, null.Counts, null.Level, size)
	b.mu.Lock()
	bound, isFound := b.found[key]
	b.mu.Unlock()
	if isFound {
		return bound
	}

	bound = null.Bound(size)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.found == nil {
		b.found = map[string]float64{}
	}
	b.found[key] = bound
	return bound
}
