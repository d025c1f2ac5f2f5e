package e2e

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// A compressed life: ten models that breach each second, so that a run of each is over
// within minutes. What a worker takes, and a history holds, must not grow with time; what
// the SDK keeps of a run does grow until it ends.
// SOAK=30m is long enough to see it; the default only sees that it runs.
func TestMemoryGoroutinesAndHistoriesStayFlat(t *testing.T) {
	patience.Long(t)
	const queue, models = "soak", 10
	length := 15 * time.Second
	if d, err := time.ParseDuration(os.Getenv("SOAK")); err == nil {
		length = d
	}
	tr := startPipeline(t)
	listen := freeAddress(t)
	start(t, workerPath, nil, append(append(environment(queue), webhookEnv(tr)...), "LOG_LEVEL=error", "LISTEN_ADDRESS="+listen)...)
	patience.Until(t, "the worker is ready", func() bool {
		response, err := http.Get("http://" + listen + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	var policies strings.Builder
	for m := range models {
		fmt.Fprintf(&policies, "---\nmodel_name: %s\ncooldown: 0s\nsuperseded: trigger\n", soaked(m))
	}
	mustStarter(t, queue, policies.String(), "apply", "-")

	h := hub.New(server.Client(), hub.Options{TaskQueue: queue, Logger: slog.New(slog.DiscardHandler)})
	type sample struct{ at, rss, goroutines float64 }
	var samples []sample
	const pace = 50 * time.Millisecond
	begin := time.Now()
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for n := range int(length / pace) { // longer on a slow machine, where ticks are dropped
		for m := range models {
			event := metric.NewEvent(soaked(m), fmt.Sprintf("v%d", n/2000), 0.95, 120, 0.02) // versions come and go
			if (n+m*7)%20 == 0 {
				event.Accuracy = metric.Some(0.5)
			}
			require.NoError(t, h.Publish(t.Context(), event))
		}
		if n%20 == 0 {
			tr.finish()
		}
		if n%100 == 0 {
			metrics := shown(t, "http://"+listen+"/metrics")
			samples = append(samples, sample{time.Since(begin).Seconds(), gauge(t, metrics, "process_resident_memory_bytes"), gauge(t, metrics, "go_goroutines")})
		}
		<-ticker.C
	}
	require.NoError(t, h.Close(t.Context()))
	longest, runs, retrainings := int64(0), 0, int64(0)
	for m := range models {
		description, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(soaked(m)), "")
		require.NoError(t, err)
		longest = max(longest, description.GetWorkflowExecutionInfo().GetHistoryLength())
		if description.GetWorkflowExecutionInfo().GetFirstRunId() != description.GetWorkflowExecutionInfo().GetExecution().GetRunId() {
			runs++
		}
		retrainings += until(t, soaked(m), "it has been retrained", func(s monitor.Status) bool { return s.Retrainings.Requested > 0 }).Retrainings.Requested
	}
	third := func(i int) (rss, goroutines float64) { // averages of a third of the samples
		part := samples[i*len(samples)/3 : (i+1)*len(samples)/3]
		for _, s := range part {
			rss, goroutines = rss+s.rss/float64(len(part)), goroutines+s.goroutines/float64(len(part))
		}
		return rss / (1 << 20), goroutines
	}
	for i := range 3 {
		rss, goroutines := third(i)
		t.Logf("third %d of %v: worker's RSS %.0f MiB, %.0f goroutines", i+1, length, rss, goroutines)
	}
	t.Logf("%d retrainings of %d models; %d of them in a later run; longest history %d events", retrainings, models, runs, longest)
	assert.Less(t, longest, int64(10_000))
	if length >= 20*time.Minute {
		assert.Equal(t, models, runs, "in a later run")
		rss2, goroutines2 := third(1)
		rss3, goroutines3 := third(2)
		assert.Less(t, rss3, rss2*1.25, "MiB")
		assert.Less(t, goroutines3, goroutines2*1.25)
	}
}

// gauge reads a metric without labels.
func gauge(t *testing.T, metrics, name string) float64 {
	t.Helper()
	for line := range strings.Lines(metrics) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			require.NoError(t, err)
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func soaked(m int) string { return fmt.Sprintf("soak-%02d", m) }
