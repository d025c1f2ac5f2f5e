package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/modelvigil/modelvigil/activities/webhook"
)

// A receiver verifies the signature over the body as it came, takes the same
// request id for the same job, and tells where the job can be asked after.
func Example() {
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	jobs := map[string]string{} // by request id; in earnest, a table with a unique key

	mux := http.NewServeMux()
	mux.HandleFunc("POST /retrainings", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || verifier.Verify(body, r.Header) != nil {
			http.Error(w, "not signed with our secret", http.StatusUnauthorized)
			return
		}
		var event webhook.Event
		if err := json.Unmarshal(body, &event); err != nil || event.Type != webhook.EventType {
			http.Error(w, "not a retraining request", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		job, known := jobs[event.ID]
		if !known {
			job = fmt.Sprintf("job-%d", len(jobs)+1)
			jobs[event.ID] = job
			fmt.Printf("%s: train %s, because %s\n", job, event.Data.ModelName, event.Data.Reason)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(map[string]string{"job_id": job, "status_url": "/retrainings/" + job})
	})
	mux.HandleFunc("GET /retrainings/{job}", func(w http.ResponseWriter, r *http.Request) {
		if verifier.Verify(nil, r.Header) != nil { // the body is empty
			http.Error(w, "not signed with our secret", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"state": "succeeded", "message": "auc 0.93", "model_version": "v4"})
	})
	trainer := httptest.NewServer(mux)
	defer trainer.Close()

	backend, err := webhook.New(webhook.Config{URL: trainer.URL + "/retrainings", Secret: secret})
	if err != nil {
		panic(err)
	}
	defer backend.Close()
	ctx := context.Background()
	for range 2 { // the second is the same job
		job, err := backend.ScheduleRetraining(ctx, breach())
		if err != nil {
			panic(err)
		}
		outcome, err := backend.RetrainingOutcome(ctx, breach(), job)
		fmt.Println(job.ID, outcome.State, outcome.ModelVersion, err)
	}
	// Output:
	// job-1: train fraud, because accuracy 0.8000 below threshold 0.9000
	// job-1 succeeded v4 <nil>
	// job-1 succeeded v4 <nil>
}
