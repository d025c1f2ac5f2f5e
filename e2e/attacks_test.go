package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// attacker has an ordinary token, for models of its own.
type attacker struct {
	gateway *gatewayProcess
	client  http.Client
	turn    int
}

// attack is what one token can do.
type attack struct {
	name string
	away bool // while the server can't be reached
	run  func(ctx context.Context, a *attacker)
}

var attacks = []attack{
	{"by exports of a model that is not theirs", false, func(ctx context.Context, a *attacker) {
		began := time.Now()
		for ctx.Err() == nil {
			a.post(ctx, "/v1/metrics", count(ownersModel, 0, began, time.Now()), asJSON...)
			a.post(ctx, "/v1/metrics", count(ownersModel, 1, began, time.Now().Add(1000*time.Hour)), asJSON...)
		}
	}},
	{"by events of a model that is not theirs, however it is written", false, func(ctx context.Context, a *attacker) {
		for ctx.Err() == nil {
			for _, event := range []string{
				`{"model_name":"strangers-mine","accuracy":0.1}`, `{"model_name":"other-1","model_name":"strangers-mine","accuracy":0.1}`,
				`{"model_name":"other-1","MODEL_NAME":"strangers-mine","accuracy":0.1}`, `{"model_name":"strangers\u002dmine","accuracy":0.1}`,
				`{"model_name":"other-/../strangers-mine","accuracy":0.1}`,
			} {
				a.post(ctx, "/v1/events", event, asJSON...)
				a.post(ctx, "/v1/events", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":`+event+`}`, "Content-Type", "application/cloudevents+json")
			}
		}
	}},
	{"by cumulative streams without end", false, func(ctx context.Context, a *attacker) {
		for ctx.Err() == nil {
			var points strings.Builder
			for range 5000 {
				a.turn++
				fmt.Fprintf(&points, `,{"attributes": [{"key": "model_name", "value": {"stringValue": "other-1"}}], "asInt": "1", "startTimeUnixNano": "%d", "timeUnixNano": "%d"}`, a.turn, time.Now().UnixNano())
			}
			a.packed(ctx, "/v1/metrics", otlpOf("latency_ms", `"sum": {"isMonotonic": true, "aggregationTemporality": 2, "dataPoints": [`+points.String()[1:]+`]}`), asJSON...)
		}
	}},
	{"by digests of many models, versions and metrics", false, digests},
	{"by digests while the server is away", true, digests},
	{"by empty OTLP points", false, func(ctx context.Context, a *attacker) {
		body := otlpOf("accuracy", `"gauge": {"dataPoints": [`+strings.Repeat("{},", 2_600_000)+`{}]}`)
		wire := withinFields(bytes.Repeat(withinFields(nil, 1), 4_000_000), 5, 2, 2, 1)
		for ctx.Err() == nil {
			a.packed(ctx, "/v1/metrics", body, asJSON...)
			a.packed(ctx, "/v1/metrics", string(wire), "Content-Type", "application/x-protobuf")
		}
	}},
	{"by a resource's attributes and its scopes", false, func(ctx context.Context, a *attacker) {
		const n = 500_000
		resource := withinFields(bytes.Repeat([]byte{1<<3 | 2, 3, 1<<3 | 2, 1, 'k'}, n), 1)
		body := string(withinFields(append(resource, bytes.Repeat([]byte{2<<3 | 2, 0}, n)...), 1))
		for ctx.Err() == nil {
			a.packed(ctx, "/v1/metrics", body, "Content-Type", "application/x-protobuf")
		}
	}},
	{"by text that no decoder reads", false, func(ctx context.Context, a *attacker) {
		for ctx.Err() == nil {
			a.packed(ctx, "/v1/metrics", `{"resourceMetrics":"`+strings.Repeat("A", 7<<20)+`"}`, asJSON...)
		}
	}},
	{"by histograms of trillions", false, func(ctx context.Context, a *attacker) {
		point := `{"attributes": [{"key": "model_name", "value": {"stringValue": "other-1"}}], "count": "4000000000000", "sum": 1, "min": 0, "max": 1}`
		for ctx.Err() == nil {
			a.packed(ctx, "/v1/metrics", otlpOf("latency_ms", `"histogram": {"aggregationTemporality": 1, "dataPoints": [`+strings.Repeat(point+",", 40_000)+point+`]}`), asJSON...)
		}
	}},
	{"by a million unknown fields", false, func(ctx context.Context, a *attacker) {
		var fields strings.Builder
		for i := range 600_000 {
			fmt.Fprintf(&fields, `"f%d":1,`, i)
		}
		event := `{` + fields.String() + `"model_name":"other-1"}`
		for ctx.Err() == nil {
			a.packed(ctx, "/v1/events", event, asJSON...)
			a.packed(ctx, "/v1/events", `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":`+event+`}`, "Content-Type", "application/cloudevents+json")
			a.packed(ctx, "/v1/metrics", event, asJSON...)
		}
	}},
	{"by megabytes of nonsense", false, func(ctx context.Context, a *attacker) {
		bodies := []string{
			strings.Repeat(`{"model_name":"other-1","acuracy":0.1}`+"\n", 200_000), strings.Repeat("{}\n", 2_800_000), strings.Repeat(`{"model_name":1}`+"\n", 400_000),
			strings.Repeat("[", 8_000_000), strings.Repeat(`{"a":`, 1_500_000),
		}
		for ctx.Err() == nil {
			for _, body := range bodies {
				a.packed(ctx, "/v1/events", body, asNDJSON...)
			}
			a.packed(ctx, "/v1/events", "["+strings.Repeat("{},", 2_700_000)+"{}]", "Content-Type", "application/cloudevents-batch+json")
			a.packed(ctx, "/v1/events", "["+strings.Repeat("NaN,", 2_000_000)+"1]", asJSON...)
		}
	}},
	{"by bodies half sent", false, func(ctx context.Context, a *attacker) {
		half := fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n%s",
			strangersToken, 8<<20, strings.Repeat(" ", 4<<20))
		for range 14 {
			a.open(ctx, half)
		}
		<-ctx.Done()
	}},
	{"by headers half sent", false, func(ctx context.Context, a *attacker) {
		for range 375 {
			a.open(ctx, "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ")
		}
		<-ctx.Done()
	}},
	{"by 200 bodies of 8 MiB at once", false, func(ctx context.Context, a *attacker) {
		body := strings.Repeat(`{"model_name":"other-1","accuracy":0.95}`+"\n", 200_000)
		for ctx.Err() == nil {
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() { a.post(ctx, "/v1/events", body, asNDJSON...) })
			}
			all.Wait()
		}
	}},
	{"by requests that wait to be durable, while the server is away", true, func(ctx context.Context, a *attacker) {
		var all sync.WaitGroup
		for range 525 {
			all.Go(func() { a.post(ctx, "/v1/events?durable=true", `{"model_name":"other-1","accuracy":0.95}`, asJSON...) })
		}
		all.Wait()
	}},
	{"by requests that wait for thousands of models each, while the server is away", true, func(ctx context.Context, a *attacker) {
		var body strings.Builder
		for i := range 9000 {
			fmt.Fprintf(&body, `{"model_name":"other-%d"}`+"\n", i)
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				a.packed(ctx, "/v1/events?durable=true", body.String(), asNDJSON...)
			})
		}
		all.Wait()
	}},
	{"by 20,000 models that all breach", false, func(ctx context.Context, a *attacker) {
		for ctx.Err() == nil {
			var body strings.Builder
			for range 5000 {
				a.turn++
				fmt.Fprintf(&body, `{"model_name":"other-%p-%d","accuracy":0.1}`+"\n", a, a.turn)
			}
			a.packed(ctx, "/v1/events", body.String(), asNDJSON...)
		}
	}},
	{"by tokens that are none", false, func(ctx context.Context, a *attacker) {
		for ctx.Err() == nil {
			_, _ = send(ctx, &a.client, a.gateway.url+"/v1/events", "no such token at all", strings.Repeat(" ", 100_000), asJSON...)
		}
	}},
}

func digests(ctx context.Context, a *attacker) {
	var metrics strings.Builder
	for i := range 64 {
		fmt.Fprintf(&metrics, `,"%d":1`, i)
	}
	var body strings.Builder
	for model := range 450 {
		for version := range 32 {
			fmt.Fprintf(&body, `{"model_name":"other-%d","model_version":"%d","metrics":{%s}}`+"\n", model, version, metrics.String()[1:])
		}
	}
	for ctx.Err() == nil {
		a.packed(ctx, "/v1/events", body.String(), asNDJSON...)
		a.packed(ctx, "/v1/events", strings.ReplaceAll(body.String(), `":1`, `":9e9`), asNDJSON...)
	}
}

func (a *attacker) post(ctx context.Context, path, body string, headers ...string) {
	_, _ = send(ctx, &a.client, a.gateway.url+path, strangersToken, body, headers...)
}

// packed sends a body that is compressed, again and again the same where it is.
func (a *attacker) packed(ctx context.Context, path, body string, headers ...string) {
	a.post(ctx, path, packOnce(body), append([]string{"Content-Encoding", "gzip"}, headers...)...)
}

var packs sync.Map

func packOnce(body string) string {
	if len(body) < 1<<20 {
		return pack(body)
	}
	if known, ok := packs.Load(body); ok {
		return known.(string)
	}
	packed := pack(body)
	packs.Store(body, packed)
	return packed
}

func otlpOf(metric, data string) string {
	return `{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "` + metric + `", ` + data + `}]}]}]}`
}

// withinFields puts a body into fields of protobuf messages, one within the other.
func withinFields(body []byte, fields ...byte) []byte {
	for _, field := range fields {
		head := []byte{field<<3 | 2}
		length := uint64(len(body))
		for ; length >= 0x80; length >>= 7 {
			head = append(head, byte(length)|0x80)
		}
		body = append(append(head, byte(length)), body...)
	}
	return body
}
