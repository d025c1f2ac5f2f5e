// Package share divides what a process has, such as memory for bodies, among the
// parties that use it, so that none of them can take it away from the others.
package share

import "sync"

// Pool is an amount of something of which parties take and give back. A party may
// hold at most as much as it leaves to others: one greedy party holds a half, and the
// next half of the rest; as they give back and take again, n of them come to hold one
// part in n+1 each. So there is always something left for who comes next, no party
// has to be known beforehand, and nothing has to be configured. (Switches divide
// their memory among queues so: Choudhury and Hahne, Dynamic queue length thresholds
// for shared-memory packet switches, 1998.)
//
// The party without a name stands for everybody, where nobody has a name: it may
// take all. A Pool is safe for concurrent use.
type Pool struct {
	size int64

	mu    sync.Mutex
	taken int64
	by    map[string]int64
}

// New returns a pool of which nothing is taken.
func New(size int64) *Pool { return &Pool{size: size, by: map[string]int64{}} }

// Take takes n more for a party; of less than nothing it gives back. It is false, and takes nothing, where that would
// be more than the party's share.
func (p *Pool) Take(party string, n int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.size - p.taken - n
	if n > 0 && (left < 0 || party != "" && p.by[party]+n > left) {
		return false
	}
	p.taken += n
	if p.by[party] += n; p.by[party] == 0 {
		delete(p.by, party)
	}

	return true
}

// Give gives back n of what a party has taken.
func (p *Pool) Give(party string, n int64) { p.Take(party, -n) }

// Taken is how much all parties hold.
func (p *Pool) Taken() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
