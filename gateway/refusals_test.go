package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
)

// answersOf are the statuses that the OpenAPI document gives for published events.
func answersOf(t *testing.T) (statuses []int) {
	t.Helper()
	var document struct {
		Paths map[string]struct {
			Post struct{ Responses map[string]any }
		}
	}
	require.NoError(t, json.Unmarshal(openAPI(t), &document))
	for text := range document.Paths["/v1/events"].Post.Responses {
		status, err := strconv.Atoi(text)
		require.NoError(t, err)
		statuses = append(statuses, status)
	}
	return statuses
}

func openAPI(t *testing.T) []byte {
	t.Helper()
	recorder := httptest.NewRecorder()
	New(Options{}).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/openapi.json", nil))
	return recorder.Body.Bytes()
}

// Every way of being refused, before the body, after it, in a further way in, is counted once;
// nothing else is.
func TestEveryRequestOfWhichNothingWasTakenIsCounted(t *testing.T) {
	const durable = "/v1/events?durable=true"
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	foreign := Route{Path: "/v1/foreign", New: func(p Publisher) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if p.Reserve(r.Context(), 1<<40) != nil {
				w.WriteHeader(http.StatusTooManyRequests) // and leaves it to the gateway to say when to try again
			}
			_, _ = io.WriteString(w, "{}")
		})
	}}
	tests := map[string]struct {
		status  int
		path    string // default /v1/events
		body    string // default a good event
		headers []string
		isGone  bool
		before  func(s *served, r *http.Request)
	}{
		"accepted":                       {status: 202},
		"accepted in part":               {status: 202, body: "[" + good + "," + bad + "]"},
		"durable":                        {status: 200, path: durable},
		"a monitor has refused it":       {status: 409, path: durable, body: `{"model_name":"fraud-` + stopped + `"}`},
		"the server is away":             {status: 504, path: durable, body: `{"model_name":"fraud-` + pending + `"}`},
		"no JSON":                        {status: 400, body: "{"},
		"no gzip":                        {status: 400, headers: []string{"Content-Encoding", "gzip"}},
		"a wrong parameter":              {status: 400, path: "/v1/events?durabel=true"},
		"a batch that is none":           {status: 400, headers: []string{contentType, typeClouds}},
		"no known token":                 {status: 401, headers: []string{"Authorization", "Bearer nobody"}},
		"another's model":                {status: 403, body: `{"model_name":"other"}`},
		"a body that does not come":      {status: 408, before: func(_ *served, r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(os.ErrDeadlineExceeded)) }},
		"a body that is too large":       {status: 413, body: strings.Repeat(" ", DefaultMaxBody+1)},
		"another media type":             {status: 415, headers: []string{contentType, "text/plain"}},
		"another compression":            {status: 415, headers: []string{"Content-Encoding", "br"}},
		"no event makes sense":           {status: 422, body: bad},
		"too many requests":              {status: 429, before: func(s *served, _ *http.Request) { s.requests.Take("owner", maxRequests/2) }},
		"no memory for the body":         {status: 429, before: func(s *served, _ *http.Request) { s.bodies.room.Take("owner", s.bodies.max*roomForBodies/2) }},
		"too much is not durable":        {status: 429, before: func(s *served, _ *http.Request) { s.backlog.maxBytes = 0 }},
		"the hub closes meanwhile":       {status: 429, before: func(s *served, _ *http.Request) { _ = s.hub.Close(gone) }},
		"it stops":                       {status: 503, before: func(s *served, _ *http.Request) { _ = s.Shut(gone) }},
		"nobody waits for it":            {status: 503, isGone: true},
		"a further way in takes it":      {status: 200, path: foreign.Path, before: func(s *served, _ *http.Request) { s.bodies.room.Give("owner", 1<<41) }},
		"a further way in does not":      {status: 429, path: foreign.Path},
		"a further way in is not let in": {status: 503, path: foreign.Path, before: func(s *served, _ *http.Request) { _ = s.Shut(gone) }},
	}
	shown := map[int]bool{}
	for name, test := range tests {
		shown[test.status] = true
		t.Run(name, func(t *testing.T) {
			options := Options{Routes: []Route{foreign}, DurableTimeout: patience.Limit}
			if test.status == http.StatusGatewayTimeout {
				options.DurableTimeout = time.Millisecond
			}
			s := serveTwo(t, options)
			s.temporal.setRefuse(func(model string) error { return fate(strings.TrimPrefix(model, "fraud-")) })
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, cmp.Or(test.path, "/v1/events"), strings.NewReader(cmp.Or(test.body, good)))
			request.Header.Set(contentType, typeJSON)
			request.Header.Set("Authorization", owner)
			for i := 0; i < len(test.headers); i += 2 {
				request.Header.Set(test.headers[i], test.headers[i+1])
			}
			if test.before != nil {
				test.before(s, request)
			}
			if test.isGone {
				request = request.WithContext(gone)
			}
			recorder := httptest.NewRecorder()
			s.ServeHTTP(recorder, request)
			require.Equal(t, test.status, recorder.Code, recorder.Body)

			label := "owner"
			if test.status == http.StatusUnauthorized {
				label = ""
			}
			var answer said
			require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &answer))
			const refused = "modelvigil_gateway_requests_refused_total"
			metrics := exposed(t, s.Gateway)
			if test.status < 300 || answer.Accepted > 0 {
				assert.NotContains(t, metrics, refused)
				return
			}
			assert.Equal(t, 1, strings.Count(metrics, refused))
			assert.Contains(t, metrics, fmt.Sprintf("%s{code=\"%d\",token=%q} 1\n", refused, test.status, label))
			assert.Zero(t, s.hub.Backlog())
			isForLater := test.status == http.StatusTooManyRequests || test.status == http.StatusServiceUnavailable
			assert.Equal(t, isForLater, recorder.Header().Get("Retry-After") == "5")
		})
	}
	for _, status := range answersOf(t) {
		assert.True(t, shown[status], "no request is answered %d", status)
	}
}

// A further way in asks for room before it begins with what belongs together, and then
// publishes all of that: what was taken in part could not be sent again.
func TestAFurtherWayInIsToldBeforehandWhetherThereIsRoom(t *testing.T) {
	var s *served
	s = serve(t, Options{Routes: []Route{{Path: "/v1/foreign", New: func(p Publisher) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			event := metric.Event{ModelName: taken}
			assert.NoError(t, p.Check(r.Context(), &event))
			s.backlog.maxBytes = -overrun
			assert.ErrorIs(t, p.Check(r.Context(), &event), ErrNotNow)
			assert.NoError(t, p.Publish(r.Context(), event))
			p.Rejected(r.Context(), 2)
			assert.NoError(t, s.hub.Close(r.Context()))
			assert.ErrorIs(t, p.Publish(r.Context(), event), ErrNotNow)
			_, _ = io.WriteString(w, "{}")
		})
	}}}})
	assert.Equal(t, http.StatusOK, s.ask(t, "/v1/foreign", good).status)
	assert.EqualValues(t, 1, s.temporal.counted(taken))
	metrics := exposed(t, s.Gateway)
	assert.Contains(t, metrics, "modelvigil_gateway_events_accepted_total{token=\"\"} 1\n")
	assert.Contains(t, metrics, "modelvigil_gateway_events_rejected_total{token=\"\"} 2\n")
}
