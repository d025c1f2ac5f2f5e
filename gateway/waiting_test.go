package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// What a request waits for is counted, too: thousands of requests of thousands of models
// each are more than their bodies.
func TestRequestsThatWaitForManyModelsTakeNoMoreThanIsCounted(t *testing.T) {
	s := serveTwo(t, Options{MaxBody: 400_000, DurableTimeout: patience.Limit}) // 4.8 MB for bodies, half of it for one token
	s.temporal.setRefuse(away)
	var body strings.Builder
	const models = 1000
	for i := range models {
		fmt.Fprintf(&body, `{"model_name":"other-%d"}`+"\n", i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	post := func(of context.Context) said {
		recorder := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(of, http.MethodPost, "/v1/events?durable=true", strings.NewReader(body.String()))
		request.Header.Set(contentType, typeNDJSON)
		request.Header.Set("Authorization", stranger)
		s.ServeHTTP(recorder, request)
		var answer said
		assert.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &answer))
		return answer
	}
	for range 8 {
		waiting.Go(func() { post(ctx) })
	}
	const all = 12 * 400_000
	patience.Until(t, "all wait", func() bool { return s.requests.Taken() == 8 && len(s.gate.places("stranger")) == 0 })
	assert.Greater(t, s.bodies.room.Taken(), int64(all/2-models*receiptBytes))
	assert.LessOrEqual(t, s.bodies.room.Taken(), int64(all/2))

	cancel()
	waiting.Wait()
	assert.Zero(t, s.bodies.room.Taken(), "and all is given back")
	s.temporal.setRefuse(nil)
	assert.EqualValues(t, models, post(t.Context()).Accepted)
}

// unread is a connection whose other end reads nothing.
type unread struct {
	*httptest.ResponseRecorder
	until   context.Context
	waiting *atomic.Int64
}

func (u unread) Write([]byte) (int, error) {
	u.waiting.Add(1)
	<-u.until.Done()
	return 0, u.until.Err()
}

func TestAnswersThatNobodyReadsTakeNoMoreThanIsCounted(t *testing.T) {
	s := serveTwo(t, Options{MaxBody: 400_000})
	long := strings.Repeat("n", 900)
	body := strings.Repeat(`{"model_name":"other","`+long+`":1}`+"\n", maxListed)
	post := func(w http.ResponseWriter) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events", strings.NewReader(body))
		request.Header.Set(contentType, typeNDJSON)
		request.Header.Set("Authorization", stranger)
		s.ServeHTTP(w, request)
	}
	until, cancel := context.WithCancel(t.Context())
	var answered sync.WaitGroup
	var waiting atomic.Int64
	for range 100 {
		answered.Go(func() { post(unread{httptest.NewRecorder(), until, &waiting}) })
	}
	patience.Until(t, "all wait to be read", func() bool { return waiting.Load() == 100 })
	assert.Positive(t, s.bodies.room.Taken(), "what they say is counted")
	assert.LessOrEqual(t, s.bodies.room.Taken(), int64(12*400_000/2))
	assert.Equal(t, http.StatusAccepted, s.ask(t, "/v1/events", good, contentType, typeJSON, "Authorization", owner).status)
	cancel()
	answered.Wait()
	assert.Zero(t, s.bodies.room.Taken())

	full := &memory{bodies: s.bodies, party: "stranger"}
	require.True(t, full.take(12*400_000/2))
	o := newOutcome()
	o.reject(errUnexplained)
	o.list(&memory{bodies: s.bodies, party: "stranger"})
	assert.Empty(t, o.Rejected)
	assert.Equal(t, "requests of this token hold too much memory to say why 1 were rejected", o.Note)
}
