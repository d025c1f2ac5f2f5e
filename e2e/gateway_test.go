package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// gatewayProcess is the built `modelvigil gateway`.
type gatewayProcess struct {
	*process
	url, health string
	client      *http.Client
}

// startGateway runs it on free addresses, and waits until it takes events.
func startGateway(t *testing.T, taskQueue string, env ...string) *gatewayProcess {
	t.Helper()
	g := launchGateway(t, taskQueue, nil, env...)
	patience.Until(t, "the gateway is ready", func() bool { return shown(t, "http://"+g.health+"/readyz") == "ready\n" })
	return g
}

func launchGateway(t *testing.T, taskQueue string, args []string, env ...string) *gatewayProcess {
	t.Helper()
	address, health := freeAddress(t), freeAddress(t)
	limit := patience.Limit.String()
	env = append(append(environment(taskQueue), "GATEWAY_ADDRESS="+address, "GATEWAY_HEALTH_ADDRESS="+health,
		"GATEWAY_DURABLE_TIMEOUT="+limit, "GATEWAY_STOP_TIMEOUT="+limit), env...)
	return &gatewayProcess{start(t, starterPath, append([]string{"gateway"}, args...), env...), "http://" + address, health, http.DefaultClient}
}

// gatewayAnswer is what a gateway answers.
type gatewayAnswer struct {
	status     int
	retryAfter string
	Accepted   int64  `json:"accepted"`
	Detail     string `json:"detail"`
	Rejected   []struct {
		Index  int64  `json:"index"`
		Reason string `json:"reason"`
	} `json:"rejected"`
	NotDurable map[string]int64 `json:"not_durable"`
}

// publish sends one request; headers are pairs.
func (g *gatewayProcess) publish(t *testing.T, path, body string, headers ...string) gatewayAnswer {
	t.Helper()
	answer, err := g.tryPublish(path, body, headers...)
	require.NoError(t, err)
	return answer
}

func (g *gatewayProcess) tryPublish(path, body string, headers ...string) (answer gatewayAnswer, err error) {
	request, err := http.NewRequest(http.MethodPost, g.url+path, strings.NewReader(body))
	if err != nil {
		return answer, err
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := g.client.Do(request)
	if err != nil {
		return answer, err
	}
	defer func() { _ = response.Body.Close() }()
	answer.status, answer.retryAfter = response.StatusCode, response.Header.Get("Retry-After")
	return answer, json.NewDecoder(response.Body).Decode(&answer)
}

var (
	asJSON   = []string{"Content-Type", "application/json"}
	asNDJSON = []string{"Content-Type", "application/x-ndjson"}
)

func TestGatewayTakesEventsInEveryForm(t *testing.T) {
	t.Parallel()
	const queue = "gateway-forms"
	startWorker(t, queue)
	g := startGateway(t, queue)
	event := `{"model_name":"gateway-forms","model_version":"v1","accuracy":0.95,"metrics":{"auc":0.9}}`
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := io.WriteString(w, strings.Repeat(event+"\n", 1000))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	cloud := `{"specversion":"1.0","id":"1","source":"/serving","type":"event","data":` + event + `}`

	assert.Equal(t, 202, g.publish(t, "/v1/events", event, asJSON...).status)
	mixed := g.publish(t, "/v1/events", "["+event+`,{"acuracy":1},`+event+"]", asJSON...)
	assert.Equal(t, 202, mixed.status)
	assert.EqualValues(t, 2, mixed.Accepted)
	require.Len(t, mixed.Rejected, 1)
	assert.EqualValues(t, 1, mixed.Rejected[0].Index)
	assert.Contains(t, mixed.Rejected[0].Reason, "acuracy: unknown field")
	assert.EqualValues(t, 1000, g.publish(t, "/v1/events", zipped.String(), append(asNDJSON, "Content-Encoding", "gzip")...).Accepted)
	assert.EqualValues(t, 1, g.publish(t, "/v1/events", cloud, "Content-Type", "application/cloudevents+json").Accepted)
	assert.EqualValues(t, 2, g.publish(t, "/v1/events", "["+cloud+","+cloud+"]", "Content-Type", "application/cloudevents-batch+json").Accepted)
	assert.EqualValues(t, 1, g.publish(t, "/v1/events", event, append(asJSON, "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t")...).Accepted)
	last := g.publish(t, "/v1/events?durable=true", event, asJSON...)
	assert.Equal(t, 200, last.status)

	s := until(t, "gateway-forms", "all are counted", func(s monitor.Status) bool { return s.Events == 1008 })
	assert.EqualValues(t, 1008, s.Versions["v1"].Metrics["auc"].Count)
	assert.Contains(t, shown(t, "http://"+g.health+"/metrics"), `modelvigil_gateway_events_accepted_total{token=""} 1008`)
	assert.Equal(t, "ok\n", shown(t, "http://"+g.health+"/healthz"))

	assert.Equal(t, 202, g.publish(t, "/v1/events", strings.Repeat(event+"\n", 500), asNDJSON...).status)
	assert.Zero(t, g.terminate(t), "what was accepted is made durable")
	until(t, "gateway-forms", "what was accepted before SIGTERM is counted", func(s monitor.Status) bool { return s.Events == 1508 })
}

func TestGatewayOutlivesKillsOfItself(t *testing.T) {
	t.Parallel()
	const queue, rounds = "gateway-kill", 5
	startWorker(t, queue)
	durable, sent := int64(0), int64(0)
	for round := range rounds {
		g := startGateway(t, queue)
		var senders sync.WaitGroup
		var mu sync.Mutex
		for range 4 {
			senders.Go(func() {
				for {
					mu.Lock()
					sent += 10
					mu.Unlock()
					answer, err := g.tryPublish("/v1/events?durable=true", strings.Repeat(`{"model_name":"gateway-kill","accuracy":0.95}`+"\n", 10), asNDJSON...)
					if err != nil {
						return // killed
					}
					mu.Lock()
					if answer.status == 200 {
						durable += answer.Accepted
					}
					mu.Unlock()
				}
			})
		}
		patience.Until(t, "some are durable", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return durable > int64(100*(round+1))
		})
		g.kill()
		senders.Wait()
	}
	s := until(t, "gateway-kill", "what was answered 200 is counted", func(s monitor.Status) bool { return s.Events >= durable })
	t.Logf("%d gateways killed: %d events answered 200, %d counted, %d sent", rounds, durable, s.Events, sent)
	assert.LessOrEqual(t, s.Events, sent)
	assert.Zero(t, s.Gaps)
}

func TestGatewayHoldsClientsBackWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	const queue = "gateway-away"
	startWorker(t, queue)
	way := startRelay(t, server.FrontendHostPort())
	g := startGateway(t, queue, "TEMPORAL_ADDRESS="+way.address(), "GATEWAY_MAX_PENDING_EVENTS=100", "GATEWAY_DURABLE_TIMEOUT=1s", "GATEWAY_STOP_TIMEOUT=1s")
	event := `{"model_name":"gateway-away","accuracy":0.95}` + "\n"
	accepted := int64(0)
	isDurable := func() bool {
		answer := g.publish(t, "/v1/events?durable=true", event, asNDJSON...)
		accepted += answer.Accepted
		return answer.status == 200
	}
	patience.Until(t, "an event is durable within the second", isDurable)
	before := accepted
	way.cut()
	late := g.publish(t, "/v1/events?durable=true", strings.Repeat(event, 60), asNDJSON...)
	assert.Equal(t, 504, late.status)
	assert.EqualValues(t, 60, late.Accepted)
	assert.Equal(t, map[string]int64{"gateway-away": 60}, late.NotDurable)
	accepted += late.Accepted
	patience.Until(t, "there is no room any more", func() bool {
		answer := g.publish(t, "/v1/events", strings.Repeat(event, 20), asNDJSON...)
		accepted += answer.Accepted
		if answer.status == 429 {
			assert.Equal(t, "5", answer.retryAfter)
			assert.Zero(t, answer.Accepted)
		}
		return answer.status == 429
	})
	assert.EqualValues(t, 100, accepted-before, "as many as may be pending")
	assert.Equal(t, "ready\n", shown(t, "http://"+g.health+"/readyz"), "it still answers")
	way.mend()
	patience.Until(t, "there is room again", isDurable)
	until(t, "gateway-away", "all that was accepted is counted, once", func(s monitor.Status) bool { return s.Events == accepted })

	way.cut()
	require.Equal(t, 202, g.publish(t, "/v1/events", strings.Repeat(event, 7), asNDJSON...).status)
	assert.Equal(t, 1, g.terminate(t))
	assert.Contains(t, g.output.String(), "7 events are lost that were accepted: the server did not take them within GATEWAY_STOP_TIMEOUT 1s")
}

func TestGatewayWaitsForItsServer(t *testing.T) {
	t.Parallel()
	away := freeAddress(t)
	g := launchGateway(t, "gateway-waits", nil, "TEMPORAL_ADDRESS="+away)
	var answer gatewayAnswer
	patience.Until(t, "it answers", func() (answered bool) {
		var err error
		answer, err = g.tryPublish("/v1/events", `{"model_name":"m"}`, asJSON...)
		return err == nil
	})
	assert.Equal(t, 503, answer.status)
	assert.Equal(t, "not connected to Temporal yet; nothing was accepted, try again", answer.Detail)
	assert.Zero(t, g.terminate(t))

	g = launchGateway(t, "gateway-waits", nil, "TEMPORAL_NAMESPACE=nowhere")
	patience.Until(t, "it says what is missing", func() bool {
		return strings.Contains(g.output.String(), `look for namespace \"nowhere\"`)
	})
	assert.Zero(t, g.terminate(t))
}

// relay is a way to a server that can be cut.
type relay struct {
	target   string
	listener net.Listener
	mu       sync.Mutex
	isCut    bool
	open     map[net.Conn]struct{}
}

func startRelay(t *testing.T, target string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{target: target, listener: listener, open: map[net.Conn]struct{}{}}
	t.Cleanup(func() { _ = listener.Close(); r.cut() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go r.carry(from)
		}
	}()
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) carry(from net.Conn) {
	to, err := net.Dial("tcp", r.target)
	if err != nil || !r.add(from, to) {
		_ = from.Close()
		return
	}
	go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}

func (r *relay) add(ends ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, end := range ends {
		r.open[end] = struct{}{}
	}
	return !r.isCut
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isCut = true
	for end := range r.open {
		_ = end.Close()
	}
	clear(r.open)
}

func (r *relay) mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isCut = false
}
