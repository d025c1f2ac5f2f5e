package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/modelvigil/modelvigil/modelops"
)

// jobTime is how long a training takes.
const jobTime = 1500 * time.Millisecond

// trainer is a training service behind the webhook backend. It takes a request
// id once, and says so of the second.
type trainer struct {
	server *http.Server
	mu     sync.Mutex
	mode   kind              // how it fails now; "" not at all
	jobs   map[string]*job   // by request id
	byName map[string][]*job // by model, in the order in which they came
}

type job struct {
	request modelops.Request
	began   time.Time
	asked   int // how often the request came
}

func (j *job) isDone(now time.Time) bool { return now.Sub(j.began) >= jobTime }

func startTrainer(address string) (*trainer, error) {
	t := &trainer{jobs: map[string]*job{}, byName: map[string][]*job{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /retrainings", t.take)
	mux.HandleFunc("GET /status", t.status)
	t.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	go func() { _ = t.server.Serve(listener) }()
	return t, nil
}

func (t *trainer) set(mode kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mode = mode
}

func (t *trainer) take(w http.ResponseWriter, r *http.Request) {
	var event struct {
		Data modelops.Request `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}

	t.mu.Lock()
	mode := t.mode
	if mode == fail {
		t.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}

	id, code := event.Data.RequestID, http.StatusAccepted
	known := t.jobs[id]
	if known == nil {
		known = &job{request: event.Data, began: time.Now()}
		t.jobs[id] = known
		t.byName[event.Data.ModelName] = append(t.byName[event.Data.ModelName], known)
	} else {
		code = http.StatusConflict
	}

	known.asked++
	t.mu.Unlock()
	switch mode {
	case slow:
		time.Sleep(3 * time.Second)
	case forget:
		if hijacker, ok := w.(http.Hijacker); ok {
			if conn, _, err := hijacker.Hijack(); err == nil {
				_ = conn.Close()
				return
			}
		}
	}

	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"job_id": id, "status_url": "http://" + r.Host + "/status?id=" + url.QueryEscape(id)})
}

func (t *trainer) status(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.jobs[r.URL.Query().Get("id")]
	switch {
	case t.mode == fail:
		w.WriteHeader(http.StatusServiceUnavailable)
	case known == nil:
		w.WriteHeader(http.StatusNotFound)
	case known.isDone(time.Now()):
		_, _ = w.Write([]byte(`{"state": "succeeded"}`))
	default:
		_, _ = w.Write([]byte(`{"state": "running"}`))
	}
}

// heardOfAll says whether a retraining of each model was triggered after since.
func (t *trainer) heardOfAll(models int, since time.Time) bool {
	for m := range models {
		if jobs := t.asked(modelName(m)); len(jobs) == 0 || !jobs[len(jobs)-1].request.TriggeredAt.After(since) {
			return false
		}
	}
	return true
}

// asked is what the trainer got for a model, in the order in which it came.
func (t *trainer) asked(model string) []job {
	t.mu.Lock()
	defer t.mu.Unlock()
	jobs := make([]job, 0, len(t.byName[model]))
	for _, j := range t.byName[model] {
		jobs = append(jobs, *j)
	}
	return jobs
}
