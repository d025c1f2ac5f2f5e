// Package table is a map by name that is read at every event and changed seldom.
package table

import (
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
	"sync/atomic"
)

// parts is how many parts a table has. A part is replaced as a whole when a name is
// added or removed, and read without a lock.
const parts = 256

// Table holds values by name. It is read by any number at once, and changed by one.
type Table[V any] struct {
	seed  maphash.Seed
	parts [parts]atomic.Pointer[part[V]] // replaced, never changed
	count atomic.Int64
}

// part is a hash table with linear probing, of a power of two of slots, of which at
// least half are empty. A map would hash the name a second time, for which every event
// would pay.
type part[V any] []slot[V]

type slot[V any] struct {
	hash  uint64
	name  string
	value *V // nil where it is empty
}

// New returns an empty table.
func New[V any]() *Table[V] {
	t := &Table[V]{seed: maphash.MakeSeed()}
	for i := range t.parts {
		t.parts[i].Store(newPart[V](nil))
	}
	return t
}

// Get returns the value of a name; nil where there is none.
func (t *Table[V]) Get(name string) *V {
	hash := maphash.String(t.seed, name)
	return t.parts[hash%parts].Load().get(hash, name)
}

// All are the values that there are.
func (t *Table[V]) All() iter.Seq[*V] {
	return func(yield func(*V) bool) {
		for i := range t.parts {
			for _, s := range *t.parts[i].Load() {
				if s.value != nil && !yield(s.value) {
					return
				}
			}
		}
	}
}

// Len is how many values there are.
func (t *Table[V]) Len() int64 { return t.count.Load() }

// Put adds a value under a name that has none.
func (t *Table[V]) Put(name string, value *V) {
	hash := maphash.String(t.seed, name)
	p := &t.parts[hash%parts]
	p.Store(newPart(append(p.Load().others(name), slot[V]{hash, name, value})))
	t.count.Add(1)
}

// Remove removes the value of a name that has one.
func (t *Table[V]) Remove(name string) {
	p := &t.parts[maphash.String(t.seed, name)%parts]
	p.Store(newPart(p.Load().others(name)))
	t.count.Add(-1)
}

// newPart makes a part of slots whose names are all different.
func newPart[V any](slots []slot[V]) *part[V] {
	size := 1 << bits.Len(uint(2*len(slots)))
	p := make(part[V], size)
	for _, s := range slots {
		i := p.home(s.hash)
		for p[i].value != nil {
			i = (i + 1) & (size - 1)
		}
		p[i] = s
	}
	return &p
}

// home is where a hash belongs: which part it is in was said by other bits of it.
func (p part[V]) home(hash uint64) int { return int(hash>>32) & (len(p) - 1) }

func (p part[V]) get(hash uint64, name string) *V {
	for i := p.home(hash); p[i].value != nil; i = (i + 1) & (len(p) - 1) {
		if p[i].hash == hash && p[i].name == name {
			return p[i].value
		}
	}
	return nil
}

// others are the slots in use but for a name's.
func (p part[V]) others(name string) []slot[V] {
	return slices.DeleteFunc(slices.Clone(p), func(s slot[V]) bool { return s.value == nil || s.name == name })
}
