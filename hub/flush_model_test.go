package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
)

// toll is a server that loses batches, delays answers and loses those, and books
// whose events it has taken and refused: an event has a metric of its publisher's
// name, and one of what the publisher did.
type toll struct {
	mu             sync.Mutex
	random         *rand.Rand
	seen           map[string]map[int64]bool // by publisher, the numbers of the batches it has taken
	taken, refused map[string]int64          // by metric
}

func (c *toll) draw(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(n)
}

func (c *toll) book(ledger map[string]int64, batch *metric.Batch) {
	for _, digest := range batch.Digests {
		for name, metric := range digest.Metrics {
			ledger[name] += metric.Count
		}
	}
}

func (c *toll) send(ctx context.Context, batch *metric.Batch) (string, error) {
	select {
	case <-time.After(time.Duration(c.draw(3)*c.draw(3)) * time.Second):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	fate := c.draw(10)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[batch.Publisher] == nil {
		c.seen[batch.Publisher] = map[int64]bool{}
	}
	isNews := !c.seen[batch.Publisher][batch.Sequence]

	switch {
	case fate < 2:
		return "", serviceerror.NewUnavailable("away")
	case fate < 4 && isNews: // one that was taken is not refused for good
		c.book(c.refused, batch)
		return "", ErrMonitorStopped
	case isNews:
		c.seen[batch.Publisher][batch.Sequence] = true
		c.book(c.taken, batch)
	}
	if fate < 6 {
		return "", serviceerror.NewUnavailable("the answer is lost")
	}
	return "", nil
}

func (c *toll) ask(context.Context, string) (contract.Guidance, error) {
	return contract.Guidance{}, errors.New("no guidance")
}

// account is what the server has of one publisher, or of one of its deeds.
type account struct{ taken, refused int64 }

func (c *toll) account(name string) account {
	c.mu.Lock()
	defer c.mu.Unlock()
	return account{c.taken[name], c.refused[name]}
}

// flusher is one publisher of a hub that has several. It knows what it has
// published, and holds every answer against the server's books.
type flusher struct {
	hub       *Hub
	server    *toll
	name      string
	random    *rand.Rand
	published int64
	deeds     int
}

func (f *flusher) deed() string { return fmt.Sprint(f.name, ".", f.deeds) }

func (f *flusher) event() metric.Event {
	f.published++
	return metric.Event{ModelName: fmt.Sprint("m", f.random.IntN(2)), Metrics: map[string]float64{f.name: 1, f.deed(): 1}}
}

// act does one thing that a publisher may do; false once the hub is closed.
func (f *flusher) act(t *testing.T) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+f.random.IntN(60))*time.Second)
	defer cancel()
	f.deeds++
	var err error
	switch f.random.IntN(6) {
	case 0, 1:
		if err = f.hub.Publish(ctx, f.event()); err != nil {
			f.published--
		}
		time.Sleep(time.Duration(f.random.IntN(3000)) * time.Millisecond)
	case 2, 3:
		err = f.hub.Flush(ctx)
		f.checkHub(ctx, t, err)
	case 4:
		if err = f.hub.PublishDurable(ctx, f.event()); isTurnedAway(err) {
			f.published--
			break
		}
		f.checkOwn(t, err, 1)
	default:
		receipt := f.hub.NewReceipt()
		own := int64(1 + f.random.IntN(3))
		for range own {
			if err = receipt.Publish(ctx, f.event()); err != nil {
				f.published--
				own--
			}
			time.Sleep(time.Duration(f.random.IntN(3000)) * time.Millisecond)
		}
		err = receipt.Flush(ctx)
		f.checkOwn(t, err, own)
	}
	return !errors.Is(err, ErrClosed)
}

// isTurnedAway says that an event was not published.
func isTurnedAway(err error) bool {
	var not *NotDurableError
	return err != nil && !errors.As(err, &not)
}

// checkHub holds what Hub.Flush said against the books.
func (f *flusher) checkHub(ctx context.Context, t *testing.T, err error) {
	now := f.server.account(f.name)
	if err == nil {
		assert.Equal(t, account{taken: f.published}, now, "nil only where all is durable and nothing was lost")
		return
	}
	var not *NotDurableError
	if !assert.ErrorAs(t, err, &not) {
		return
	}
	named := int64(0)
	for events := range maps.Values(not.Events) {
		assert.Positive(t, events)
		named += events
	}
	assert.GreaterOrEqual(t, named, now.refused)
	if ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		assert.ErrorIs(t, err, ErrMonitorStopped, "without a loss, and with time, there is no error")
	}
}

// checkOwn holds an answer about the events of the last deed against the books.
func (f *flusher) checkOwn(t *testing.T, err error, events int64) {
	now := f.server.account(f.deed())
	if err == nil {
		assert.Equal(t, account{taken: events}, now)
		return
	}
	var not *NotDurableError
	if !assert.ErrorAs(t, err, &not) {
		return
	}
	named := int64(0)
	for events := range maps.Values(not.Events) {
		assert.Positive(t, events)
		named += events
	}
	assert.LessOrEqual(t, named, events, "no more than were published")
	assert.GreaterOrEqual(t, named, now.refused)
}

// Whatever publishers and housekeepers of one hub do at once, with a server that
// refuses, delays and answers late, and with a Close at some moment.
func TestNobodyIsToldThatALostEventIsDurable(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 5))
			server := &toll{random: rand.New(rand.NewPCG(seed, 6)), seen: map[string]map[int64]bool{}, taken: map[string]int64{}, refused: map[string]int64{}}
			h := newHub(server, quiet)
			publishers := make([]*flusher, 1+random.IntN(4))
			var acting sync.WaitGroup
			for i := range publishers {
				f := &flusher{hub: h, server: server, name: fmt.Sprint("by", i), random: rand.New(rand.NewPCG(seed, uint64(10+i)))}
				publishers[i] = f
				acting.Go(func() {
					for f.act(t) && !t.Failed() {
					}
				})
			}
			housekeeper := rand.New(rand.NewPCG(seed, 7))
			acting.Go(func() {
				for !errors.Is(h.Publish(t.Context(), metric.Event{ModelName: "m2", Metrics: map[string]float64{"by housekeeper": 1}}), ErrClosed) {
					_ = h.Flush(t.Context())
					time.Sleep(time.Duration(housekeeper.IntN(10_000)) * time.Millisecond)
				}
			})

			time.Sleep(time.Duration(random.IntN(300)) * time.Second)
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(30))*time.Second)
			defer cancel()
			closed := h.Close(ctx)
			acting.Wait()
			lost := int64(0)
			for _, f := range publishers {
				f.checkHub(ctx, t, h.Flush(context.Background()))
				lost += server.account(f.name).refused
				if closed == nil {
					f.checkHub(ctx, t, closed)
				}
			}
			if closed != nil {
				var not *NotDurableError
				require.ErrorAs(t, closed, &not)
				assert.GreaterOrEqual(t, not.Events["m0"]+not.Events["m1"], lost)
			}
			require.False(t, t.Failed(), "seed %d", seed)
		})
	}
}
