package modelopstest_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/modelopstest"
	"github.com/modelvigil/modelvigil/activities/webhook"
	"github.com/modelvigil/modelvigil/modelops"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// endpoint is a training service as the webhook backend expects one: the same
// event id is the same job.
type endpoint struct {
	mu     sync.Mutex
	jobs   map[string]map[string]string // by event id: what its status answers
	refuse int                          // a status to answer everything with
	hangUp bool                         // answer nothing
	loses  bool                         // take the next request, and hang up
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	id := r.URL.Query().Get("id")
	switch {
	case e.hangUp:
		panic(http.ErrAbortHandler)
	case e.refuse != 0:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "not as you are", e.refuse)
	case r.Method == http.MethodPost:
		e.take(w, body)
	case e.jobs[id] == nil:
		http.Error(w, "no such retraining", http.StatusNotFound)
	case r.Method == http.MethodDelete:
		if e.jobs[id]["state"] == "running" {
			e.jobs[id]["state"] = "failed"
		}
	default:
		_ = json.NewEncoder(w).Encode(e.jobs[id])
	}
}

func (e *endpoint) take(w http.ResponseWriter, body []byte) {
	var event webhook.Event
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if e.jobs[event.ID] == nil {
		e.jobs[event.ID] = map[string]string{"state": "running"}
	}
	if e.loses {
		e.loses = false
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"job_id": event.ID, "status_url": "/status?id=" + url.QueryEscape(event.ID)})
}

// with changes the endpoint, and returns what changes it back.
func (e *endpoint) with(change, back func()) func(*testing.T) func() {
	locked := func(f func()) {
		e.mu.Lock()
		defer e.mu.Unlock()
		f()
	}
	return func(*testing.T) func() {
		locked(change)
		return func() { locked(back) }
	}
}

func TestTheWebhookBackendIsConformant(t *testing.T) {
	e := &endpoint{jobs: map[string]map[string]string{}}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	end := func(id string, status map[string]string) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.jobs[id] = status
	}
	modelopstest.TestModelOps(t, modelopstest.Harness{
		New: func(t *testing.T) modelops.ModelOps {
			backend, err := webhook.New(webhook.Config{
				URL: server.URL + "/retrainings?key=" + token, Secret: webhookSecret, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			t.Cleanup(backend.Close)
			return backend
		},
		Jobs: func(_ *testing.T, id string) int {
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.jobs[id] == nil {
				return 0
			}
			return 1
		},
		Succeed: func(_ *testing.T, id, version string) {
			end(id, map[string]string{"state": "succeeded", "model_version": version})
		},
		Fail: func(_ *testing.T, id, message string) {
			end(id, map[string]string{"state": "failed", "message": message})
		},
		HasEnded: func(_ *testing.T, id string) bool {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.jobs[id]["state"] != "running"
		},
		Forget:     func(_ *testing.T, id string) { end(id, nil) },
		LoseAnswer: func(t *testing.T) { e.with(func() { e.loses = true }, nil)(t) },
		Away:       e.with(func() { e.hangUp = true }, func() { e.hangUp = false }),
		Refuse:     e.with(func() { e.refuse = http.StatusForbidden }, func() { e.refuse = 0 }),
		Throttle:   e.with(func() { e.refuse = http.StatusTooManyRequests }, func() { e.refuse = 0 }),
		Secrets:    []string{webhookSecret, token},
	})
}
