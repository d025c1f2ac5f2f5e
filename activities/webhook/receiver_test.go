package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/webhook"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestMain(m *testing.M) { patience.Main(m) }

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func breach() modelops.Request {
	return modelops.Request{
		RequestID: "model-monitor/fraud/0b7f/1", ModelName: "fraud", ModelVersion: "v3",
		Reason: "accuracy 0.8000 below threshold 0.9000", Rule: "accuracy", Metric: "accuracy",
		Value: new(0.8), Threshold: new(0.9),
		TriggeredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Params:      map[string]json.RawMessage{"epochs": json.RawMessage("3")},
	}
}

// received is a request as it reached a receiver.
type received struct {
	*http.Request
	body []byte
}

func (r received) verify() error {
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return err
	}
	return verifier.Verify(r.body, r.Header)
}

func (r received) isSigned() bool {
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// receiver is a server that keeps the requests it gets.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []received
}

func newReceiver(t *testing.T, handle http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.mu.Lock()
		r.requests = append(r.requests, received{request, body})
		r.mu.Unlock()
		handle(w, request)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.requests...)
}

// answers is a handler that always answers the same.
func answers(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const jsonType = "application/json"

func newBackend(t *testing.T, config webhook.Config) *webhook.Backend {
	t.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	backend, err := webhook.New(config)
	require.NoError(t, err)
	t.Cleanup(backend.Close)
	return backend
}

// warnings is a logger and what was written to it.
func warnings() (*slog.Logger, *bytes.Buffer) {
	var written bytes.Buffer
	return slog.New(slog.NewTextHandler(&written, nil)), &written
}

// scheduled is what Temporal is told of a call to ScheduleRetraining.
func scheduled(ctx context.Context, backend *webhook.Backend) *temporal.ApplicationError {
	return scheduledAs(ctx, backend, breach())
}

func scheduledAs(ctx context.Context, backend *webhook.Backend, request modelops.Request) *temporal.ApplicationError {
	calls := activities.Retraining{Backends: map[string]modelops.ModelOps{"webhook": backend}, Default: "webhook"}
	_, err := calls.ScheduleRetraining(ctx, activities.Call{Request: request})
	return toldTemporal(err)
}

// asked is what Temporal is told of a call to AwaitRetraining.
func asked(ctx context.Context, backend *webhook.Backend, job modelops.Job) *temporal.ApplicationError {
	job.Backend = "webhook"
	calls := activities.Retraining{Backends: map[string]modelops.ModelOps{"webhook": backend}}
	_, err := calls.AwaitRetraining(ctx, activities.Call{Backend: "webhook", Request: breach(), Job: job})
	return toldTemporal(err)
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

func toldTemporal(err error) *temporal.ApplicationError {
	var told *temporal.ApplicationError
	if !errors.As(err, &told) {
		return nil
	}
	return told
}

// fake is a transport that always answers the same, for properties that need
// many answers.
type fake struct {
	status            int
	contentType, body string
	seen              *received // where set, gets the request
}

func (f fake) RoundTrip(request *http.Request) (*http.Response, error) {
	if f.seen != nil {
		f.seen.Request = request
	}
	return &http.Response{
		StatusCode: f.status, Header: http.Header{"Content-Type": {f.contentType}}, Request: request,
		Body: io.NopCloser(strings.NewReader(f.body)),
	}, nil
}
