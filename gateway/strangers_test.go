package gateway

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

const (
	owner    = "Bearer 0123456789abcdef-owner"
	stranger = "Bearer 0123456789abcdef-stranger"
)

// serveTwo starts a gateway with two tokens, each for models of its own.
func serveTwo(t *testing.T, options Options) *served {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, "owner 0123456789abcdef-owner fraud*\nstranger 0123456789abcdef-stranger other*\n")
	tokens, err := WatchTokens(path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	options.Tokens = tokens
	return serve(t, options)
}

// begin sends a request's header and a part of its body, and nothing more.
func (s *served) begin(t testing.TB, by string, length int, part string) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	_, err = fmt.Fprintf(connection, "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n%s", by, length, part)
	require.NoError(t, err)
	return connection
}

func TestHalfSentBodiesOfOneTokenShutNobodyElseOut(t *testing.T) {
	s := serveTwo(t, Options{})
	half := strings.Repeat(" ", DefaultMaxBody/2)
	for range 56 {
		_ = s.begin(t, stranger, DefaultMaxBody, half)
	}
	patience.Until(t, "the token has its share", func() bool { return s.bodies.room.Taken() > roomForBodies*DefaultMaxBody/4 })
	for range 55 {
		assert.Equal(t, http.StatusAccepted, s.ask(t, "/v1/events", good, contentType, typeJSON, "Authorization", owner).status)
	}
	whole := strings.Repeat(good+"\n", 50_000)
	answer := s.ask(t, "/v1/events", whole, contentType, typeNDJSON, "Authorization", owner)
	assert.Equal(t, http.StatusAccepted, answer.status, "large ones too: %s", answer.Detail)
}

func TestRequestsThatWaitToBeDurableHoldNothingThatOthersNeed(t *testing.T) {
	s := serveTwo(t, Options{DurableTimeout: patience.Limit})
	s.temporal.setRefuse(away)
	waiting := s.waiting(t, stranger, 2100)
	patience.Until(t, "as many wait as may", func() bool { return s.requests.Taken() >= maxRequests/2 })
	assert.Less(t, s.bodies.room.Taken(), int64(8<<20), "bodies are not held while nobody reads them")
	for range 55 {
		assert.Equal(t, http.StatusAccepted, s.ask(t, "/v1/events", good, contentType, typeJSON, "Authorization", owner).status)
	}
	waiting()
}

// waiting sends so many durable requests, and returns how to give them up.
func (s *served) waiting(t testing.TB, by string, n int) (giveUp func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var sent sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{}}
	for range n {
		sent.Go(func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/events?durable=true", strings.NewReader(`{"model_name":"other","accuracy":0.95}`))
			if err != nil {
				return
			}
			request.Header.Set(contentType, typeJSON)
			request.Header.Set("Authorization", by)
			if response, err := client.Do(request); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	return func() {
		cancel()
		sent.Wait()
		client.CloseIdleConnections()
	}
}

// manyDigests is a body of many models, versions and metrics, each of them once, and
// as far apart from the others as they may be.
func manyDigests(models, versions, metrics int) string {
	var body bytes.Buffer
	for v := range versions {
		for m := range models {
			for _, value := range []string{"1e-9", "1e9"} {
				fmt.Fprintf(&body, `{"model_name":"other-%d","model_version":"%d","metrics":{`, m, v)
				for i := range metrics {
					if i > 0 {
						body.WriteByte(',')
					}
					fmt.Fprintf(&body, `"m%d":%s`, i, value)
				}
				body.WriteString("}}\n")
			}
		}
	}
	return body.String()
}

func TestOneBodyTakesNoMoreMemoryThanItsTokensShareHoweverManyDigestsItOpens(t *testing.T) {
	s := serveTwo(t, Options{MaxPendingBytes: 64 << 20})
	s.temporal.setRefuse(away)
	body := manyDigests(100, 32, 64)
	require.Less(t, len(body), DefaultMaxBody)
	for range 3 {
		answer := s.ask(t, "/v1/events", zipped(t, body), contentType, typeNDJSON, "Content-Encoding", "gzip", "Authorization", stranger)
		if answer.Accepted == 0 {
			assert.Equal(t, http.StatusTooManyRequests, answer.status)
			continue
		}
		assert.Equal(t, http.StatusAccepted, answer.status)
		assert.Contains(t, answer.Rejected[0].Reason, "not now, send it again later")
		assert.Contains(t, answer.Note, "send those again later")
	}
	const one = 1 << 20 // what a single event may open
	assert.Less(t, s.hub.BacklogBytes(), int64(32<<20+overrun+one))
	assert.Equal(t, http.StatusAccepted, s.ask(t, "/v1/events", good, contentType, typeJSON, "Authorization", owner).status, "there is room for others")

	s.temporal.setRefuse(nil)
	require.NoError(t, s.hub.Flush(t.Context()))
	assert.Zero(t, s.hub.BacklogBytes())
	assert.Positive(t, s.ask(t, "/v1/events", body, contentType, typeNDJSON, "Authorization", stranger).Accepted)
}

func TestOneTokensPendingEventsLeaveRoomForThoseOfOthers(t *testing.T) {
	s := serveTwo(t, Options{MaxPendingEvents: 1000})
	s.temporal.setRefuse(away)
	patience.Until(t, "the token has as many as it may have", func() bool {
		return s.ask(t, "/v1/events", strings.Repeat(`{"model_name":"other"}`+"\n", 100), contentType, typeNDJSON, "Authorization", stranger).status == http.StatusTooManyRequests
	})
	assert.Less(t, s.hub.Backlog().Events, int64(700))
	assert.Equal(t, http.StatusAccepted, s.ask(t, "/v1/events", good, contentType, typeJSON, "Authorization", owner).status)
}

func TestRequestsOfOneTokenDoNotWaitForThoseOfAnother(t *testing.T) {
	s := serveTwo(t, Options{})
	var leave []func()
	for range cap(s.gate.places("stranger")) { // as if these were at work
		done, err := s.gate.enter(t.Context(), "stranger")
		require.NoError(t, err)
		leave = append(leave, done)
	}
	answered := make(chan int, 1)
	go func() {
		answered <- s.ask(t, "/v1/events", `{"model_name":"other"}`, contentType, typeJSON, "Authorization", stranger).status
	}()
	for range 10 {
		assert.Equal(t, http.StatusAccepted, s.ask(t, "/v1/events", good, contentType, typeJSON, "Authorization", owner).status)
	}
	assert.Empty(t, answered, "it waits")
	leave[0]()
	assert.Equal(t, http.StatusAccepted, <-answered)
}

func TestEveryRefusalNamesItsToken(t *testing.T) {
	s := serveTwo(t, Options{MaxBody: 100})
	s.ask(t, "/v1/events", strings.Repeat(" ", 200), contentType, typeJSON, "Authorization", stranger)
	s.ask(t, "/v1/events", good, contentType, "text/html", "Authorization", stranger)
	s.ask(t, "/v1/events", good, contentType, typeJSON)
	s.ask(t, "/v1/events", good, contentType, typeJSON, "Authorization", stranger)
	shown := exposed(t, s.Gateway)
	for _, line := range []string{
		`modelvigil_gateway_requests_refused_total{code="413",token="stranger"} 1`, `modelvigil_gateway_requests_refused_total{code="415",token="stranger"} 1`,
		`modelvigil_gateway_requests_refused_total{code="401",token=""} 1`, `modelvigil_gateway_events_rejected_total{token="stranger"} 1`,
	} {
		assert.Contains(t, shown, line)
	}
}

// Of what is wrong with an event, and with the events of a body, only so much is
// said; the rest is counted, at little more than it costs to read it.
func TestWorkIsBoundedByWhatWasSent(t *testing.T) {
	s := serve(t, Options{})
	var keys strings.Builder
	for i := range 300_000 {
		fmt.Fprintf(&keys, `"k%d":1,`, i)
	}
	answer := s.ask(t, "/v1/events", `{`+keys.String()+`"model_name":"m"}`, contentType, typeJSON)
	assert.Equal(t, "must be a JSON object of at most 1000 fields, got 300001", answer.Rejected[0].Reason)

	lines := strings.Repeat(bad+"\n", 100_000) + good + "\n" + `{"model_name":"fr\u0061ud"}`
	answer = s.ask(t, "/v1/events", lines, contentType, typeNDJSON)
	assert.EqualValues(t, 2, answer.Accepted, "in whatever form, and however much nonsense stands before it")
	assert.EqualValues(t, 100_000, answer.RejectedTotal, "unexplained, but for those that are listed")
}

func TestABareNaNCostsItsElementAlone(t *testing.T) {
	s := serve(t, Options{})
	for list, accepted := range map[string]int64{
		"[" + good + `,{"model_name":"fraud","accuracy":NaN},` + good + "]": 2,
		"[" + good + ",NaN," + good + "]":                                   2,
		"[" + good + "," + good + "]":                                       2,
		"[" + good + " " + good + "," + good + "]":                          1,
		"[" + good + `,{"a":"]"],` + good + "]":                             2,
	} {
		answer := s.ask(t, "/v1/events", list, contentType, typeJSON)
		assert.Equal(t, http.StatusAccepted, answer.status, list)
		assert.Equal(t, accepted, answer.Accepted, list)
	}
	for _, broken := range []string{"[" + good + ",NaN", "[" + good + "]]", "[" + good + `,"]`, "[NaN] 1", `["\`, `["\"]`} {
		assert.Equal(t, http.StatusBadRequest, s.ask(t, "/v1/events", broken, contentType, typeJSON).status, broken)
	}
}

func exposed(t testing.TB, g *Gateway) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(g.Collector())
	families, err := registry.Gather()
	require.NoError(t, err)
	var text bytes.Buffer
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
			}
			_, _ = fmt.Fprintf(&text, "%s{%s} %v\n", family.GetName(), strings.Join(labels, ","), metric.GetCounter().GetValue())
		}
	}
	return text.String()
}

func TestPagesOfBrowsersPublishNothingWithoutAToken(t *testing.T) {
	local, anywhere, tokens := serve(t, Options{Local: true}), serve(t, Options{}), serveTwo(t, Options{})
	ask := func(s *served, host string, headers ...string) int {
		request, err := http.NewRequest(http.MethodPost, s.url+"/v1/events", strings.NewReader(good))
		require.NoError(t, err)
		request.Host = host
		request.Header.Set(contentType, typeJSON)
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		response, err := s.client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Empty(t, response.Header.Get("Access-Control-Allow-Origin"), "no page is let in")
		return response.StatusCode
	}
	for _, host := range []string{"localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]:8080"} {
		assert.Equal(t, http.StatusAccepted, ask(local, host), host)
	}
	for _, host := range []string{"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.7:8080"} {
		assert.Equal(t, http.StatusForbidden, ask(local, host), "a name that was made to mean this machine: %s", host)
		assert.Equal(t, http.StatusAccepted, ask(anywhere, host), "where others reach it, it has other names: %s", host)
	}
	for _, origin := range []string{"http://evil.example", "http://localhost:8080", "null"} {
		assert.Equal(t, http.StatusForbidden, ask(local, "localhost", "Origin", origin), origin)
		assert.Equal(t, http.StatusForbidden, ask(anywhere, "gateway", "Origin", origin), origin)
		assert.Equal(t, http.StatusAccepted, ask(tokens, "gateway", "Origin", origin, "Authorization", owner), "a token is proof enough")
	}
}

func TestATokensFileThatCanNotBeUsedShowsInMetrics(t *testing.T) {
	s := serveTwo(t, Options{})
	faulty := func() float64 {
		registry := prometheus.NewRegistry()
		registry.MustRegister(s.Collector())
		families, err := registry.Gather()
		require.NoError(t, err)
		for _, family := range families {
			if family.GetName() == "modelvigil_gateway_tokens_faulty" {
				return family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return -1
	}
	path := s.options.Tokens.file.paths[0]
	assert.Zero(t, faulty())
	for _, text := range []string{"", "broken\n", "one 0123456789abcdef-owner\ntwo 0123456789abcdef-owner\n"} {
		write(t, path, text)
		patience.Until(t, "it shows", func() bool { return faulty() == 1 })
		assert.Equal(t, http.StatusAccepted, s.ask(t, "/v1/events", good, contentType, typeJSON, "Authorization", owner).status)
		write(t, path, "owner 0123456789abcdef-owner fraud*\n")
		patience.Until(t, "it is mended", func() bool { return faulty() == 0 })
	}
}
