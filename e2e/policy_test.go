package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// control sends an operator's update, as any client would.
func control(t *testing.T, model, update string) (result monitor.UpdateResult, err error) {
	t.Helper()
	ctx := patience.Context(t)
	handle, err := server.Client().UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: uuid.NewString(), WorkflowID: contract.WorkflowID(model), UpdateName: update,
		Args: []any{monitor.Control{By: "ada", Reason: "e2e"}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, &result)
	}
	return result, err
}

// A slow decay, in periods, through a worker's crash, an operator's word and the
// end of the retraining that it asked for.
func TestAPolicyOverPeriodsThroughACrash(t *testing.T) {
	t.Parallel()
	const queue, model = "periods", "periods"
	first := startWorker(t, queue)
	mustStarter(t, queue, `
model_name: periods
rules:
  - {name: decay, metric: accuracy, stat: mean, period: 2s, grace: 500ms, below: 0.9, datapoints: {breaching: 2, of: 3}}
  - {name: quiet, metric: accuracy, stat: count, period: 2s, grace: 500ms, below: 1, severity: warning}
approval: {required: true}
cooldown: 1h
`, "apply", "-")
	h := hub.New(server.Client(), hub.Options{TaskQueue: queue, Logger: slog.New(slog.DiscardHandler)})
	stop := make(chan struct{})
	published := make(chan int64)
	go func() {
		n := int64(0)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if h.Publish(context.Background(), metric.Event{ModelName: model, ModelVersion: "v1", Accuracy: metric.Some(0.8)}) == nil {
					n++
				}
			case <-stop:
				published <- n
				return
			}
		}
	}()
	until(t, model, "a datapoint is judged", func(s monitor.Status) bool {
		rules := s.Versions["v1"].Rules
		return len(rules) > 0 && len(rules[0].Datapoints) > 0
	})
	first.kill()
	startWorker(t, queue)
	until(t, model, "it asks for approval", func(s monitor.Status) bool { return s.Phase == contract.PhaseAwaitingApproval })
	result, err := control(t, model, contract.UpdateApprove)
	require.NoError(t, err)
	require.NotEmpty(t, result.RequestID)
	close(stop)
	n := <-published
	require.NoError(t, h.Close(t.Context()))
	s := until(t, model, "silence is noticed, and all is counted", func(s monitor.Status) bool {
		return len(kinds(s, policy.Warned)) > 0 && s.Events == n
	})
	require.Len(t, kinds(s, policy.AwaitingApproval), 1)
	require.Len(t, kinds(s, policy.Triggered), 1)
	assert.Equal(t, "decay", kinds(s, policy.Triggered)[0].Rule)
	assert.InDelta(t, 0.8, kinds(s, policy.Triggered)[0].Value.Or(0), 1e-9)
	assert.EqualValues(t, 1, s.Retrainings.Accepted)
}

func kinds(s monitor.Status, kind policy.Kind) (found []monitor.Decision) {
	for _, d := range s.Decisions {
		if d.Kind == kind {
			found = append(found, d)
		}
	}
	return found
}

// An operator ends a retraining: the monitor records it, and its backend hears.
func TestACancelledRetrainingIsDeletedAtTheEndpoint(t *testing.T) {
	t.Parallel()
	const queue, model = "cancel", "cancel"
	var deleted atomic.Int32
	mux := http.NewServeMux()
	endpoint := httptest.NewServer(mux)
	defer endpoint.Close()
	mux.HandleFunc("POST /retrainings", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"job_id": "1", "status_url": "%s/jobs/1"}`, endpoint.URL)
	})
	mux.HandleFunc("GET /jobs/1", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"state": "running"}`)) })
	mux.HandleFunc("DELETE /jobs/1", func(w http.ResponseWriter, _ *http.Request) {
		if deleted.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable) // it is told again
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	startWorker(t, queue, "MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL="+endpoint.URL+"/retrainings", "MODELOPS_POLL_INTERVAL=1s")
	mustStarter(t, queue, "", "publish", "--model", model, "--version", "v1", "--accuracy", "0.5")
	until(t, model, "the retraining is followed", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })
	_, err := control(t, model, contract.UpdateCancel)
	require.NoError(t, err)
	patience.Until(t, "the endpoint is told", func() bool { return deleted.Load() == 2 })
	s := until(t, model, "it is recorded", func(s monitor.Status) bool { return s.Retrainings.Cancelled == 1 })
	assert.Nil(t, s.Current)
	assert.Empty(t, kinds(s, policy.CancelFailed))
	_, err = control(t, model, contract.UpdateCancel)
	require.ErrorContains(t, err, "no retraining is in flight")
}
