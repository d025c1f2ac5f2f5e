package e2e

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// outage is how long the server is gone. MODELVIGIL_OUTAGE=5m measures what
// docs/scaling.md says.
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("MODELVIGIL_OUTAGE")
	if text == "" {
		return 20 * time.Second
	}
	parsed, err := time.ParseDuration(text)
	require.NoError(t, err)
	return parsed
}

func TestAHubOutlivesItsServer(t *testing.T) {
	patience.Long(t)
	const models, perSecond = 100, 1_000_000
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	args := []string{
		"server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", port,
		"--db-filename", filepath.Join(t.TempDir(), "temporal.db"), "--log-level", "never",
	}
	away := start(t, temporalPath, args)
	temporalClient := dialEventually(t, address)
	defer temporalClient.Close()
	startWorker(t, "outage", "TEMPORAL_ADDRESS="+address)

	h := hub.New(temporalClient, hub.Options{TaskQueue: "outage", Logger: slog.New(slog.DiscardHandler)})
	published := publishFor(t, h, 2*time.Second, perSecond, models)
	require.NoError(t, h.Flush(t.Context()))
	before := heap()
	away.kill()
	span := outage(t)
	published += publishFor(t, h, span, perSecond, models)
	grown := heap() - before

	start(t, temporalPath, args)
	dialEventually(t, address).Close()
	require.NoError(t, h.Close(patience.Context(t)))

	var counted, gaps int64
	patience.Until(t, "every event is counted", func() bool {
		counted, gaps = 0, 0
		for m := range models {
			s := statusAt(t, temporalClient, outageModel(m), func(monitor.Status) bool { return true })
			counted += s.Events
			gaps += s.Gaps
		}
		return counted >= published
	})
	t.Logf("server gone for %v: %d events published, %d counted; heap grew by %.1f MiB", span, published, counted, float64(grown)/(1<<20))
	assert.Equal(t, published, counted)
	assert.Zero(t, gaps)
	assert.Less(t, grown, int64(64<<20))
}

func outageModel(m int) string { return fmt.Sprintf("outage-%d", m) }

// publishFor publishes at a rate, or as fast as the machine lets it.
func publishFor(t *testing.T, h *hub.Hub, span time.Duration, perSecond, models int) (published int64) {
	t.Helper()
	const ticks = 200 // a second
	ticker := time.NewTicker(time.Second / ticks)
	defer ticker.Stop()
	for begin := time.Now(); time.Since(begin) < span; <-ticker.C {
		for due := int64(time.Since(begin).Seconds() * float64(perSecond)); published < due; published++ {
			event := metric.NewEvent(outageModel(int(published)%models), "v1", 0.95, float64(80+published%100), 0.02)
			if err := h.Publish(t.Context(), event); err != nil {
				t.Fatal(err)
			}
		}
	}
	return published
}

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

func dialEventually(t *testing.T, address string) client.Client {
	t.Helper()
	var c client.Client
	patience.Until(t, "the server on "+address+" is there", func() bool {
		var err error
		c, err = client.Dial(client.Options{HostPort: address, Logger: quietLog})
		return err == nil
	})
	return c
}
