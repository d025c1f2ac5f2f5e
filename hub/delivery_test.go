package hub

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

func TestMain(m *testing.M) { patience.Main(m) }

func TestTheFirstEventAfterQuietGoesAtOnceAndHealthyOnesWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		start := time.Now()
		for range 150 * 10 { // 150 s at 10 a second
			require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
			time.Sleep(100 * time.Millisecond)
		}
		closeHub(t, h)

		sent := carrier.deliveries()
		require.Len(t, sent, 4, "at 0, 60 and 120 s, and the last on Close at 150 s")
		for i, want := range []time.Duration{0, time.Minute, 2 * time.Minute, 150 * time.Second} {
			assert.InDelta(t, want, sent[i].at.Sub(start), float64(200*time.Millisecond))
		}
		assert.EqualValues(t, 1500, carrier.status("fraud").Events)
		assert.True(t, sent[3].batch.Closed)
	})
}

func TestABreachGoesAtOnceThenOnceASecondAndNotInCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		time.Sleep(3 * time.Second)
		start := time.Now()
		for range 300 {
			require.NoError(t, h.Publish(t.Context(), breaching("fraud")))
			time.Sleep(100 * time.Millisecond)
		}
		sent := carrier.deliveries()
		require.GreaterOrEqual(t, len(sent), 2)
		assert.Equal(t, start, sent[1].at, "the first breach after health")
		assert.LessOrEqual(t, len(sent), 6, "in cooldown a breach is not urgent")
		status := carrier.status("fraud")
		assert.EqualValues(t, 1, status.Retrainings.Requested)
		closeHub(t, h)
		assert.EqualValues(t, 301, carrier.status("fraud").Events)
	})
}

func TestNoDigestStraddlesTheEndOfTheCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		require.NoError(t, h.PublishDurable(t.Context(), breaching("fraud")))
		end := carrier.status("fraud").CooldownUntil
		time.Sleep(2 * time.Second) // the hub learns of the cooldown
		time.Sleep(time.Until(end) - 5*time.Second)
		for time.Until(end) > -5*time.Second {
			require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
			time.Sleep(time.Millisecond)
		}
		closeHub(t, h)
		for _, d := range carrier.deliveries() {
			for _, digest := range d.batch.Digests {
				straddles := digest.FoldedFrom.Before(end) && digest.FoldedUntil.After(end)
				assert.False(t, straddles, "folded %s to %s, cooldown until %s", digest.FoldedFrom, digest.FoldedUntil, end)
			}
		}
	})
}

func TestABreachFoldedInCooldownTriggersNothingWhenItArrivesAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		carrier.machines["fraud"] = monitor.NewMachine("fraud", "model-monitor/fraud/run", policy.Policy{}.WithCooldown(6*time.Second))
		h := newHub(carrier, quiet)
		require.NoError(t, h.PublishDurable(t.Context(), breaching("fraud")))
		time.Sleep(time.Second) // the hub learns of the cooldown
		for range 4 {
			require.NoError(t, h.Publish(t.Context(), breaching("fraud")))
			time.Sleep(time.Second)
		}
		for range 20 { // healthy again when the cooldown ends
			require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
			time.Sleep(time.Second)
		}
		closeHub(t, h)
		status := carrier.status("fraud")
		assert.EqualValues(t, 1, status.Retrainings.Requested)
		assert.Positive(t, status.Suppressed[journal.ByCooldown])
		assert.EqualValues(t, 25, status.Events)
	})
}

func TestRedeliveryCountsOnce(t *testing.T) {
	unknown := map[string]error{
		"the answer is lost":                 serviceerror.NewUnavailable("connection reset"),
		"the deadline passes":                context.DeadlineExceeded,
		"the run has taken all its signals":  serviceerror.NewInvalidArgument(signalsExceeded),
		"the server has only just started":   serviceerror.NewNamespaceNotFound("default"),
		"the namespace is over its own rate": serviceerror.NewResourceExhausted(1, "slow down"),
	}
	for name, fault := range unknown {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				carrier := newFakeCarrier()
				failures := 0
				carrier.set(nil, func(*metric.Batch) error { // taken in, but not told
					if failures++; failures <= 5 {
						return fault
					}
					return nil
				})
				h := newHub(carrier, quiet)
				for range 10 {
					require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
				}
				require.NoError(t, h.Flush(t.Context()))
				closeHub(t, h)
				status := carrier.status("fraud")
				assert.EqualValues(t, 10, status.Events)
				assert.Positive(t, status.Duplicates)
			})
		})
	}
}

func TestEveryEventIsCountedOnceThroughRandomFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(7, 7))
		var mu sync.Mutex
		fault := func(*metric.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			if random.IntN(3) == 0 {
				return serviceerror.NewUnavailable("cut")
			}
			return nil
		}
		carrier := newFakeCarrier()
		carrier.set(fault, fault)
		h := newHub(carrier, quiet)
		var work sync.WaitGroup
		for publisher := range 8 {
			work.Go(func() {
				for i := range 500 {
					model := fmt.Sprintf("model-%d", (publisher+i)%3)
					assert.NoError(t, h.Publish(t.Context(), healthy(model)))
					if i%50 == 0 {
						time.Sleep(time.Second)
					}
				}
			})
		}
		work.Wait()
		closeHub(t, h)
		total := int64(0)
		for i := range 3 {
			total += carrier.status(fmt.Sprintf("model-%d", i)).Events
		}
		assert.EqualValues(t, 8*500, total)
	})
}

func TestAServerThatIsAwayCostsBoundedMemoryAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		carrier.set(func(*metric.Batch) error { return serviceerror.NewUnavailable("away") }, nil)
		h := newHub(carrier, quiet)
		for range 1000 {
			require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := h.Flush(ctx)
		var missing *NotDurableError
		require.ErrorAs(t, err, &missing)
		assert.EqualValues(t, 1000, missing.Events["fraud"])
		require.ErrorIs(t, err, context.DeadlineExceeded)
		p := h.models.Get("fraud")
		p.mu.Lock()
		assert.LessOrEqual(t, len(p.waiting), maxWaiting+policy.DefaultBaselineSamples/100, "and those that end with a hundredth reading")
		p.mu.Unlock()

		carrier.set(nil, nil)
		require.NoError(t, h.Flush(t.Context()))
		assert.EqualValues(t, 1000, carrier.status("fraud").Events)
		closeHub(t, h)
	})
}

func TestWhatIsRefusedForGoodIsReported(t *testing.T) {
	for name, refusal := range map[string]error{
		"the monitor was stopped":        fmt.Errorf("%w: x", ErrMonitorStopped),
		"the server calls it invalid":    serviceerror.NewInvalidArgument("blob too large"),
		"the credentials are not enough": serviceerror.NewPermissionDenied("no", ""),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				carrier := newFakeCarrier()
				carrier.set(func(*metric.Batch) error { return refusal }, nil)
				h := newHub(carrier, quiet)
				err := h.PublishDurable(t.Context(), healthy("fraud"))
				require.ErrorIs(t, err, refusal)
				require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
				err = h.Close(t.Context())
				var missing *NotDurableError
				require.ErrorAs(t, err, &missing)
				assert.EqualValues(t, 2, missing.Events["fraud"])
			})
		})
	}
}

func TestABatchIsGivenUpAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		carrier.set(func(*metric.Batch) error { return serviceerror.NewUnavailable("away") }, nil)
		h := newHub(carrier, quiet)
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		time.Sleep(giveUpAfter + time.Minute)
		err := h.Close(t.Context())
		require.ErrorContains(t, err, "given up after 24h")
	})
}

func TestPublishRefusesWhatMakesNoSense(t *testing.T) {
	h := newHub(newFakeCarrier(), quiet)
	defer closeHub(t, h)
	for name, event := range map[string]metric.Event{
		"accuracy: must be a finite number":     metric.NewEvent("fraud", "v1", math.NaN(), 1, 1),
		"latency_ms: must be a finite number":   metric.NewEvent("fraud", "v1", 1, math.Inf(1), 1),
		"drift_score: must be a finite number":  metric.NewEvent("fraud", "v1", 1, 1, -1e101),
		"metrics.auc: must be a finite number":  {ModelName: "fraud", Metrics: map[string]float64{"auc": math.NaN()}},
		"model_name: must be 1 to 200 bytes":    {Accuracy: metric.Some(1.0)},
		"model_version: must be 0 to 200 bytes": {ModelName: "fraud", ModelVersion: string(make([]byte, 201))},
		"ahead of the clock":                    {ModelName: "fraud", Timestamp: time.Now().Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, h.Publish(t.Context(), event), name)
		})
	}
	require.NoError(t, h.Publish(t.Context(), healthy("fraud")), "bad readings spoil nothing")
}

func TestAClosedHubRefusesEventsAndLosesNone(t *testing.T) {
	carrier := newFakeCarrier()
	h := newHub(carrier, quiet)
	var taken int64
	var mu sync.Mutex
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for {
				err := h.Publish(t.Context(), healthy("fraud"))
				if errors.Is(err, ErrClosed) {
					return
				}
				assert.NoError(t, err)
				mu.Lock()
				taken++
				mu.Unlock()
			}
		})
	}
	closeHub(t, h)
	work.Wait()
	assert.Equal(t, taken, carrier.status("fraud").Events)
	require.ErrorIs(t, h.Publish(t.Context(), healthy("other")), ErrClosed)
	require.ErrorIs(t, h.Close(t.Context()), ErrClosed)
}

func TestLateEventsAreFoldedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		late := metric.Event{
			ModelName: "fraud", ModelVersion: "v1", Timestamp: time.Now().Add(-5 * time.Hour), Accuracy: metric.Some(0.95),
		}
		require.NoError(t, h.Publish(t.Context(), late))
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		closeHub(t, h)
		byLateness := map[bool]int64{}
		for _, d := range carrier.deliveries() {
			for _, digest := range d.batch.Digests {
				byLateness[digest.Late] += digest.Events
			}
		}
		assert.Equal(t, map[bool]int64{true: 1, false: 1}, byLateness)
	})
}

func TestTheBudgetHoldsOverAllModelsAndUrgentGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		options := quiet
		options.Budget = 20
		h := newHub(carrier, options)
		start := time.Now()
		for i := range 2000 {
			require.NoError(t, h.Publish(t.Context(), healthy(fmt.Sprintf("model-%d", i))))
		}
		time.Sleep(5 * time.Second)
		require.NoError(t, h.Publish(t.Context(), breaching("urgent")))
		synctest.Wait()
		sent := carrier.deliveries()
		assert.Equal(t, "urgent", sent[len(sent)-1].batch.ModelName)
		assert.Equal(t, time.Now(), sent[len(sent)-1].at)
		time.Sleep(25 * time.Second)
		elapsed := time.Since(start).Seconds()
		assert.LessOrEqual(t, float64(len(carrier.deliveries())), 20*elapsed+20)
		require.NoError(t, h.Close(t.Context()))
	})
}
