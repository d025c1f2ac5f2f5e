package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
)

// shardsOfModels is how many parts the table of models has. A part is replaced as a
// whole when a model is added, and read without a lock at every event.
const shardsOfModels = 256

// models is the table of a hub's pipes. Writers hold Hub.adding.
type models struct {
	seed  maphash.Seed
	parts [shardsOfModels]atomic.Pointer[modelTable] // replaced, never changed
	count atomic.Int64
}

// modelTable is one part: a hash table with linear probing, of a power of two of slots,
// of which at least half are empty. A map would hash the name a second time, which every
// event would pay for.
type modelTable []modelSlot

type modelSlot struct {
	hash uint64
	pipe *pipe // nil where it is empty
}

// newModelTable makes one of pipes that are all different models'.
func newModelTable(slots []modelSlot) *modelTable {
	size := 1 << bits.Len(uint(2*len(slots)))
	table := make(modelTable, size)
	for _, slot := range slots {
		i := table.home(slot.hash)
		for table[i].pipe != nil {
			i = (i + 1) & (size - 1)
		}
		table[i] = slot
	}
	return &table
}

// home is where a hash belongs: which part it is in was said by other bits of it.
func (t modelTable) home(hash uint64) int { return int(hash>>32) & (len(t) - 1) }

func (t modelTable) get(hash uint64, model string) *pipe {
	for i := t.home(hash); t[i].pipe != nil; i = (i + 1) & (len(t) - 1) {
		if t[i].hash == hash && t[i].pipe.model == model {
			return t[i].pipe
		}
	}
	return nil
}

// others are the slots in use but for a pipe's.
func (t modelTable) others(p *pipe) []modelSlot {
	return slices.DeleteFunc(slices.Clone(t), func(slot modelSlot) bool { return slot.pipe == nil || slot.pipe == p })
}

func newModels() *models {
	m := &models{seed: maphash.MakeSeed()}
	for i := range m.parts {
		m.parts[i].Store(newModelTable(nil))
	}
	return m
}

// part is where a model is, and its hash there.
func (m *models) part(model string) (*atomic.Pointer[modelTable], uint64) {
	hash := maphash.String(m.seed, model)
	return &m.parts[hash%shardsOfModels], hash
}

// get returns the pipe of a model; nil if there is none.
func (m *models) get(model string) *pipe {
	part, hash := m.part(model)
	return part.Load().get(hash, model)
}

// all are the pipes that there are.
func (m *models) all() iter.Seq[*pipe] {
	return func(yield func(*pipe) bool) {
		for i := range m.parts {
			for _, slot := range *m.parts[i].Load() {
				if slot.pipe != nil && !yield(slot.pipe) {
					return
				}
			}
		}
	}
}

func (m *models) put(p *pipe) {
	part, hash := m.part(p.model)
	part.Store(newModelTable(append(part.Load().others(p), modelSlot{hash, p})))
	m.count.Add(1)
}

func (m *models) remove(p *pipe) {
	part, _ := m.part(p.model)
	part.Store(newModelTable(part.Load().others(p)))
	m.count.Add(-1)
}

// modelIdle is after how long without an event, all being durable, a model is
// forgotten: its goroutine and its memory go, and its place is another's.
const modelIdle = time.Hour

// errFewModels says that an account, or the hub, has as many models as it may have.
var errFewModels = errors.New("no room for a further model")

// pipe returns the model's pipe; the first event makes it, on the account of who
// published it.
func (h *Hub) pipe(of *Account, model string) (*pipe, error) {
	if p := h.models.get(model); p != nil {
		return p, nil
	}
	if err := contract.ValidateModelName(model); err != nil {
		return nil, err
	}

	h.adding.Lock()
	defer h.adding.Unlock()
	if p := h.models.get(model); p != nil {
		return p, nil
	}
	if h.closed {
		return nil, ErrClosed
	}
	if !h.modelRoom.Take(of.name, 1) {
		return nil, fmt.Errorf("%w: one hub holds %d, of which nobody may have more than are left to others; "+
			"those that are not heard of for %v are forgotten", errFewModels, maxModels, modelIdle)
	}

	p := newPipe(h, of, strings.Clone(model))
	h.models.put(p)
	h.work.Go(func() { p.run(h.done) })
	return p, nil
}

// newPublisher names who publishes a model's events. A hub is one publisher of each
// of its models, and another one of a model that it had forgotten: batches are
// numbered from 1 again.
func newPublisher() string { return rand.Text() }

// add folds an event into its model's pipe.
func (h *Hub) add(ctx context.Context, of *Account, event *metric.Event) (*pipe, error) {
	for {
		p, err := h.pipe(of, event.ModelName)
		if err != nil {
			return nil, err
		}
		err = p.add(ctx, event)
		if errors.Is(err, ErrClosed) && h.isForgotten(p) {
			continue
		}
		return p, err
	}
}

func (h *Hub) isForgotten(p *pipe) bool {
	h.adding.Lock()
	defer h.adding.Unlock()
	return h.models.get(p.model) != p
}

// forget forgets a model that has been idle, and says whether it did.
func (h *Hub) forget(p *pipe) bool {
	if !p.isIdle(h.now()) {
		return false
	}
	h.adding.Lock()
	defer h.adding.Unlock()
	if h.closed || !p.isIdle(h.now()) || !p.fold.closeIfEmpty() {
		return false
	}
	h.models.remove(p)
	h.modelRoom.Give(p.account.name, 1)
	h.forgotten.Add(p.fold.published())
	return true
}

// isIdle says that nothing was published for long, that all is durable, and that
// there is nothing left to tell of.
func (p *pipe) isIdle(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := clock.Later(p.made, p.lastSend)
	return now.Sub(last) >= modelIdle && !p.dirty.Load() && len(p.waiting) == 0 && p.batch == nil &&
		!p.sending && !p.asking && !p.closing && p.losses.total == 0
}
