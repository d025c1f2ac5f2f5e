package hub

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/modelvigil/modelvigil/metric"
)

// leastPayload is the least that a server takes of a payload where it is set up as
// docs/disasters.md has it.
const leastPayload = 512 << 10

// abundance are events that make as much of a digest as they may, in one way or another.
type abundance struct {
	versions, metrics, categories, values int

	longest int    // of a value, in bytes
	letter  string // that it is filled up with
	decades float64
}

func newAbundance(random *rand.Rand) abundance {
	few := func(most int) int { return 1 + random.IntN(most)*random.IntN(2) }
	a := abundance{versions: few(maxVersions), longest: 3 + few(190), letter: []string{"x", "<", "é"}[random.IntN(3)]}
	if random.IntN(3) > 0 {
		a.categories = metric.MaxCategories / few(4)
		a.values = few(150)
	}
	if a.categories == 0 || random.IntN(2) == 0 {
		a.metrics = metric.MaxExtraMetrics / few(4)
		a.decades = float64(random.IntN(90))
	}
	return a
}

func (a *abundance) event(random *rand.Rand, i int) metric.Event {
	e := metric.Event{
		ModelName: "fraud", ModelVersion: fmt.Sprint("v", i%a.versions), Metrics: map[string]float64{}, Categories: map[string]string{},
	}
	for m := range a.metrics {
		e.Metrics[fmt.Sprint("feature.", m)] = math.Pow(10, a.decades*(2*random.Float64()-1)) * float64(1-2*random.IntN(2))
	}
	for c := range a.categories {
		e.Categories[fmt.Sprint("category.", c)] = fmt.Sprintf("%03d", random.IntN(a.values)) + strings.Repeat(a.letter, (a.longest-3)/len(a.letter))
	}
	return e
}

// Whatever is published while the server is away, it takes each batch afterwards, and so
// does the monitor: nothing is too large to be sent, and nothing of it vanishes.
func TestEachBatchIsSmallEnoughWhateverIsPublished(t *testing.T) {
	parted := 0
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 4))
			a := newAbundance(random)
			carrier := newFakeCarrier()
			h := newHub(carrier, quiet)
			account := h.Account([]string{"", "token"}[random.IntN(2)])
			isAway, largest := true, 0
			carrier.set(func(batch *metric.Batch) error {
				if isAway {
					return serviceerror.NewUnavailable("away")
				}
				encoded, err := json.Marshal(batch)
				if len(encoded) > leastPayload {
					err = serviceerror.NewInvalidArgument("Blob data size exceeds limit.")
				}
				largest = max(largest, len(encoded))
				return err
			}, nil)

			const rounds = 40_000
			events := min(2000, rounds/max(a.metrics, a.categories))
			for i := range events {
				require.NoError(t, account.Publish(t.Context(), a.event(random, i)))
			}
			time.Sleep(time.Minute)
			carrier.mu.Lock()
			isAway = false
			carrier.mu.Unlock()

			assert.NoError(t, h.Flush(t.Context()), "seed %d: %+v", seed, a)
			status := carrier.status("fraud")
			assert.EqualValues(t, events, status.Events, "seed %d: %+v", seed, a)
			assert.Zero(t, status.Rejected, "%v", status.Rejections)
			values, readings := int64(0), int64(0)
			for _, d := range carrier.deliveries() {
				for _, digest := range d.batch.Digests {
					for _, v := range digest.Categories {
						values += v.Count()
					}
					for _, m := range digest.Metrics {
						readings += m.Count
					}
				}
			}
			assert.EqualValues(t, events*a.categories, values)
			assert.EqualValues(t, events*a.metrics, readings)
			t.Logf("seed %d: %d batches, the largest of %d bytes, of %+v", seed, len(carrier.deliveries()), largest, a)
			if largest > maxBatchBytes/2 {
				parted++
			}
			closeHub(t, h)
		})
	}
	assert.Positive(t, parted, "some come near to what a batch may take")
}

// What is encoded of a batch is small, however much memory its digests take. If that were
// counted, one might never find room beside those of others.
func TestABatchFindsRoomHoweverMuchMemoryItsDigestsTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := &hanging{}
		h := newHub(carrier, quick(quiet))
		random := rand.New(rand.NewPCG(1, 4))
		small := abundance{versions: 1, metrics: metric.MaxExtraMetrics}
		for _, greedy := range []string{"one", "another"} {
			for model := range 300 {
				event := small.event(random, 0)
				event.ModelName = fmt.Sprint(greedy, "-", model)
				require.NoError(t, h.Account(greedy).Publish(t.Context(), event))
			}
		}
		time.Sleep(5 * time.Second)
		sent := carrier.models.Load()

		large := abundance{
			versions: 1, metrics: metric.MaxExtraMetrics, decades: 90,
			categories: metric.MaxCategories, values: 150, longest: 190, letter: "x",
		}
		p := newPipe(h, h.Account("modest"), "fraud")
		for i := range 2000 {
			event := large.event(random, i)
			require.NoError(t, p.add(t.Context(), &event))
		}
		p.cut(h.now())
		p.waiting = p.waiting[len(p.waiting)-1:] // the largest, of what came after baselines of any length
		h.work.Go(func() { p.handOver(h.done, true) })
		synctest.Wait()

		assert.Greater(t, p.batchBytes, int64(maxFlight))
		assert.Equal(t, sent+1, carrier.models.Load())
		h.stop()
		h.work.Wait()
		assert.Zero(t, h.flying.Taken())
	})
}
