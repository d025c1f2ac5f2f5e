package hub

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/hub/internal/loss"
	"github.com/modelvigil/modelvigil/internal/share"
	"github.com/modelvigil/modelvigil/metric"
)

func TestAModelWithoutAMonitorTakesAPlaceForNoLongerThanAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		carrier := newFakeCarrier()
		h := newHub(carrier, quick(quiet))
		h.modelRoom = share.New(40)
		carrier.set(func(b *metric.Batch) error { return fmt.Errorf("%w: no monitor of %q", ErrNotEnrolled, b.ModelName) }, nil)
		misspelt := 0
		for day := range 3 {
			for i := range 20 {
				require.NoError(t, h.Account("token").Publish(t.Context(), healthy(fmt.Sprint("typo-", day, "-", i))))
				misspelt++
			}
			time.Sleep(24 * time.Hour)
			assert.Zero(t, h.models.Len())
		}

		carrier.set(nil, nil)
		require.NoError(t, h.Account("token").Publish(t.Context(), healthy("enrolled")))
		var not *NotDurableError
		require.ErrorAs(t, h.Flush(t.Context()), &not, "whoever asks is told of models that are forgotten")
		assert.Len(t, not.Events, misspelt)
		require.ErrorIs(t, not, ErrNotEnrolled)
		for range 2 {
			time.Sleep(2 * loss.Memory)
			_ = h.Flush(t.Context())
		}
		require.NoError(t, h.Flush(t.Context()), "but not for ever")
		require.ErrorAs(t, h.Close(t.Context()), &not)
		assert.Len(t, not.Events, misspelt)
	})
}

// forgetful is a hub that is left alone for hours now and then, so that it forgets models,
// and what it has told of the losses.
type forgetful struct {
	hub      *Hub
	server   *toll
	receipts map[string]*Receipt
	sent     map[string]int64 // by receipt
	told     map[string]int64 // by model, what was lost when Flush was asked last
}

func (f *forgetful) publish(t *testing.T, model, receipt string) {
	event := metric.Event{ModelName: model, Metrics: map[string]float64{model: 1}}
	if receipt == "" {
		require.NoError(t, f.hub.Publish(t.Context(), event))
		return
	}
	event.Metrics[receipt] = 1
	require.NoError(t, f.receipts[receipt].Publish(t.Context(), event))
	f.sent[receipt]++
}

// flushOwn holds what a receipt says against the server's books.
func (f *forgetful) flushOwn(t *testing.T, receipt string) {
	err := f.receipts[receipt].Flush(t.Context())
	books := f.server.account(receipt)
	if books.refused == 0 && err == nil {
		assert.Equal(t, f.sent[receipt], books.taken)
		return
	}

	var not *NotDurableError
	if assert.ErrorAs(t, err, &not, "%+v", books) {
		named := int64(0)
		for _, events := range not.Events {
			named += events
		}
		assert.GreaterOrEqual(t, named, books.refused)
		assert.LessOrEqual(t, named, f.sent[receipt])
	}
}

// flush holds what the hub says against them: each loss is named at least once, and none
// that never was.
func (f *forgetful) flush(t *testing.T, models []string) {
	var not NotDurableError
	err := f.hub.Flush(t.Context())
	if found := new(NotDurableError); errors.As(err, &found) {
		not = *found
	}
	for _, model := range models {
		lost := f.server.account(model).refused
		assert.GreaterOrEqual(t, not.Events[model], lost-f.told[model])
		assert.LessOrEqual(t, not.Events[model], lost)
		f.told[model] = lost
	}
}

func TestWhatWasLostOfAModelIsToldThoughTheModelIsForgotten(t *testing.T) {
	forgot := 0
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 11))
			server := &toll{random: rand.New(rand.NewPCG(seed, 12)), seen: map[string]map[int64]bool{}, taken: map[string]int64{}, refused: map[string]int64{}}
			f := &forgetful{hub: newHub(server, quiet), server: server, receipts: map[string]*Receipt{}, sent: map[string]int64{}, told: map[string]int64{}}
			models := []string{"m0", "m1", "m2"}
			for _, name := range []string{"r0", "r1"} {
				f.receipts[name] = f.hub.NewReceipt()
			}

			for range 60 {
				before := f.hub.models.Len()
				switch model := models[random.IntN(3)]; random.IntN(7) {
				case 0:
					f.publish(t, model, "")
				case 1:
					f.publish(t, model, "r0")
				case 2:
					f.publish(t, model, "r1")
				case 3:
					f.flushOwn(t, fmt.Sprint("r", random.IntN(2)))
				case 4:
					f.flush(t, models)
				case 5:
					time.Sleep(time.Duration(random.IntN(60)) * time.Minute)
				default:
					time.Sleep(time.Duration(random.IntN(6)) * time.Hour)
				}
				if f.hub.models.Len() < before {
					forgot++
				}
			}

			time.Sleep(3 * modelIdle)
			synctest.Wait()
			assert.Zero(t, f.hub.models.Len(), "all are forgotten, whatever became of their events")
			for name := range f.receipts {
				f.flushOwn(t, name)
			}
			var not NotDurableError
			if found := new(NotDurableError); errors.As(f.hub.Close(t.Context()), &found) {
				not = *found
			}
			for _, model := range models {
				assert.Equal(t, server.account(model).refused, not.Events[model], "Close names each loss once")
			}
			require.False(t, t.Failed(), "seed %d", seed)
		})
	}
	assert.Positive(t, forgot)
}
