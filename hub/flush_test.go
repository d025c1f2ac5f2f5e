package hub

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/modelvigil/modelvigil/hub/internal/loss"
	"github.com/modelvigil/modelvigil/metric"
)

// refusing is a server whose monitors are stopped; each answer takes a while.
func refusing() *fakeCarrier {
	carrier := newFakeCarrier()
	carrier.set(func(*metric.Batch) error {
		time.Sleep(100 * time.Millisecond)
		return ErrMonitorStopped
	}, nil)
	return carrier
}

// away is a server that nobody reaches.
func away() *fakeCarrier {
	carrier := newFakeCarrier()
	carrier.set(func(*metric.Batch) error { return serviceerror.NewUnavailable("away") }, nil)
	return carrier
}

// lostOf is how many events of a model an error names.
func lostOf(t *testing.T, err error, model string) int64 {
	t.Helper()
	var not *NotDurableError
	require.ErrorAs(t, err, &not)
	return not.Events[model]
}

func TestALossIsToldToEveryoneWhoFlushesWithinTheHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := refusing()
		h := newHub(carrier, quiet)
		var errs [3]error // of two publishers and a housekeeper, all at once
		var flushing sync.WaitGroup
		for i := range errs {
			flushing.Go(func() {
				if i < 2 {
					assert.NoError(t, h.Publish(t.Context(), healthy("fraud")))
				}
				time.Sleep(time.Millisecond) // both have published
				errs[i] = h.Flush(t.Context())
			})
		}
		flushing.Wait()
		for _, err := range errs {
			require.ErrorIs(t, err, ErrMonitorStopped)
			assert.EqualValues(t, 2, lostOf(t, err, "fraud"))
		}

		carrier.set(nil, nil)
		time.Sleep(loss.Memory - time.Second)
		for range 3 {
			require.ErrorIs(t, h.Flush(t.Context()), ErrMonitorStopped, "whoever comes, and however often the loss was told")
		}
		require.ErrorIs(t, h.Close(t.Context()), ErrMonitorStopped)
	})
}

func TestALossIsNotToldForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := refusing()
		h := newHub(carrier, quiet)
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		time.Sleep(time.Minute)
		carrier.set(nil, nil)

		time.Sleep(24 * time.Hour)
		require.ErrorIs(t, h.Flush(t.Context()), ErrMonitorStopped, "nobody was told yet, however old it is")
		for range 2 {
			time.Sleep(loss.Memory)
			require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
			_ = h.Flush(t.Context())
		}
		require.NoError(t, h.Flush(t.Context()))
		assert.EqualValues(t, 1, lostOf(t, h.Close(t.Context()), "fraud"), "Close has the last word on all there ever were")
	})
}

func TestAFlushUnderWayNamesWhatAnotherOneForgetsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := refusing()
		h := newHub(carrier, quiet)
		require.ErrorIs(t, h.PublishDurable(t.Context(), healthy("fraud")), ErrMonitorStopped)
		carrier.set(func(batch *metric.Batch) error {
			if batch.ModelName == "slow" {
				return serviceerror.NewUnavailable("away")
			}
			return nil
		}, nil)
		require.NoError(t, h.Publish(t.Context(), healthy("slow")))

		var first error
		var flushing sync.WaitGroup
		flushing.Go(func() { first = h.Flush(t.Context()) })
		for range 3 { // housekeepers, who give up at once
			time.Sleep(loss.Memory)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_ = h.Flush(ctx)
			cancel()
		}
		carrier.set(nil, nil)
		flushing.Wait()
		assert.EqualValues(t, 1, lostOf(t, first, "fraud"))
		require.NoError(t, h.Flush(t.Context()))
		_ = h.Close(t.Context())
	})
}

func TestNothingWaitsOnAClosedHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := away()
		h := newHub(carrier, quiet)
		own := h.NewReceipt()
		require.NoError(t, own.Publish(t.Context(), healthy("fraud")))

		waits := map[string]func() error{
			"Hub.Flush":          func() error { return h.Flush(context.Background()) },
			"Receipt.Flush":      func() error { return own.Flush(context.Background()) },
			"Hub.PublishDurable": func() error { return h.PublishDurable(context.Background(), healthy("fraud")) },
		}
		ended := map[string]chan error{}
		for name, wait := range waits {
			told := make(chan error, 1)
			ended[name] = told
			go func() { told <- wait() }()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := h.Close(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualValues(t, 2, lostOf(t, err, "fraud"))

		for name := range waits { // those that began before
			err := <-ended[name]
			require.ErrorIs(t, err, ErrClosed, name)
			assert.Positive(t, lostOf(t, err, "fraud"), name)
		}
		start := time.Now()
		require.ErrorIs(t, h.Flush(context.Background()), ErrClosed)
		assert.EqualValues(t, 2, lostOf(t, h.Flush(context.Background()), "fraud"))
		assert.EqualValues(t, 1, lostOf(t, own.Flush(context.Background()), "fraud"))
		require.ErrorIs(t, h.PublishDurable(context.Background(), healthy("fraud")), ErrClosed)
		require.ErrorIs(t, h.Close(context.Background()), ErrClosed)
		assert.Equal(t, start, time.Now())
	})
}

func TestOnAClosedHubWhatIsDurableIsFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		carrier.set(func(*metric.Batch) error { // a Flush that races with Close
			time.Sleep(time.Second)
			return nil
		}, nil)
		h := newHub(carrier, quiet)
		own := h.NewReceipt()
		require.NoError(t, own.Publish(t.Context(), healthy("fraud")))
		var racing sync.WaitGroup
		racing.Go(func() { assert.NoError(t, h.Flush(context.Background())) })
		racing.Go(func() { assert.NoError(t, own.Flush(context.Background())) })
		racing.Go(func() { assert.NoError(t, h.Close(context.Background())) })
		racing.Wait()
		require.NoError(t, h.Flush(context.Background()))
		require.NoError(t, own.Flush(context.Background()))
	})
}

func TestWhatHasNoOutcomeWhenCloseGivesUpIsNamedEverAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		carrier.set(func(*metric.Batch) error { // after Close has given up, and whatever its ctx says
			time.Sleep(2 * time.Second)
			return nil
		}, nil)
		h := newHub(carrier, quiet)
		require.NoError(t, h.Publish(t.Context(), healthy("fraud")))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := h.Close(ctx)
		assert.EqualValues(t, 1, lostOf(t, err, "fraud"))
		assert.EqualValues(t, 1, lostOf(t, h.Flush(context.Background()), "fraud"))
	})
}
