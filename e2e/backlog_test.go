package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// What has piled up while no worker was there is one workflow task, which the SDK
// takes for deadlocked when it computes for a second without a yield: the monitor
// would be stuck for good, and count nothing. So much is 40 MB of garbage, or 20,000
// signals.
func TestWhatHasPiledUpWhileWorkersWereAwayIsTakenInOneGo(t *testing.T) {
	patience.Long(t)
	const queue = "backlog"
	worker := startWorker(t, queue, "LOG_LEVEL=error")
	for model, piled := range map[string]struct {
		payload string
		times   int
	}{
		"backlog-huge":  {`{"model_name": "backlog-huge", "x": "` + strings.Repeat("x", 2<<20-1000) + `"}`, 20},
		"backlog-wide":  {"[" + strings.TrimSuffix(strings.Repeat(`{"x":1},`, 10_000), ",") + "]", 50},
		"backlog-burst": {`{"model_name": "backlog-burst", "accuracy": 0.95}`, 5000},
	} {
		mustStarter(t, queue, "model_name: "+model+"\n", "apply", "-")
		until(t, model, "it is watched", func(monitor.Status) bool { return true })
		worker.kill()
		for range piled.times {
			require.NoError(t, signalUntilTaken(t.Context(), model, monitor.SignalMetric, rawJSON([]byte(piled.payload))))
		}
		worker = startWorker(t, queue, "LOG_LEVEL=error")
		s := until(t, model, "all are counted", func(s monitor.Status) bool { return s.Signals == int64(piled.times) })
		assert.EqualValues(t, piled.times*max(1, strings.Count(piled.payload, `"x":1`)), s.Events+s.Rejected, model)
	}
}
