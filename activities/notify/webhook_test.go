package notify_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/notify"
	"github.com/modelvigil/modelvigil/internal/cloudevent"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/policy"
)

// request is what an endpoint got.
type request struct {
	header http.Header
	body   []byte
}

// receiver is an endpoint of a webhook, a chat or anything else that is posted to.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

// startReceiver answers with 200, or as a handler does after the request is noted.
func startReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if body, _ := io.ReadAll(req.Body); req.Method == http.MethodPost {
			r.mu.Lock()
			r.requests = append(r.requests, request{req.Header, body})
			r.mu.Unlock()
		}
		if answer != nil {
			answer(w, req)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

func TestAWebhookGetsASignedCloudEvent(t *testing.T) {
	endpoint := startReceiver(t, nil)
	c := channel(t, "{kind: webhook, url: '"+endpoint.URL+"/decisions', secret: {env: KEY}}", map[string]string{"KEY": key})
	told := notice(policy.Succeeded, policy.Failed)
	require.NoError(t, c.Tell(t.Context(), told))
	require.NoError(t, c.Tell(t.Context(), told), "again, by the same id")

	got := endpoint.got()
	require.Len(t, got, 2)
	verifier, err := standardwebhooks.NewWebhook(key)
	require.NoError(t, err)
	for _, request := range got {
		require.NoError(t, verifier.Verify(request.body, request.header))
		assert.Equal(t, told.ID, request.header.Get("Webhook-Id"))
		assert.Equal(t, cloudevent.ContentType, request.header.Get("Content-Type"))
		var event cloudevent.Event[notify.Notification]
		require.NoError(t, json.Unmarshal(request.body, &event))
		assert.Equal(t, "1.0", event.SpecVersion)
		assert.Equal(t, "ai.modelvigil.decision.succeeded", event.Type)
		assert.Equal(t, "modelvigil/model-monitor/fraud", event.Source)
		assert.Equal(t, "fraud", event.Subject)
		assert.Equal(t, told.ID, event.ID)
		assert.Equal(t, noon, event.Time)
		assert.Equal(t, told, event.Data.Notice)
		assert.Equal(t, "fraud v7 has been retrained", event.Data.Title)
		assert.Equal(t, "http://localhost:8233/namespaces/default/workflows/model-monitor%2Ffraud", event.Data.Link)
	}
	told.OnlyEnds = true
	require.NoError(t, c.Tell(t.Context(), told))
	assert.Len(t, endpoint.got(), 3, "what settles something is an event, too")
}

func TestARefusalIsFinalAndAnErrorIsNot(t *testing.T) {
	for status, final := range map[int]bool{400: true, 401: true, 404: true, 408: false, 429: false, 500: false, 503: false} {
		endpoint := startReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		for _, declaration := range []string{"{kind: webhook, url: '" + endpoint.URL + "'}", "{kind: alertmanager, url: '" + endpoint.URL + "'}"} {
			err := channel(t, declaration, nil).Tell(t.Context(), notice(policy.Failed))
			require.Error(t, err, declaration)
			assert.Equal(t, final, modelops.IsFinal(err), "%d: %v", status, err)
		}
	}
}
