package toll_test

import (
	"hash/fnv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/internal/toll"
)

var kept []byte

func TestWhatIsReadIsMeasured(t *testing.T) {
	text := make([]byte, 16<<20)
	hashed := toll.Of(func() { _, _ = fnv.New64a().Write(text) })
	assert.Greater(t, hashed.Work, int64(len(text)/4), "the unit is what it takes to hash a byte")
	assert.GreaterOrEqual(t, toll.Of(func() { kept = make([]byte, 1<<20) }).Bytes, int64(1<<20))
}

// refused is a test that is told to fail.
type refused struct {
	testing.TB
	why string
}

func (r *refused) Helper() {}

func (r *refused) Fatal(why ...any) { r.why = why[0].(string) }

func TestWhatCostsMoreThanItsBytesIsRefused(t *testing.T) {
	most := toll.Most{BytesPerByte: 10, Bytes: 64 << 10, WorkPerByte: 100, Work: 1 << 20}
	const size = 10_000
	most.Hold(t, size, func() { kept = make([]byte, 10*size) })

	memory := &refused{TB: t}
	most.Hold(memory, size, func() { kept = make([]byte, 100*size) })
	assert.Contains(t, memory.why, "10000 bytes allocate 1")

	work := &refused{TB: t}
	text := make([]byte, size)
	most.Hold(work, size, func() {
		for range len(text) { // as a decoder that looks at all for each byte
			_, _ = fnv.New64a().Write(text)
		}
	})
	assert.Contains(t, work.why, "of at most 2048576")
}
