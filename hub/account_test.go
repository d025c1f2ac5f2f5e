package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/share"
	"github.com/modelvigil/modelvigil/metric"
)

func TestOneAccountLeavesModelsToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(newFakeCarrier(), quiet)
		h.modelRoom = share.New(40)
		defer closeHub(t, h)
		publish := func(account string) (models int) {
			for ; ; models++ {
				err := h.Account(account).Publish(t.Context(), healthy(fmt.Sprintf("%s-%d", account, models)))
				if err != nil {
					require.ErrorIs(t, err, errFewModels)
					return models
				}
			}
		}
		assert.Equal(t, 20, publish("greedy"))
		assert.Equal(t, 10, publish("modest"))
		require.NoError(t, h.Account("third").Publish(t.Context(), healthy("greedy-7")), "a model that is there is nobody's further one")
		require.NoError(t, h.Account("greedy").Publish(t.Context(), healthy("greedy-7")))

		synctest.Wait()
		time.Sleep(3 * modelIdle)
		synctest.Wait()
		assert.Zero(t, h.models.Len(), "idle ones are forgotten")
		assert.Equal(t, 20, publish("modest"), "and their places are free again")
	})
}

func TestAModelThatWasForgottenComesBackAndNothingIsLostOrCountedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		r := h.NewReceipt()
		for range 3 {
			require.NoError(t, r.Publish(t.Context(), healthy("fraud")))
			require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
			require.NoError(t, r.Flush(t.Context()), "a receipt outlives what it was for")
			time.Sleep(2*modelIdle + time.Minute)
			synctest.Wait()
			require.Nil(t, h.models.Get("fraud"))
		}
		assert.EqualValues(t, 6, carrier.status("fraud").Events)
		assert.Zero(t, carrier.status("fraud").Gaps)
		closeHub(t, h)

		publishers := map[string]bool{}
		for _, d := range carrier.deliveries() {
			publishers[d.batch.Publisher] = true
		}
		assert.Len(t, publishers, 3, "batches are numbered anew, so the publisher is another")
	})
}

func TestAModelIsNotForgottenWhileSomebodyPublishesToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		var publishers sync.WaitGroup
		var sent int64
		var mu sync.Mutex
		for range 4 {
			publishers.Go(func() {
				for range 200 {
					time.Sleep(rand.N(2 * modelIdle))
					if err := h.Publish(t.Context(), healthy("fraud")); err != nil {
						t.Error(err)
					}
					mu.Lock()
					sent++
					mu.Unlock()
				}
			})
		}
		publishers.Wait()
		closeHub(t, h)
		assert.Equal(t, sent, carrier.status("fraud").Events)
	})
}

func TestManyModelsOfOneAccountDoNotHoldUpThoseOfAnother(t *testing.T) {
	for name, event := range map[string]func(string) metric.Event{"that breach": breaching, "that are healthy": healthy} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				carrier := newFakeCarrier()
				h := newHub(carrier, quiet)
				for i := range 3000 {
					require.NoError(t, h.Account("greedy").Publish(t.Context(), event(fmt.Sprint("greedy-", i))))
				}
				time.Sleep(2 * time.Second) // the burst is spent

				published := time.Now()
				require.NoError(t, h.Account("modest").Publish(t.Context(), event("modest")))
				time.Sleep(time.Minute)
				reached, before := published.Add(time.Hour), 0
				for _, d := range carrier.deliveries() {
					switch {
					case d.batch.ModelName == "modest":
						reached = earliest(reached, d.at)
					case d.at.After(published) && d.at.Before(reached):
						before++
					}
				}
				assert.Less(t, before, 150, "signals of the other went first, of 50 a second") // a healthy one pauses for up to 1.5 s
				h.stop()
				h.work.Wait()
			})
		})
	}
}

// Whatever is folded, cut, merged, sent, refused and forgotten: what is counted is at
// least what it takes, and all of it is given back.
func TestABacklogTakesNoMoreThanIsCounted(t *testing.T) {
	carrier := newFakeCarrier()
	h := newHub(carrier, quiet)
	defer closeHub(t, h)
	carrier.set(func(*metric.Batch) error { return errors.Join(context.DeadlineExceeded) }, nil)
	before := inUse()
	const models = 40
	event := func(model, version int, spread float64) metric.Event {
		e := healthy(fmt.Sprint("model-", model))
		e.ModelVersion, e.Metrics = fmt.Sprint("v", version), map[string]float64{}
		for i := range metric.MaxExtraMetrics {
			e.Metrics[fmt.Sprintf("%s%d", strings.Repeat("m", 90), i)] = spread
		}
		return e
	}
	for version := range 32 {
		for model := range models {
			for _, spread := range []float64{1, 1e4, 1e-4}[:1+(model+version)%3] {
				require.NoError(t, h.Account("any").Publish(t.Context(), event(model, version, spread)))
			}
		}
	}
	takes, counted := inUse()-before, h.BacklogBytes()
	t.Logf("%d MiB, of which %d are counted", takes>>20, counted>>20)
	assert.LessOrEqual(t, takes, counted+models*modelBytes)
	assert.Less(t, counted, 3*takes, "what is counted is near to what it takes")
	assert.Equal(t, counted, h.Account("any").BacklogBytes())

	carrier.set(nil, nil)
	require.NoError(t, h.Flush(t.Context()))
	assert.Zero(t, h.BacklogBytes(), "what is durable takes nothing")
	assert.Zero(t, h.Account("any").BacklogBytes())
}

func TestAModelWithoutABacklogTakesLittle(t *testing.T) {
	const models = 2000
	h := newHub(newFakeCarrier(), quick(quiet))
	defer closeHub(t, h)
	before := inUse()
	for i := range models {
		require.NoError(t, h.Publish(t.Context(), healthy(fmt.Sprint("model-", i))))
	}
	require.NoError(t, h.Flush(t.Context()))
	h.carrier.(*fakeCarrier).forget()
	takes := inUse() - before
	t.Logf("%d bytes a model", takes/models)
	assert.Less(t, takes, int64(models*modelBytes))
}

// quick are options of a hub that need not wait for its budget.
func quick(o Options) Options {
	o.Budget = 1e6
	return o
}

// modelBytes is half as much again as a model takes of the heap that has no backlog. Its
// goroutine's stack comes on top: how large it is the runtime chooses, by its own rules.
const modelBytes = 20 << 10

// inUse is how many bytes of the heap are in use.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestTheAgeOfWhatIsPendingIsThatOfTheOldestEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(newFakeCarrier(), quiet)
		p := newPipe(h, h.own, "fraud") // whose first batch was not cut yet
		assert.Zero(t, p.pendingSince())
		event := healthy("fraud")
		require.NoError(t, p.add(t.Context(), &event))
		time.Sleep(3 * time.Second)
		require.NoError(t, p.add(t.Context(), &event))
		assert.Equal(t, 3*time.Second, p.pendingSince())
		p.cut(h.now())
		assert.Equal(t, 3*time.Second, p.pendingSince())
		closeHub(t, h)
	})
}

// hanging is a server that takes batches and never answers.
type hanging struct{ now, most, models atomic.Int64 }

func (c *hanging) send(ctx context.Context, batch *metric.Batch) (string, error) {
	c.models.Add(1)
	bytes := int64(0)
	for _, digest := range batch.Digests {
		bytes += bytesOf(digest)
	}
	now := c.now.Add(bytes)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	<-ctx.Done()
	c.now.Add(-bytes)
	return "", ctx.Err()
}

func (c *hanging) ask(ctx context.Context, _ string) (contract.Guidance, error) {
	<-ctx.Done()
	return contract.Guidance{}, ctx.Err()
}

func TestAServerThatHangsHoldsNoMoreThanSoMuchAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := &hanging{}
		h := newHub(carrier, quick(quiet))
		event := healthy("")
		event.Metrics = map[string]float64{}
		for i := range metric.MaxExtraMetrics {
			event.Metrics[fmt.Sprint("m", i)] = float64(i)
		}
		for model := range 1000 {
			event.ModelName = fmt.Sprint("greedy-", model)
			require.NoError(t, h.Account("greedy").Publish(t.Context(), event))
		}
		time.Sleep(time.Minute)
		sent := carrier.models.Load()
		assert.Greater(t, carrier.most.Load(), int64(maxFlying/4))
		assert.LessOrEqual(t, carrier.most.Load(), int64(maxFlying/2))
		assert.Less(t, sent, int64(1000))

		require.NoError(t, h.Account("modest").Publish(t.Context(), healthy("modest")))
		time.Sleep(time.Minute)
		assert.Equal(t, sent+1, carrier.models.Load(), "there is room for others")
		h.stop()
		h.work.Wait()
		assert.Zero(t, h.flying.Taken())
	})
}

// A request of a gateway may be about ten thousand models, and there may be thousands of
// such requests that wait.
func TestWhoWaitsForManyModelsTakesNoGoroutineForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const models = 300
		h := newHub(&hanging{}, quick(quiet))
		receipt := h.Account("greedy").NewReceipt()
		for model := range models {
			require.NoError(t, receipt.Publish(t.Context(), healthy(fmt.Sprint("greedy-", model))))
		}
		assert.True(t, receipt.Has("greedy-7"))
		assert.False(t, receipt.Has("modest"))
		synctest.Wait()

		before := runtime.NumGoroutine()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		flushed := make(chan error, 1)
		go func() { flushed <- receipt.Flush(ctx) }()
		synctest.Wait()
		assert.Less(t, runtime.NumGoroutine()-before, models/10)

		var missing *NotDurableError
		require.ErrorAs(t, <-flushed, &missing)
		assert.Len(t, missing.Events, models, "and each of them is asked")
		h.stop()
		h.work.Wait()
	})
}
