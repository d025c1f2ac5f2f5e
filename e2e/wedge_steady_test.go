package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// Signals come without a pause, one by one as plain clients send them: runs hand on
// while they come, whoever is refused sends again, each that was taken counts once, and
// a retraining that is due is asked for.
func TestSteadySignalsKeepNoRunFromHandingOnAndNoRetrainingBack(t *testing.T) {
	useScaledServer(t)
	const model = "wedge-steady"
	tr := startPipeline(t)
	startThrottledWorker(t, model, webhookEnv(tr)...)
	f := startFlood(t, model, 20, 20, patience.Limit)
	for range 3 {
		f.breach(t, tr)
	}
	before, _ := runsOf(t, model)
	patience.Until(t, "runs hand on", func() bool {
		runs, _ := runsOf(t, model)
		return runs >= before+2
	})
	f.breach(t, tr)
	f.end(t)
}

// FLOOD=30s FLOOD_RATE=200 FLOOD_CLIENTS=20 say for how long, how many a second, and
// from how many clients: docs/feeding.md has what was measured by it. Without, it floods
// as fast as clients can, for a short while.
func TestAsManySignalsAsClientsCanSendAreCountedOnceEach(t *testing.T) {
	patience.Long(t)
	const model = "wedge-flood"
	length, rate, clients := 10*time.Second, 0, 8
	if d, err := time.ParseDuration(os.Getenv("FLOOD")); err == nil {
		length = d
	}
	if n, err := strconv.Atoi(os.Getenv("FLOOD_RATE")); err == nil {
		rate = n
	}
	if n, err := strconv.Atoi(os.Getenv("FLOOD_CLIENTS")); err == nil {
		clients = n
	}
	tr := startPipeline(t)
	startWorker(t, model, append(webhookEnv(tr), "LOG_LEVEL=error")...)
	f := startFlood(t, model, clients, rate, length)
	for rate > 0 && f.ctx.Err() == nil {
		f.breach(t, tr)
	}
	<-f.ctx.Done()
	f.end(t)
	f.breach(t, tr)
	runs, _ := runsOf(t, model)
	t.Logf("%d signals in %v, %d runs; from a breach to the backend: %v", f.taken.Load(), length, runs, percentiles(f.latencies))
}

// flood is a model's plain clients.
type flood struct {
	model     string
	ctx       context.Context // ends when they stop
	stop      context.CancelFunc
	taken     atomic.Int64
	senders   sync.WaitGroup
	latencies []time.Duration // from a breach to the backend
}

// startFlood lets clients signal for so long, at a rate a second, all together, or for 0
// without any pause.
func startFlood(t *testing.T, model string, clients, rate int, length time.Duration) *flood {
	t.Helper()
	mustStarter(t, model, "model_name: "+model+"\ncooldown: 0s\nsuperseded: trigger\n", "apply", "-")
	until(t, model, "it is watched", func(monitor.Status) bool { return true })
	ctx, stop := context.WithTimeout(t.Context(), length)
	t.Cleanup(stop)
	f := &flood{model: model, ctx: ctx, stop: stop}
	for range clients {
		f.senders.Go(func() {
			pause := time.NewTicker(max(time.Nanosecond, time.Duration(clients)*time.Second/time.Duration(max(rate, 1))))
			defer pause.Stop()
			for ctx.Err() == nil {
				if rate > 0 {
					<-pause.C
				}
				f.signal(t, 0.95)
			}
		})
	}
	return f
}

func (f *flood) signal(t *testing.T, accuracy float64) {
	event := fmt.Sprintf(`{"model_name": %q, "accuracy": %g}`, f.model, accuracy)
	if assert.NoError(t, signalUntilTaken(t.Context(), f.model, contract.SignalMetric, rawJSON([]byte(event)))) {
		f.taken.Add(1)
	}
}

// breach makes a retraining due, and waits until it is over.
func (f *flood) breach(t *testing.T, tr *pipeline) {
	t.Helper()
	before, began := len(tr.asked()), time.Now()
	f.signal(t, 0.5)
	patience.Until(t, "the breach is asked for", func() bool { return len(tr.asked()) > before })
	f.latencies = append(f.latencies, time.Since(began))
	tr.finish()
	until(t, f.model, "the retraining is over", func(s monitor.Status) bool { return s.Current == nil })
}

// end ends the flood, and waits until what it sent is counted.
func (f *flood) end(t *testing.T) {
	t.Helper()
	f.stop()
	f.senders.Wait()
	s := until(t, f.model, "every signal that was taken is counted", func(s monitor.Status) bool { return s.Signals >= f.taken.Load() })
	assert.Equal(t, f.taken.Load(), s.Events, "once each")
	assert.EqualValues(t, len(f.latencies), s.Retrainings.Requested)
}

func percentiles(latencies []time.Duration) string {
	if len(latencies) == 0 {
		return "none"
	}
	sorted := slices.Sorted(slices.Values(latencies))
	at := func(q float64) time.Duration {
		return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(time.Millisecond)
	}
	return fmt.Sprintf("p50 %v, p99 %v, longest %v", at(.5), at(.99), sorted[len(sorted)-1].Round(time.Millisecond))
}
