package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
)

// fakeTemporal takes batches as a server would, or refuses them. End to end tests
// have a real one.
type fakeTemporal struct {
	client.Client
	mu     sync.Mutex
	refuse func(model string) error
	taken  map[string]int64 // events by model
}

func (f *fakeTemporal) SignalWithStartWorkflow(_ context.Context, _, _ string, arg any, _ client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	batch := arg.(*metric.Batch)
	if f.refuse != nil {
		if err := f.refuse(batch.ModelName); err != nil {
			return nil, err
		}
	}
	for _, digest := range batch.Digests {
		f.taken[batch.ModelName] += digest.Events
	}
	return takenBy{}, nil
}

// takenBy is the run of a monitor that took a signal.
type takenBy struct{ client.WorkflowRun }

func (takenBy) GetRunID() string { return "run" }

func (f *fakeTemporal) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	return nil, serviceerror.NewUnavailable("no worker")
}

func (f *fakeTemporal) counted(model string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.taken[model]
}

func (f *fakeTemporal) all() (events int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, of := range f.taken {
		events += of
	}
	return events
}

func (f *fakeTemporal) setRefuse(refuse func(string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = refuse
}

func away(string) error { return serviceerror.NewUnavailable("away") }

// served is a gateway under test.
type served struct {
	*Gateway
	temporal *fakeTemporal
	hub      *hub.Hub
	url      string
	client   *http.Client
}

// serve starts a gateway whose doors are open.
func serve(t testing.TB, options Options) *served {
	t.Helper()
	options.Logger = slog.New(slog.DiscardHandler)
	options.DurableTimeout = cmp.Or(options.DurableTimeout, patience.Limit)
	s := &served{Gateway: New(options), temporal: &fakeTemporal{taken: map[string]int64{}}}
	s.hub = hub.New(s.temporal, hub.Options{Logger: options.Logger, Budget: 1e6})
	s.Open(s.hub)
	server := httptest.NewServer(s.Gateway)
	s.url, s.client = server.URL, server.Client()
	t.Cleanup(func() {
		server.Close()
		s.temporal.setRefuse(nil)
		ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
		defer cancel()
		_ = s.hub.Close(ctx)
	})
	return s
}

// said is what a gateway answered.
type said struct {
	status int
	header http.Header
	closed bool // the connection
	Accepted,
	RejectedTotal int64
	Rejected   []rejection
	Detail     string
	Note       string
	NotDurable map[string]int64 `json:"not_durable"`
}

// ask sends one request; headers are pairs.
func (s *served) ask(t testing.TB, path, body string, headers ...string) said {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := s.client.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	answer := said{status: response.StatusCode, header: response.Header, closed: response.Close}
	decoded := struct {
		*said
		RejectedTotal int64 `json:"rejected_total"`
	}{said: &answer}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&decoded))
	answer.RejectedTotal = decoded.RejectedTotal
	return answer
}
