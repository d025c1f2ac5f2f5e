package hub

import (
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// afterSleep is what a machine's clocks say after it slept for whole seconds: the
// wall clock has gone on, or was set back, and the monotonic one stood still. Package
// time has no function for it; the seconds of a time that has both clocks are the
// bits above 30 of its first word.
func afterSleep(t *testing.T, awake time.Time, slept time.Duration) time.Time {
	t.Helper()
	asleep := awake
	word := (*uint64)(unsafe.Pointer(&asleep))
	*word += uint64(slept/time.Second) << 30 // wraps as it should
	require.Zero(t, asleep.Sub(awake))
	require.Equal(t, slept, asleep.Round(0).Sub(awake.Round(0)))
	return asleep
}

// awake has both clocks, which the time in a bubble of synctest has not.
var awake = time.Now()

// sleepyClock is the bubble's time, to the second, on both clocks, less what the
// monotonic one has missed.
func sleepyClock(t *testing.T, missed *time.Duration) func() time.Time {
	t.Helper()
	start := time.Now()
	return func() time.Time {
		passed := time.Since(start)
		now := awake.Add(passed)
		ahead := start.Add(passed).Sub(now.Round(0)).Truncate(time.Second)
		return afterSleep(t, now, ahead+*missed)
	}
}

func TestTheTimeWithoutAnOutcomeIsThatOfTheClockThatSaysMore(t *testing.T) {
	start := time.Now()
	assert.Equal(t, time.Hour, elapsed(start, start.Add(time.Hour)))
	assert.Equal(t, 25*time.Hour, elapsed(start, afterSleep(t, start.Add(time.Hour), 24*time.Hour)), "the machine slept for a day")
	assert.Equal(t, time.Hour, elapsed(start, afterSleep(t, start.Add(time.Hour), -24*time.Hour)), "the wall clock was set back")
}

func TestABatchIsNotSentAgainAfterTheMachineHasSleptForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		carrier.set(nil, func(*metric.Batch) error { return serviceerror.NewUnavailable("the answer is lost") })
		h := newHub(carrier, quiet)
		asleep := time.Duration(0)
		h.now = sleepyClock(t, &asleep)
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		synctest.Wait()
		require.Len(t, carrier.deliveries(), 1)

		asleep = giveUpAfter
		require.ErrorContains(t, h.Flush(t.Context()), "given up after 24h0m0s without an outcome: the answer is lost")
		require.Len(t, carrier.deliveries(), 1)
		_ = h.Close(t.Context())
	})
}

func TestAClockThatIsSetBackGivesABatchNoLongerThanADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(away(), quiet)
		set := time.Duration(0)
		h.now = sleepyClock(t, &set)
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		synctest.Wait()
		set = -7 * 24 * time.Hour
		start := time.Now()
		require.ErrorContains(t, h.Flush(t.Context()), "given up")
		assert.InDelta(t, giveUpAfter, time.Since(start), float64(time.Minute))
		_ = h.Close(t.Context())
	})
}

func TestTheAgeOfWhatIsPendingIsThatOfItsOldestEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		release := make(chan struct{})
		h := newHub(carrier, quiet)
		oldest := func() float64 {
			registry := prometheus.NewRegistry()
			registry.MustRegister(h.Collector())
			families, err := registry.Gather()
			require.NoError(t, err)
			for _, family := range families {
				if family.GetName() == "modelvigil_hub_oldest_pending_seconds" {
					return family.GetMetric()[0].GetGauge().GetValue()
				}
			}
			t.Fatal("there is no such metric")
			return 0
		}
		assert.Zero(t, oldest())

		p, err := h.pipe(h.own, "fraud") // nothing was ever sent, and nothing is yet
		require.NoError(t, err)
		synctest.Wait()
		event := healthy("fraud")
		_, err = p.fold.add(&event, h.now)
		require.NoError(t, err)
		p.dirty.Store(true)
		time.Sleep(3 * time.Second)
		assert.InDelta(t, 3, oldest(), 0, "folded")

		carrier.set(func(*metric.Batch) error {
			<-release
			return nil
		}, nil)
		p.nudge()
		time.Sleep(4 * time.Second)
		assert.InDelta(t, 7, oldest(), 0, "under way")
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		time.Sleep(time.Second)
		assert.InDelta(t, 8, oldest(), 0)
		close(release)
		require.NoError(t, h.Flush(t.Context()))
		assert.Zero(t, oldest())
		closeHub(t, h)
	})
}

func TestABreachStaysUrgentWhateverItIsCutFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := ruled(over("a", time.Minute, policy.TimeOfArrival, 5*time.Minute), policy.Below(metric.Accuracy, 0.9))
		h := learnt(t, c, c)
		p, err := h.pipe(h.own, "fraud")
		require.NoError(t, err)
		p.mu.Lock()
		p.share = 0.99 // its hand-over at the period's end is far away
		p.mu.Unlock()
		end := time.Now().Truncate(time.Minute).Add(2 * time.Minute)
		time.Sleep(time.Until(end) - 500*time.Millisecond)
		require.NoError(t, h.PublishDurable(t.Context(), healthy("fraud")))
		time.Sleep(250 * time.Millisecond)
		require.NoError(t, h.Publish(t.Context(), breaching("fraud"))) // due a second after the last, and cut at the end
		time.Sleep(5 * time.Second)
		sent := c.deliveries()
		last := sent[len(sent)-1]
		assert.Equal(t, end.Add(500*time.Millisecond), last.at)
		assert.InDelta(t, 0.8, last.batch.Digests[0].Metrics[metric.Accuracy].Min, 0)
		assert.EqualValues(t, 1, c.status("fraud").Retrainings.Requested)
		closeHub(t, h)
	})
}
