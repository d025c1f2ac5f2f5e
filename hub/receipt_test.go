package hub

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/modelvigil/modelvigil/metric"
)

func TestAReceiptTellsOfItsOwnEventsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		carrier.set(func(batch *metric.Batch) error {
			switch batch.ModelName {
			case "stopped":
				return fmt.Errorf("%w: for good", ErrMonitorStopped)
			case "away":
				return serviceerror.NewUnavailable("away")
			}
			return nil
		}, nil)
		ctx := t.Context()
		require.NoError(t, h.Publish(ctx, healthy("stopped")))
		require.NoError(t, h.Publish(ctx, healthy("away")))

		own := h.NewReceipt()
		require.NoError(t, own.Publish(ctx, healthy("fine")))
		require.NoError(t, own.Publish(ctx, healthy("fine")))
		require.Error(t, own.Publish(ctx, metric.Event{}), "an event without sense is not published")
		require.NoError(t, own.Flush(ctx), "others' troubles are theirs")
		assert.EqualValues(t, 2, carrier.status("fine").Events)

		other := h.NewReceipt()
		for _, model := range []string{"stopped", "away", "away", "fine"} {
			require.NoError(t, other.Publish(ctx, healthy(model)))
		}
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := other.Flush(bounded)
		var not *NotDurableError
		require.ErrorAs(t, err, &not)
		assert.Equal(t, map[string]int64{"stopped": 1, "away": 2}, not.Events)
		require.ErrorIs(t, err, ErrMonitorStopped)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		carrier.set(nil, nil)
		require.NoError(t, h.NewReceipt().Flush(ctx), "nothing is durable at once")
		require.ErrorIs(t, h.Flush(ctx), ErrMonitorStopped, "what a receipt has told, Flush tells all the same")
		require.ErrorIs(t, h.Close(ctx), ErrMonitorStopped, "and so does Close")
	})
}

func TestBacklogCountsUntilTheServerHasTakenThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quiet)
		defer closeHub(t, h)
		assert.Zero(t, h.Backlog())
		carrier.set(func(*metric.Batch) error { return errors.Join(context.DeadlineExceeded) }, nil)
		for range 7 {
			require.NoError(t, h.Publish(t.Context(), healthy("a")))
		}
		require.NoError(t, h.Publish(t.Context(), healthy("b")))
		synctest.Wait()
		b := h.Backlog()
		assert.EqualValues(t, 8, b.Events)
		assert.Greater(t, b.Bytes, int64(2*digestBytes))
		carrier.set(nil, nil)
		require.NoError(t, h.Flush(t.Context()))
		assert.Zero(t, h.Backlog())
	})
}
