package hub

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
)

// witness is a hub beside another one that is told of everything: it hears of those events
// alone that are to be taken.
type witness struct {
	all, taken *Hub
	at         [2]*fakeCarrier // their monitors
	unfit      map[string]int  // valid events that are refused, by what they have too many of
}

func newWitness(t *testing.T) *witness {
	w := &witness{at: [2]*fakeCarrier{newFakeCarrier(), newFakeCarrier()}}
	w.all = newHub(w.at[0], quick(quiet))
	w.taken = newHub(w.at[1], quick(quiet))
	t.Cleanup(func() { closeHub(t, w.all) })
	t.Cleanup(func() { closeHub(t, w.taken) })
	return w
}

// publish tells both hubs of an event, the second one only if it is to be taken.
func (w *witness) publish(t *testing.T, event metric.Event) {
	isTaken := event.Validate(time.Now()) == nil
	if tooMany := w.tooManyOf(&event); isTaken && tooMany != "" {
		isTaken = false
		w.unfit[tooMany]++
	}

	err := w.all.Publish(context.Background(), event)
	require.Equal(t, isTaken, err == nil, "%v", err)
	if isTaken {
		require.NoError(t, w.taken.Publish(context.Background(), event))
	}
	w.settle()
}

// settle waits until both hubs have handed over what is due, and lets all that they fold
// from now on go into one shard, so that it fits into both or into neither.
func (w *witness) settle() {
	synctest.Wait()
	for _, h := range []*Hub{w.all, w.taken} {
		for p := range h.models.All() {
			p.mu.Lock()
			p.fold.shards = p.fold.shards[:1]
			p.mu.Unlock()
		}
	}
}

// tooManyOf says of what an event has more than fits into what the second hub folds; empty
// where all of it fits.
func (w *witness) tooManyOf(event *metric.Event) string {
	p := w.taken.models.Get(event.ModelName)
	if p == nil {
		return ""
	}

	a := p.fold.shards[0].find(event.ModelVersion, false, time.Now().Unix())
	if a == nil {
		_, isKnown := p.fold.versions[event.ModelVersion]
		if !isKnown && len(p.fold.versions) >= maxVersions {
			return "versions"
		}
		return ""
	}

	metrics, categories := len(a.further), len(a.categories)
	for name := range event.Metrics {
		if a.further[name] == nil {
			metrics++
		}
	}
	for name := range event.Categories {
		if a.categories[name] == nil {
			categories++
		}
	}

	switch {
	case metrics > metric.MaxExtraMetrics:
		return "metrics"
	case categories > metric.MaxCategories:
		return "categories alone"
	}
	return ""
}

// check holds the hubs against each other, and what they count as held against what is.
func (w *witness) check(t *testing.T) {
	require.Equal(t, modelsOf(w.taken), modelsOf(w.all))
	require.Equal(t, w.taken.Backlog(), w.all.Backlog())

	held := int64(0)
	for p := range w.all.models.All() {
		held += p.held()
	}
	require.Equal(t, held, w.all.BacklogBytes())
}

// held is how many bytes of memory a pipe's digests take, those in the making too.
func (p *pipe) held() (bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.fold.shards[0].accumulators {
		bytes += accumulatorBytes
		for i := range a.named {
			bytes += int64(a.named[i].Bytes() - (&metric.Summary{}).Bytes())
		}
		for _, t := range a.further {
			bytes += int64(t.Bytes())
		}
		for name, values := range a.categories {
			bytes += int64(values.Bytes() + len(name))
		}
	}

	for _, parcel := range p.waiting {
		bytes += bytesOf(parcel.Digest)
	}
	return bytes
}

func modelsOf(h *Hub) (names []string) {
	for p := range h.models.All() {
		names = append(names, p.model)
	}
	slices.Sort(names)
	return names
}

// flush lets both hubs hand over all that they have.
func (w *witness) flush(t *testing.T) {
	require.NoError(t, w.all.Flush(context.Background()))
	require.NoError(t, w.taken.Flush(context.Background()))
	w.settle()
}

// received are the digests that a carrier has brought, by model.
func received(c *fakeCarrier) map[string][]*metric.Digest {
	digests := map[string][]*metric.Digest{}
	for _, d := range c.deliveries() {
		digests[d.batch.ModelName] = append(digests[d.batch.ModelName], d.batch.Digests...)
	}
	return digests
}

// someNames are names of which many an event has too many, and some two have together.
func someNames(random *rand.Rand, of string) (names []string) {
	first := random.IntN(10)
	for i := range []int{0, 0, 0, 1, 3, 60, 64, 65}[random.IntN(8)] {
		names = append(names, fmt.Sprint(of, first+i))
	}
	return names
}

// faults are what makes an event senseless.
var faults = []func(*metric.Event){
	func(e *metric.Event) { e.ModelName = "" },
	func(e *metric.Event) { e.ModelVersion = "v\n1" },
	func(e *metric.Event) { e.ModelVersion = strings.Repeat("v", 201) },
	func(e *metric.Event) { e.Timestamp = time.Now().Add(time.Hour) },
	func(e *metric.Event) { e.Accuracy = metric.Some(math.NaN()) },
	func(e *metric.Event) { e.Metrics["metric3"] = math.Inf(1) },
	func(e *metric.Event) { e.Metrics["accuracy"] = 1 },
	func(e *metric.Event) { e.Metrics[""] = 1 },
	func(e *metric.Event) { e.Categories["metric3"], e.Metrics["metric3"] = "x", 1 },
	func(e *metric.Event) { e.Categories["category3"] = "two\nlines" },
	func(e *metric.Event) { e.Categories["latency_ms"] = "high" },
}

func someEvent(random *rand.Rand) metric.Event {
	event := metric.Event{
		ModelName: fmt.Sprint("model", random.IntN(3)), ModelVersion: fmt.Sprint("v", random.IntN(4)),
		Metrics: map[string]float64{}, Categories: map[string]string{},
	}
	if random.IntN(2) == 0 {
		event.Accuracy = metric.Some(0.95)
	}
	for i, name := range someNames(random, "metric") {
		event.Metrics[name] = float64(i)
	}
	for _, name := range someNames(random, "category") {
		event.Categories[name] = fmt.Sprint(random.IntN(1000))
	}
	if random.IntN(3) == 0 {
		faults[random.IntN(len(faults))](&event)
	}
	return event
}

// Whatever is refused, and for whatever reason, changes nothing: not what is held, nor what
// there is room for, nor what the monitors count, nor which models are known.
func TestARefusedEventLeavesTheHubAsItWas(t *testing.T) {
	unfit := map[string]int{}
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 12))
			w := newWitness(t)
			w.unfit = unfit
			for range 100 {
				switch random.IntN(20) {
				case 0: // as many versions as are known at once, and some more
					first := random.IntN(10)
					for v := range maxVersions {
						event := healthy("model0")
						event.ModelVersion = fmt.Sprint("v", first+v)
						w.publish(t, event)
					}
				case 1:
					w.flush(t)
				case 2:
					time.Sleep([]time.Duration{time.Second, time.Minute, 3 * time.Hour}[random.IntN(3)])
					w.settle()
				default:
					w.publish(t, someEvent(random))
				}
				w.check(t)
			}

			w.flush(t)
			require.Equal(t, received(w.at[1]), received(w.at[0]))
			for _, c := range w.at {
				for _, m := range c.machines {
					require.Zero(t, m.Status(time.Now()).Rejected)
				}
			}

			time.Sleep(3 * time.Hour)
			synctest.Wait()
			require.Empty(t, modelsOf(w.all), "all are forgotten")
		})
	}
	t.Log(unfit)
	require.Len(t, unfit, 3, "for each reason some are refused")
}
