package e2e

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// load is serving code that goes on, whatever is done to the workers: events of some
// models through a hub, one breach each second, and digests more often than they have to be.
type load struct {
	t         *testing.T
	name      string
	hub       *hub.Hub
	published []atomic.Int64 // by model
	stop      func()
}

// startLoad publishes until isCountedOnce, or the end of a test that fails before.
func startLoad(t *testing.T, queue string, models int) *load {
	t.Helper()
	l := &load{t: t, name: queue, hub: hub.New(server.Client(), hub.Options{TaskQueue: queue}), published: make([]atomic.Int64, models)}
	var work sync.WaitGroup
	done := make(chan struct{})
	l.stop = sync.OnceFunc(func() {
		close(done)
		work.Wait()
	})
	t.Cleanup(l.stop)
	work.Go(func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				assert.NoError(t, l.hub.Flush(context.Background()))
			case <-done:
				return
			}
		}
	})
	work.Go(func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			event := metric.NewEvent(l.model(i%models), "v1", 0.95, 120, 0.02)
			if i%800 < models {
				event.Accuracy = metric.Some(0.5)
			}
			if assert.NoError(t, l.hub.Publish(context.Background(), event)) {
				l.published[i%models].Add(1)
			}
			select {
			case <-ticker.C:
			case <-done:
				return
			}
		}
	})
	return l
}

func (l *load) model(m int) string { return fmt.Sprintf("%s-%d", l.name, m) }

// goesOn waits until each monitor has counted what was not yet published.
func (l *load) goesOn(what string) {
	l.t.Helper()
	for m := range l.published {
		before := l.published[m].Load()
		patience.Until(l.t, what, func() bool { return status(l.t, l.model(m)).Events > before })
	}
}

// isCountedOnce ends the load and holds the monitors against it: they have counted each
// event, none twice, and have asked for one retraining, by whichever build.
func (l *load) isCountedOnce() {
	l.t.Helper()
	l.stop()
	require.NoError(l.t, l.hub.Close(l.t.Context()))
	for m := range l.published {
		published := l.published[m].Load()
		s := until(l.t, l.model(m), "the last batch is handled", func(s monitor.Status) bool { return s.Events >= published })
		assert.Equal(l.t, published, s.Events, l.model(m))
		assert.Zero(l.t, s.Gaps)
		assert.EqualValues(l.t, 1, s.Retrainings.Requested, "one in the cooldown")
		for _, cause := range tasksFailed(l.t, l.model(m)) {
			assert.NotContains(l.t, cause, "NON_DETERMINISTIC", l.model(m))
		}
	}
}
