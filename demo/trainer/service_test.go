package trainer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/demo/learner"
	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/demo/trainer"
	"github.com/modelvigil/modelvigil/internal/patience"
)

func TestMain(m *testing.M) { patience.Main(m) }

// secret signs the requests of these tests.
var secret = "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))

// service is a Trainer behind a real server, and a client of both.
type service struct {
	*trainer.Trainer
	t   *testing.T
	url string
}

func serve(t *testing.T, config trainer.Config) *service {
	t.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	built, err := trainer.New(config)
	require.NoError(t, err)
	server := httptest.NewServer(built)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience.Limit) // the test's own has ended
		defer cancel()
		require.NoError(t, built.Close(ctx))
	})
	return &service{Trainer: built, t: t, url: server.URL}
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), into), a.body)
}

func (s *service) do(method, path, body string, header http.Header) answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return answer{response.StatusCode, response.Header, string(read)}
}

func (s *service) send(samples []stream.Sample) answer {
	s.t.Helper()
	body, err := json.Marshal(samples)
	require.NoError(s.t, err)
	return s.do(http.MethodPost, "/samples", string(body), nil)
}

// request posts a retraining request, signed by the key if there is one.
func (s *service) request(id, key string) answer {
	s.t.Helper()
	return s.post(event(id), key)
}

func (s *service) post(body, key string) answer {
	s.t.Helper()
	header := http.Header{"Content-Type": {"application/cloudevents+json; charset=UTF-8"}}
	if key != "" {
		sign(s.t, header, body, key, time.Now())
	}
	return s.do(http.MethodPost, "/retrainings", body, header)
}

func sign(t *testing.T, header http.Header, body, key string, at time.Time) {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(key)
	require.NoError(t, err)
	signature, err := webhook.Sign("msg_1", at, []byte(body))
	require.NoError(t, err)
	header.Set(standardwebhooks.HeaderWebhookID, "msg_1")
	header.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(at.Unix()))
	header.Set(standardwebhooks.HeaderWebhookSignature, signature)
}

func event(id string) string {
	return fmt.Sprintf(`{"specversion": "1.0", "type": "ai.modelvigil.retraining.requested", "source": "/model-monitor/sea",
		"id": %[1]q, "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
		"data": {"request_id": %[1]q, "model_name": "sea", "model_version": "v1", "rule": "accuracy", "metric": "accuracy",
		"reason": "accuracy 0.7900 below threshold 0.8400", "value": 0.79, "threshold": 0.84, "params": {"anything": [1]}}}`, id)
}

type job struct {
	JobID     string `json:"job_id"`
	StatusURL string `json:"status_url"`
}

type outcome struct {
	State        string `json:"state"`
	Message      string `json:"message"`
	ModelVersion string `json:"model_version"`
}

func (s *service) outcome(of job) outcome {
	s.t.Helper()
	got := s.do(http.MethodGet, strings.TrimPrefix(of.StatusURL, s.url), "", nil)
	require.Equal(s.t, http.StatusOK, got.status, got.body)
	var result outcome
	got.decode(s.t, &result)
	return result
}

// ended asks after the job until it has ended.
func (s *service) ended(of job) outcome {
	s.t.Helper()
	var result outcome
	patience.Until(s.t, "the job has ended", func() bool {
		result = s.outcome(of)
		return result.State != "running"
	})
	return result
}

func (s *service) latest() (*learner.Model, string) {
	s.t.Helper()
	got := s.do(http.MethodGet, "/models/latest", "", nil)
	require.Equal(s.t, http.StatusOK, got.status, got.body)
	model := &learner.Model{}
	got.decode(s.t, model)
	require.NoError(s.t, model.Validate())
	return model, got.header.Get("ETag")
}

func sea(t *testing.T, config stream.Config) *stream.SEA {
	t.Helper()
	built, err := stream.New(config)
	require.NoError(t, err)
	return built
}
