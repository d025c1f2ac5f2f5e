// Package toll measures what it costs to read an input, for tests of whatever reads the
// inputs of strangers: these must not find one that costs more than its bytes justify.
//
// Memory is what is allocated on the way, be it given back or not. Work is time that
// processors spend, in a unit that is alike on a fast machine and on a slow one: what it
// takes to hash one byte, by FNV-1a, a byte at a time.
package toll

import (
	"fmt"
	"hash/fnv"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// attempts are how often an input is read that seems to cost too much. All that the
// process does meanwhile is measured with it, a collection of garbage for one.
const attempts = 5

// Toll is what one reading has cost.
type Toll struct {
	Bytes int64 // that were allocated
	Work  int64 // in bytes that might have been hashed in the same time
}

// Most is what reading an input may cost: so much for each of its bytes, and so much
// beside that, which a short input may cost, too.
type Most struct {
	BytesPerByte, Bytes int64
	WorkPerByte, Work   int64
}

// Of measures a reading. What other goroutines of the process do meanwhile counts, too.
func Of(read func()) Toll {
	unit := unit() // first: it is measured once
	var before, after runtime.MemStats

	runtime.ReadMemStats(&before)
	began := Spent()
	read()
	took := Spent() - began
	runtime.ReadMemStats(&after)

	return Toll{
		Bytes: int64(after.TotalAlloc - before.TotalAlloc), //nolint:gosec // far from 2^63
		Work:  int64(float64(took) / unit),
	}
}

// Hold fails the test where the reading of an input of so many bytes costs more than it
// may. It may be read again.
func (m Most) Hold(t testing.TB, size int, read func()) {
	t.Helper()

	var why string
	for range attempts {
		why = m.exceeded(size, Of(read))
		if why == "" {
			return
		}
	}
	t.Fatal(why)
}

// exceeded says by what a toll is more than may be; empty where it isn't.
func (m Most) exceeded(size int, toll Toll) string {
	bytes := m.Bytes + m.BytesPerByte*int64(size)
	work := m.Work + m.WorkPerByte*int64(size)
	if toll.Bytes <= bytes && toll.Work <= work {
		return ""
	}
	return fmt.Sprintf("%d bytes allocate %d, of at most %d, and make the work of hashing %d, of at most %d", size, toll.Bytes, bytes, toll.Work, work)
}

// Spent is the time that processors have spent on this process so far, which passes no
// faster because others want them, too.
func Spent() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // it fails for arguments that make no sense
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// unit is how many nanoseconds it takes here to hash one byte.
var unit = sync.OnceValue(func() float64 {
	const rounds = 5
	text := make([]byte, 1<<20)

	var least time.Duration
	for i := range rounds {
		began := Spent()
		_, _ = fnv.New64a().Write(text)
		took := Spent() - began
		if i == 0 || took < least {
			least = took
		}
	}

	return max(float64(least), 1) / float64(len(text))
})
