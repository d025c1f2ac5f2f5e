package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

const (
	ownersToken    = "0123456789abcdef-owner"
	strangersToken = "0123456789abcdef-stranger"
	ownersModel    = "strangers-mine"
	// mostMemory is what a gateway takes at most, whatever is sent to it.
	mostMemory = 512 << 20
)

// attackFor is how long each attack lasts. MODELVIGIL_STRANGERS=10m is a soak.
func attackFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("MODELVIGIL_STRANGERS")
	if text == "" {
		return 2 * time.Second
	}
	parsed, err := time.ParseDuration(text)
	require.NoError(t, err)
	return parsed
}

// shippedGateway are the settings of the gateway in deploy/kubernetes, memory limit
// included.
func shippedGateway(t *testing.T) (settings []string) {
	t.Helper()
	manifest, err := os.ReadFile("../deploy/kubernetes/gateway.yaml")
	require.NoError(t, err)
	for _, document := range strings.Split(string(manifest), "\n---\n") {
		var deployment struct {
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Env []struct{ Name, Value string } `json:"env"`
						} `json:"containers"`
					} `json:"spec"`
				} `json:"template"`
			} `json:"spec"`
		}
		require.NoError(t, yaml.Unmarshal([]byte(document), &deployment))
		for _, container := range deployment.Spec.Template.Spec.Containers {
			for _, variable := range container.Env {
				if variable.Name == "GOMEMLIMIT" {
					settings = append(settings, variable.Name+"="+variable.Value)
				}
			}
		}
	}
	require.NotEmpty(t, settings)
	return settings
}

// Two teams share a gateway. One publishes at a steady rate, by every way in; the
// other one's token does all that one token can do. Nothing of it reaches the first.
func TestAStrangerHarmsNobodyElse(t *testing.T) {
	const queue = "strangers"
	startWorker(t, queue)
	way := startRelay(t, server.FrontendHostPort())
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("owner "+ownersToken+" strangers-mine\nstranger "+strangersToken+" other-*\n"), 0o600))
	starterWith(t, queue, "model_name: "+ownersModel+"\n---\nmodel_name: other-1\n", nil, "apply", "-")
	g := launchGateway(t, queue, []string{"--enrol", "refuse"}, // as shared gateways are started
		append(shippedGateway(t), "GATEWAY_TOKENS_FILE="+tokens, "TEMPORAL_ADDRESS="+way.address())...)
	patience.Until(t, "the gateway is ready", func() bool { return shown(t, "http://"+g.health+"/readyz") == "ready\n" })
	owner := newOwner(g)

	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), attackFor(t))
			defer cancel()
			if attack.away {
				way.cut()
			}
			var attackers sync.WaitGroup
			for range 4 {
				attackers.Go(func() { attack.run(ctx, &attacker{gateway: g}) })
			}
			owner.took = nil
			sent, accepted := owner.publishUntil(ctx)
			attackers.Wait()
			if attack.away {
				way.mend()
			}
			slices.Sort(owner.took)
			t.Logf("%d of %d requests accepted, in %v (median) and %v at most; peak memory %d MiB", accepted, sent,
				owner.took[sent/2].Round(100*time.Microsecond), owner.took[sent-1].Round(100*time.Microsecond), peakMemory(t, g.cmd.Process.Pid)>>20)
			assert.GreaterOrEqual(t, accepted, 7, "every way in was tried")
			assert.GreaterOrEqual(t, float64(accepted), 0.99*float64(sent), "what was refused: %v", owner.refusals)
			assert.LessOrEqual(t, peakMemory(t, g.cmd.Process.Pid), int64(mostMemory))
		})
	}

	var s monitor.Status
	patience.Until(t, "all that was accepted is counted", func() bool {
		s = status(t, ownersModel)
		return s.Events >= owner.events.Load()
	})
	assert.Equal(t, owner.events.Load(), s.Events, "and nothing else")
	assert.Zero(t, s.Retrainings.Requested)
	assert.Zero(t, s.Breaches)
	assert.Zero(t, s.Rejected)
	metrics := shown(t, "http://"+g.health+"/metrics")
	assert.Contains(t, metrics, fmt.Sprintf(`modelvigil_gateway_events_accepted_total{token="owner"} %d`, owner.events.Load()))
	assert.NotContains(t, metrics, `modelvigil_gateway_requests_refused_total{code="429",token="owner"}`)
	assert.NotContains(t, metrics, ownersModel, "what watches a gateway learns no names of models")
	assert.NotContains(t, metrics, "other-")
	for _, refused := range []string{
		`modelvigil_gateway_events_rejected_total{token="stranger"}`, `modelvigil_gateway_requests_refused_total{code="429",token="stranger"}`,
		`modelvigil_gateway_requests_refused_total{code="401",token=""}`,
	} {
		assert.Contains(t, metrics, refused)
	}
}

// peakMemory is the most that a process has ever held.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("peak memory is read from /proc")
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			require.NoError(t, err)
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// owner publishes healthy events of one model, by every way in after the other.
type owner struct {
	gateway  *gatewayProcess
	client   *http.Client
	began    time.Time
	turn     int
	total    int64        // of its cumulative stream
	events   atomic.Int64 // accepted
	refusals []string     // the last few
	took     []time.Duration
}

func newOwner(g *gatewayProcess) *owner {
	return &owner{gateway: g, client: &http.Client{Transport: &http.Transport{}}, began: time.Now()}
}

// publishUntil sends 20 requests a second.
func (o *owner) publishUntil(ctx context.Context) (sent, accepted int) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for sent < 14 || ctx.Err() == nil { // each way in twice, however slow the machine is
		<-tick.C
		sent++
		if o.publish() {
			accepted++
		}
	}
	return sent, accepted
}

func (o *owner) publish() bool {
	const event = `{"model_name":"` + ownersModel + `","accuracy":0.95}`
	const cloud = `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":` + event + `}`
	o.turn++
	path, body, events := "/v1/events", event, int64(1)
	headers := asJSON
	switch o.turn % 7 {
	case 0:
	case 1:
		body, headers, events = event+"\n"+event, asNDJSON, 2
	case 2:
		body, headers = cloud, []string{"Content-Type", "application/cloudevents+json"}
	case 3:
		headers = append([]string{"ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t"}, asJSON...)
	case 4:
		body, headers = pack(event), append([]string{"Content-Encoding", "gzip"}, asJSON...)
	case 5:
		path, body = "/v1/metrics", o.cumulative()
	case 6:
		path, headers = "/v1/metrics", []string{"Content-Type", "application/x-protobuf"}
		var request collector.ExportMetricsServiceRequest
		if protojson.Unmarshal([]byte(o.cumulative()), &request) != nil {
			return false
		}
		encoded, _ := proto.Marshal(&request)
		body = string(encoded)
	}
	began := time.Now()
	status, answer := send(context.Background(), o.client, o.gateway.url+path, ownersToken, body, headers...)
	o.took = append(o.took, time.Since(began))
	if status != http.StatusAccepted && status != http.StatusOK {
		o.refusals = append(o.refusals[max(0, len(o.refusals)-4):], fmt.Sprintf("%s: %d %.300s", path, status, answer))
		return false
	}
	o.events.Add(events)
	return true
}

// cumulative exports a count that has grown by 10, which is 10 ms of latency.
func (o *owner) cumulative() string {
	o.total += 10
	return count(ownersModel, o.total, o.began, time.Now())
}

func count(model string, total int64, began, at time.Time) string {
	return fmt.Sprintf(`{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "latency_ms", "sum": {"isMonotonic": true, "aggregationTemporality": 2,
	  "dataPoints": [{"attributes": [{"key": "model_name", "value": {"stringValue": %q}}], "asInt": "%d", "startTimeUnixNano": "%d", "timeUnixNano": "%d"}]}}]}]}]}`,
		model, total, began.UnixNano(), at.UnixNano())
}

func send(ctx context.Context, client *http.Client, url, token, body string, headers ...string) (status int, answer string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func pack(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// open dials the gateway and sends a part of a request, and nothing more.
func (a *attacker) open(ctx context.Context, text string) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(a.gateway.url, "http://"))
	if err != nil {
		return
	}
	_, _ = io.WriteString(connection, text)
	context.AfterFunc(ctx, func() { _ = connection.Close() })
}
