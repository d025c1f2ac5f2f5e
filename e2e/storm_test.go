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

	"github.com/modelvigil/modelvigil/monitor"
)

// A fleet breaches at once, as when something upstream breaks: its backend is asked
// for so many retrainings a second and no more, those of the first priority before
// the others, and every one in the end, though three calls in ten fail. STORM_MODELS=1000 is the storm that
// docs/backends.md speaks of.
func TestAFleetThatBreachesAtOnceIsRetrainedAtTheBackendsPace(t *testing.T) {
	const queue, rate = "storm", 10
	models := 100
	if n, err := strconv.Atoi(os.Getenv("STORM_MODELS")); err == nil {
		models = n
	}
	var mu sync.Mutex
	var asked []string
	var times []time.Time
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event struct {
			Data monitor.RetrainingRequest `json:"data"`
		}
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		times = append(times, time.Now())
		fails := len(times)%10 < 3
		if !fails {
			asked = append(asked, event.Data.ModelName)
		}
		mu.Unlock()
		time.Sleep(300 * time.Millisecond) // it is slow, too
		if fails {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(backend.Close)
	startWorker(t, queue, "MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL="+backend.URL, fmt.Sprint("MODELOPS_RATE=", rate))

	isFirst := func(i int) bool { return i%10 == 9 }
	var policies, events strings.Builder
	for i := range models {
		priority := 5
		if isFirst(i) {
			priority = 1
		}
		fmt.Fprintf(&policies, "---\nmodel_name: storm-%d\nretraining: {priority: %d}\n", i, priority)
		fmt.Fprintf(&events, "{\"model_name\": \"storm-%d\", \"model_version\": \"v1\", \"accuracy\": 0.5}\n", i)
	}
	mustStarter(t, queue, policies.String(), "apply", "-")
	mustStarter(t, queue, events.String(), "publish", "--file", "-")
	eventually(t, time.Minute, "retrainings are seen to be queued", func() bool {
		return strings.Contains(mustStarter(t, queue, "", "list"), "queued")
	})

	eventually(t, time.Minute+3*time.Duration(models)*time.Second/rate, "every model is retrained", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(asked) >= models
	})
	mu.Lock()
	defer mu.Unlock()
	firsts, others := 0, 0 // sums of places
	for place, name := range asked {
		if i, _ := strconv.Atoi(strings.TrimPrefix(name, "storm-")); isFirst(i) {
			firsts += place
		} else {
			others += place
		}
	}
	n := models / 10
	t.Logf("place in the queue, on average: %d of those of the first priority, %d of the others", firsts/n, others/(models-n))
	assert.Less(t, 2*firsts/n, others/(models-n))
	slices.Sort(asked)
	require.Len(t, slices.Compact(asked), models, "each once")
	begin := times[0]
	most := 0
	for i := range times {
		n := 0
		for j := i; j < len(times) && times[j].Sub(times[i]) < 5*time.Second; j++ {
			n++
		}
		most = max(most, n)
	}
	t.Logf("%d retrainings within %v, at most %d in any 5 s", models, times[len(times)-1].Sub(begin).Round(time.Millisecond), most)
	assert.LessOrEqual(t, most, 5*rate+2*rate, "the server lets a second's worth go at once, and a busy machine may bunch another")
}
