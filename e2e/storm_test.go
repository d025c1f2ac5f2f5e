package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
)

// stormBackend is slow, and fails three calls in ten.
type stormBackend struct {
	*httptest.Server
	mu    sync.Mutex
	calls []time.Time
	asked []string // the models whose retraining it took, in order
}

func startStormBackend(t *testing.T) *stormBackend {
	t.Helper()
	b := &stormBackend{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event struct {
			Data modelops.Request `json:"data"`
		}
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}

		status := b.take(event.Data.ModelName)
		time.Sleep(300 * time.Millisecond) // as a slow one does
		w.WriteHeader(status)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *stormBackend) take(model string) (status int) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.calls = append(b.calls, time.Now())
	if len(b.calls)%10 < 3 {
		return http.StatusServiceUnavailable
	}
	b.asked = append(b.asked, model)
	return http.StatusAccepted
}

func (b *stormBackend) soFar() (calls []time.Time, asked []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls), slices.Clone(b.asked)
}

// A fleet breaches at once, as when something upstream breaks: its backend is asked
// for so many retrainings a second and no more, those of the first priority before
// the others, and every one in the end, though three calls in ten fail. All of them
// are queued before the pace is let up, so that their order is the queue's, and not
// that in which a slow machine has come to decide. STORM_MODELS=1000 is the storm that
// docs/backends.md speaks of.
func TestAFleetThatBreachesAtOnceIsRetrainedAtTheBackendsPace(t *testing.T) {
	patience.Long(t)
	const queue, rate = "storm", 10
	models := 100
	if n, err := strconv.Atoi(os.Getenv("STORM_MODELS")); err == nil {
		models = n
	}
	backend := startStormBackend(t)
	worker := func(rate string) *process {
		return startWorker(t, queue, "MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL="+backend.URL, "MODELOPS_RATE="+rate)
	}
	isFirst := func(i int) bool { return i%10 == 9 }
	var policies, events strings.Builder
	for i := range models {
		priority := 5
		if isFirst(i) {
			priority = 1
		}
		fmt.Fprintf(&policies, "---\nmodel_name: %s\nretraining: {priority: %d}\n", stormy(i), priority)
		fmt.Fprintf(&events, "{\"model_name\": %q, \"model_version\": \"v1\", \"accuracy\": 0.5}\n", stormy(i))
	}

	hesitant := worker("0.1")
	mustStarter(t, queue, policies.String(), "apply", "-")
	mustStarter(t, queue, events.String(), "publish", "--file", "-")
	for i := range models {
		until(t, stormy(i), "its retraining is asked for", func(s monitor.Status) bool { return s.Retrainings.Requested == 1 })
	}
	patience.Until(t, "retrainings are seen to be queued", func() bool {
		return strings.Contains(mustStarter(t, queue, "", "list"), "queued")
	})
	require.Zero(t, hesitant.terminate(t))

	callsBefore, askedBefore := backend.soFar()
	began := time.Now()
	worker(strconv.Itoa(rate))
	for i := range models {
		until(t, stormy(i), "it is retrained", func(s monitor.Status) bool { return s.Retrainings.Accepted == 1 })
	}
	took := time.Since(began)

	calls, asked := backend.soFar()
	calls = calls[len(callsBefore):]
	t.Logf("%d retrainings, %d calls within %v, at most %d in any 5 s", models, len(calls), took.Round(time.Millisecond), most(calls, 5*time.Second))
	burst := 2 * rate // the server lets a second's worth go at once, and may round the next one
	assert.GreaterOrEqual(t, took, time.Duration(len(calls)-burst)*time.Second/rate, "no sooner than the pace allows")

	queued := asked[len(askedBefore):]
	firsts, others := places(queued, func(model string) bool { return strings.HasSuffix(model, "9") })
	t.Logf("place in the queue, on average: %.1f of those of the first priority, %.1f of the others", firsts, others)
	assert.Less(t, 2*firsts, others)
	slices.Sort(asked)
	assert.Len(t, asked, models)
	assert.Len(t, slices.Compact(asked), models, "each once")
}

func stormy(i int) string { return fmt.Sprintf("storm-%d", i) }

// most counts the instants in the fullest span of a length.
func most(sorted []time.Time, length time.Duration) (n int) {
	for i, first := range sorted {
		beyond := slices.IndexFunc(sorted[i:], func(at time.Time) bool { return at.Sub(first) >= length })
		if beyond < 0 {
			beyond = len(sorted) - i
		}
		n = max(n, beyond)
	}
	return n
}

// places are the average places in a queue, of the first and of the others.
func places(queue []string, isFirst func(string) bool) (firsts, others float64) {
	n := 0
	for place, model := range queue {
		if isFirst(model) {
			firsts += float64(place)
			n++
		} else {
			others += float64(place)
		}
	}
	return firsts / float64(n), others / float64(len(queue)-n)
}
