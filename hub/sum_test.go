package hub

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// ledger is a server in front of one monitor, and keeps the books of what the
// monitor made of each publisher's events. Ways to the server can be cut, answers
// are lost, and the monitor may be away and find everything in a pile.
type ledger struct {
	mu      sync.Mutex
	random  *rand.Rand
	machine *monitor.Machine
	isAway  bool
	pile    [][]byte
	cut     map[string]way // by publisher
	books   map[string]*books
	batches map[batchID]books
}

// way is how a publisher reaches the server.
type way int

const (
	isOpen way = iota
	isMute     // what is sent next arrives, its answer doesn't, and then it is shut
	isShut
)

type batchID struct {
	publisher string
	sequence  int64
}

// books are events by what became of them.
type books struct{ counted, refused int64 }

func newLedger(seed uint64) *ledger {
	return &ledger{
		random: rand.New(rand.NewPCG(seed, 8)), machine: monitor.NewMachine("fraud", "model-monitor/fraud/run", policy.Policy{}),
		cut: map[string]way{}, books: map[string]*books{}, batches: map[batchID]books{},
	}
}

func (l *ledger) send(_ context.Context, batch *metric.Batch) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := l.cut[batch.Publisher]
	if open == isShut || open == isOpen && l.random.IntN(5) == 0 {
		return "", serviceerror.NewUnavailable("away")
	}
	encoded, err := json.Marshal(batch)
	if err != nil {
		return "", err
	}
	l.pile = append(l.pile, encoded)
	if !l.isAway {
		l.handle()
	}
	if open == isMute {
		l.cut[batch.Publisher] = isShut
	}
	if open == isMute || l.random.IntN(4) == 0 {
		return "", serviceerror.NewUnavailable("the answer is lost")
	}
	return "", nil
}

// handle lets the monitor take all that the server has. l.mu is held.
func (l *ledger) handle() {
	now := time.Now()
	for _, encoded := range l.pile {
		batch, err := metric.DecodeBatch(encoded)
		if err != nil {
			panic(err)
		}
		before := l.machine.Counters()
		l.machine.ObserveBatch(now, batch)
		after := l.machine.Counters()

		id := batchID{batch.Publisher, batch.Sequence}
		known, total := l.batches[id], l.books[batch.Publisher]
		if total == nil {
			total = &books{}
			l.books[batch.Publisher] = total
		}
		if after.Digests > before.Digests {
			known.counted += after.Events - before.Events
			total.counted += after.Events - before.Events
		}
		if after.Rejected > before.Rejected && known == (books{}) {
			known.refused = eventsIn(batch.Digests)
			total.refused += known.refused
		}
		l.batches[id] = known
		if flight := l.machine.Wants(now).Schedule; flight != nil {
			l.machine.TakeJob(now, flight.RequestID, modelops.Job{Backend: "log"})
		}
	}
	l.pile = nil
}

func (l *ledger) ask(context.Context, string) (contract.Guidance, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.machine.Guidance(time.Now()), nil
}

func (l *ledger) setCut(h *Hub, cut way) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut[publisherOf(h)] = cut
}

// publisherOf is as whom a hub publishes the events of the model; empty where it is
// closed and never did.
func publisherOf(h *Hub) string {
	p, err := h.pipe(h.own, "fraud")
	if err != nil {
		return ""
	}
	return p.publisher
}

// setAway sends the monitor away, or brings it back from its state.
func (l *ledger) setAway(t *testing.T, away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isAway = away; away {
		return
	}
	encoded, err := json.Marshal(l.machine.State())
	require.NoError(t, err)
	state, err := monitor.DecodeState(encoded)
	require.NoError(t, err)
	l.machine = monitor.Restore(state)
	l.handle()
}

// check holds what a hub was told against the books: nil, or how many events are
// not durable.
func (l *ledger) check(t *testing.T, p *publishing) {
	of := l.booksOf(p)
	if p.err == nil {
		assert.Equal(t, p.published, of.counted+of.refused)
		return
	}
	var not *NotDurableError
	if !assert.ErrorAs(t, p.err, &not) {
		return
	}
	assert.LessOrEqual(t, of.counted+of.refused, p.published)
	assert.GreaterOrEqual(t, of.counted+of.refused+not.Events["fraud"], p.published)
}

// booksOf are the books of all that a hub was: another publisher, once it had
// forgotten the model.
func (l *ledger) booksOf(p *publishing) (of books) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for publisher := range p.publishers {
		if known := l.books[publisher]; known != nil {
			of.counted += known.counted
			of.refused += known.refused
		}
	}
	return of
}

// publishing is a process that publishes for a while, and closes in time or not.
type publishing struct {
	hub        *Hub
	publishers map[string]bool
	random     *rand.Rand
	published  int64
	err        error
}

func (p *publishing) publish(t *testing.T, events int) {
	for range events {
		event := healthy("fraud")
		if p.random.IntN(20) == 0 {
			event = breaching("fraud")
		}
		if err := p.hub.Publish(t.Context(), event); assert.NoError(t, err) {
			p.published++
			p.publishers[publisherOf(p.hub)] = true
		}
	}
}

// live publishes until an instant, and is cut off now and then, also for longer
// than a hub goes on sending a batch again.
func (p *publishing) live(t *testing.T, l *ledger, until time.Time) {
	isCut := false
	for time.Now().Before(until) {
		p.publish(t, 1)
		pause := time.Duration(p.random.Int64N(int64(10 * time.Minute)))
		switch n := p.random.IntN(200); {
		case isCut:
			isCut = false
			l.setCut(p.hub, isOpen)
		case n < 10:
			isCut = true
			l.setCut(p.hub, isMute)
		case n < 11:
			isCut = true
			l.setCut(p.hub, isMute)
			pause += time.Duration(p.random.Int64N(int64(30 * time.Hour)))
		}
		time.Sleep(pause)
	}
	l.setCut(p.hub, isOpen)
}

// once publishes a few events and closes; the answer to its last batch may be lost,
// and the way shut then.
func (p *publishing) once(t *testing.T, l *ledger) {
	p.publish(t, 1+p.random.IntN(2))
	if p.random.IntN(10) == 0 {
		time.Sleep(time.Minute) // these are durable, mostly
		l.setCut(p.hub, isMute)
		lasts := time.Duration(p.random.Int64N(int64(2 * time.Hour)))
		if p.random.IntN(10) == 0 {
			lasts *= 15
		}
		healed := time.AfterFunc(lasts, func() { l.setCut(p.hub, isOpen) })
		defer healed.Stop()
		p.publish(t, 1)
	}
	patience := time.Duration(1+p.random.IntN(120)) * time.Second
	if p.random.IntN(2) == 0 {
		patience = 26 * time.Hour
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.err = p.hub.Close(ctx)
}

// Every event that a hub was told is durable is in the monitor's books, once: as
// counted, or as rejected. It holds over lost answers, cuts for longer than a hub
// goes on, an outage of the monitor, and more publishers than the monitor remembers.
func TestTheSumOfWhatIsAcknowledgedIsTheSumOfWhatIsCounted(t *testing.T) {
	for seed := range uint64(1) { // 3 s; a wider search is a greater number
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 9))
			l := newLedger(seed)
			open := func() *publishing {
				return &publishing{hub: newHub(l, quiet), publishers: map[string]bool{}, random: rand.New(rand.NewPCG(seed, random.Uint64()))}
			}
			end := time.Now().Add(50 * time.Hour)
			var lives sync.WaitGroup
			var all []*publishing
			for range 1 + random.IntN(6) {
				p := open()
				all = append(all, p)
				lives.Go(func() {
					p.live(t, l, end)
					p.err = p.hub.Close(context.Background())
				})
			}
			for range 2 { // bursts of processes that come and go, and an outage after some
				for range 1000 + random.IntN(500) {
					p := open()
					all = append(all, p)
					lives.Go(func() { p.once(t, l) })
					time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
				}
				if random.IntN(2) == 0 {
					l.setAway(t, true)
					time.Sleep(time.Duration(random.Int64N(int64(30 * time.Hour))))
					l.setAway(t, false)
				}
				time.Sleep(time.Duration(random.Int64N(int64(5 * time.Hour))))
			}
			lives.Wait()

			var published, refused int64
			for _, p := range all {
				l.check(t, p)
				published += p.published
				refused += l.booksOf(p).refused
				if p.err != nil && !errors.Is(p.err, context.DeadlineExceeded) {
					require.ErrorContains(t, p.err, "given up")
				}
			}
			for id, b := range l.batches {
				require.False(t, b.counted > 0 && b.refused > 0, "batch %d of %s is in both books", id.sequence, id.publisher)
			}
			status := l.machine.Status(time.Now())
			t.Logf("%d hubs published %d events: %d counted, %d refused; of what was redelivered %d digests dropped, %d rejected",
				len(all), published, status.Events, refused, status.Duplicates, status.Rejected)
			require.Positive(t, status.Rejected, "some were forgotten and came again, or this tests little")
			require.False(t, t.Failed(), "seed %d", seed)
		})
	}
}
