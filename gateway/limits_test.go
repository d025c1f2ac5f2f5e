package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
)

func TestABodyThatIsTooLargePublishesNothing(t *testing.T) {
	s := serve(t, Options{MaxBody: 1000})
	many := strings.Repeat(good+"\n", 17) // 1020 bytes
	for name, body := range map[string]struct {
		text    io.Reader
		headers []string
		detail  string
	}{
		"said at once":                   {strings.NewReader(many), nil, "the body must have at most 1000 bytes, got 1020; nothing was accepted, send smaller batches"},
		"not said before":                {io.MultiReader(strings.NewReader(many)), nil, "the body must have at most 1000 bytes, got more"},
		"once it is decompressed":        {strings.NewReader(zipped(t, many)), []string{"Content-Encoding", "gzip"}, "the decompressed body must have at most 1000 bytes, got more"},
		"a bomb of 10 MiB in 10 KiB":     {strings.NewReader(zipped(t, strings.Repeat("\n", 10<<20))[:999]), []string{"Content-Encoding", "gzip"}, "the decompressed body must have"},
		"a bomb that is large by itself": {io.MultiReader(strings.NewReader(zipped(t, strings.Repeat("\n", 10<<20)))), []string{"Content-Encoding", "gzip"}, "the body must have"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodPost, s.url+"/v1/events", body.text)
			require.NoError(t, err)
			request.Header.Set(contentType, typeNDJSON)
			for i := 0; i < len(body.headers); i += 2 {
				request.Header.Set(body.headers[i], body.headers[i+1])
			}
			response, err := s.client.Do(request)
			require.NoError(t, err)
			answer, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
			assert.Contains(t, string(answer), body.detail)
			assert.Contains(t, string(answer), `"accepted":0`)
			assert.Zero(t, s.hub.Backlog())
			assert.Zero(t, s.temporal.counted("fraud"))
			assert.Zero(t, s.bodies.room.Taken())
		})
	}
	t.Run("the largest is taken", func(t *testing.T) {
		largest := strings.Repeat(good+"\n", 16) + strings.Repeat("\n", 40)
		require.Len(t, largest, 1000)
		assert.EqualValues(t, 16, s.ask(t, "/v1/events", largest, contentType, typeNDJSON).Accepted)
		assert.EqualValues(t, 16, s.ask(t, "/v1/events", zipped(t, largest), contentType, typeNDJSON, "Content-Encoding", "gzip").Accepted)
	})
}

// Whoever may publish may also send nonsense, and must not hold a core for long by it.
func TestMegabytesOfNonsenseCostLittleAndAreCountedInFull(t *testing.T) {
	s := serve(t, Options{})
	many := strings.Repeat("{}\n", 1_000_000)
	body := zipped(t, many+good)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	answer := s.ask(t, "/v1/events", body, contentType, typeNDJSON, "Content-Encoding", "gzip")
	runtime.ReadMemStats(&after)
	assert.EqualValues(t, 1_000_000, answer.RejectedTotal)
	assert.EqualValues(t, 1, answer.Accepted)
	assert.Less(t, after.Mallocs-before.Mallocs, uint64(50_000), "to say of each what is wrong takes some 10 allocations an event")

	var metrics strings.Builder
	for i := range 500_000 {
		fmt.Fprintf(&metrics, `,"m%d":1`, i)
	}
	answer = s.ask(t, "/v1/events", `{"model_name":"m","metrics":{"m":1`+metrics.String()+`}}`, contentType, typeNDJSON)
	assert.Equal(t, http.StatusUnprocessableEntity, answer.status)
	assert.Equal(t, "metrics: must be at most 64, got 500001", answer.Rejected[0].Reason)
}

// Who has closed a connection for writing alone reads that answer.
func TestWhatNobodyWaitsForIsNeitherPublishedNorSaidToBe(t *testing.T) {
	s := serve(t, Options{Routes: []Route{{Path: "/v1/metrics", New: func(Publisher) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("no further way in sees it") })
	}}}})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"/v1/events", "/v1/events?durable=true", "/v1/metrics"} {
		recorder := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(gone, http.MethodPost, path, strings.NewReader(good))
		request.Header.Set(contentType, typeJSON)
		s.ServeHTTP(recorder, request)
		assert.Equal(t, http.StatusServiceUnavailable, recorder.Code, path)
		assert.Contains(t, recorder.Body.String(), "nothing was accepted", path)
	}
	assert.Zero(t, s.hub.Backlog())
}

func TestManyLargeBodiesAtOnceAreBackPressure(t *testing.T) {
	s := serve(t, Options{MaxBody: 1000})
	require.True(t, s.bodies.room.Take("", leastTaken)) // as if others were reading
	answer := s.ask(t, "/v1/events", good, contentType, typeJSON)
	assert.Equal(t, http.StatusTooManyRequests, answer.status)
	assert.Equal(t, "5", answer.header.Get("Retry-After"))
	assert.EqualValues(t, leastTaken, s.bodies.room.Taken(), "what was refused is held no more")
	s.bodies.room.Give("", leastTaken)
	assert.Equal(t, http.StatusAccepted, s.ask(t, "/v1/events", good, contentType, typeJSON).status)
}

func TestBackPressureAcceptsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		first   string
		detail  string
	}{
		"by events": {Options{MaxPendingEvents: 3}, strings.Repeat(good+"\n", 3), "3 events are not durable yet, of which 3 are of this token, and 3 may be"},
		"by memory": {Options{MaxPendingBytes: 1000}, `{"model_name":"a"}` + "\n" + `{"model_name":"b"}` + "\n" + `{"model_name":"c"}`, "what is not durable yet takes 0 MiB of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.options)
			s.temporal.setRefuse(away)
			first := s.ask(t, "/v1/events", test.first, contentType, typeNDJSON)
			require.Equal(t, http.StatusAccepted, first.status, "a request may go beyond the bound by what it holds")
			var second said
			patience.Until(t, "the backlog is counted", func() bool {
				second = s.ask(t, "/v1/events", bad+"\n", contentType, typeNDJSON)
				return second.status != http.StatusUnprocessableEntity
			})
			assert.Equal(t, http.StatusTooManyRequests, second.status)
			assert.Contains(t, second.Detail, test.detail)
			assert.Equal(t, "5", second.header.Get("Retry-After"))
			third := s.ask(t, "/v1/events", good+"\n"+good, contentType, typeNDJSON)
			assert.Equal(t, http.StatusTooManyRequests, third.status)
			assert.Zero(t, third.Accepted)
			assert.EqualValues(t, 3, s.hub.Backlog().Events)

			s.temporal.setRefuse(nil) // the server is back
			patience.Until(t, "there is room again", func() bool {
				return s.ask(t, "/v1/events", good, contentType, typeJSON).status == http.StatusAccepted
			})
		})
	}
}

func TestBeforeItIsOpenAndOnceItIsShutItTakesNothing(t *testing.T) {
	s := serve(t, Options{})
	fresh := New(Options{})
	require.EqualError(t, fresh.Ready(), "not connected to Temporal yet")
	require.NoError(t, s.Ready())

	// One request is being read, and no more: it is refused once it is whole.
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	_, err = fmt.Fprintf(connection, "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(good))
	require.NoError(t, err)

	require.NoError(t, s.Shut(t.Context()))
	require.EqualError(t, s.Ready(), "stopping")
	answer := s.ask(t, "/v1/events", good, contentType, typeJSON)
	assert.Equal(t, http.StatusServiceUnavailable, answer.status)
	assert.Equal(t, "5", answer.header.Get("Retry-After"))
	assert.True(t, answer.closed, "the next attempt may find another gateway")
	assert.Equal(t, "stopping; nothing was accepted, try again", answer.Detail)

	_, err = io.WriteString(connection, good)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	assert.Zero(t, s.hub.Backlog())
}

func TestABodyThatComesTooSlowlyIsNotWaitedFor(t *testing.T) {
	for name, test := range map[string]struct {
		pace pace
		size int // of what is sent at once
	}{
		"not at all":                           {pace{grace: 100 * time.Millisecond, most: time.Minute, rate: 1000}, 0},
		"with a beginning":                     {pace{grace: 0, most: time.Minute, rate: 1000}, 100},
		"at a good rate, but for far too long": {pace{grace: time.Minute, most: 100 * time.Millisecond, rate: 1}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{})
			s.bodies.pace = test.pace
			connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			require.NoError(t, err)
			defer func() { _ = connection.Close() }()
			_, err = fmt.Fprintf(connection, "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n%s", strings.Repeat(" ", test.size))
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			require.NoError(t, err)
			defer func() { _ = response.Body.Close() }()
			assert.Equal(t, http.StatusRequestTimeout, response.StatusCode)
			assert.Zero(t, s.hub.Backlog())
			assert.Zero(t, s.bodies.room.Taken())
		})
	}
}

func TestShutWaitsForWhatIsBeingPublished(t *testing.T) {
	s := serve(t, Options{})
	_, leave, err := s.doors.enter()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, s.Shut(ctx), "some requests are still publishing")
	done := make(chan error, 1)
	go func() { done <- s.Shut(context.Background()) }()
	leave()
	leave() // again is no harm
	require.NoError(t, <-done)
}

func TestDurableAnswersSayWhatIsKnown(t *testing.T) {
	hasty := serve(t, Options{DurableTimeout: 100 * time.Millisecond})
	hasty.temporal.setRefuse(away)
	late := hasty.ask(t, "/v1/events?durable=true", "["+good+","+good+","+bad+"]", contentType, typeJSON)
	assert.Equal(t, http.StatusGatewayTimeout, late.status)
	assert.EqualValues(t, 2, late.Accepted)
	assert.Len(t, late.Rejected, 1)
	assert.Equal(t, map[string]int64{"fraud": 2}, late.NotDurable)
	assert.Contains(t, late.Detail, "accepted, but not durable within 100ms; what no monitor has refused may be yet: publish it again, and it may count twice")
	hasty.temporal.setRefuse(nil)
	patience.Until(t, "it is durable in the end", func() bool { return hasty.temporal.counted("fraud") == 2 })

	s := serve(t, Options{})
	s.temporal.setRefuse(func(model string) error {
		if model == "stopped" {
			return fmt.Errorf("%w: model-monitor/stopped", hub.ErrMonitorStopped)
		}
		return nil
	})
	lost := s.ask(t, "/v1/events?durable=true", `{"model_name":"stopped"}`, contentType, typeJSON)
	assert.Equal(t, http.StatusConflict, lost.status)
	assert.EqualValues(t, 1, lost.Accepted)
	assert.Equal(t, map[string]int64{"stopped": 1}, lost.NotDurable)
	assert.Contains(t, lost.Detail, "monitor stopped")

	assert.Equal(t, http.StatusOK, s.ask(t, "/v1/events?durable=true", good, contentType, typeJSON).status)
	assert.EqualValues(t, 1, s.temporal.counted("fraud"), "others are taken")
}
