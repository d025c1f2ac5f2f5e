package gateway_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/modelvigil/modelvigil/gateway"
	"github.com/modelvigil/modelvigil/gateway/otlp"
	"github.com/modelvigil/modelvigil/internal/toll"
)

const (
	events, metrics = "/v1/events", "/v1/metrics"
	ndjson          = "application/x-ndjson"
	clouds          = "application/cloudevents-batch+json"
)

// dearBodies are the dearest that are known of each way in, of so many bytes when they are
// uncompressed: many small things that each become something larger.
func dearBodies(size int) map[string]struct{ media, path, body string } {
	repeat := func(begin, text, separator, end string) string {
		return begin + strings.TrimSuffix(strings.Repeat(text+separator, size/len(text+separator)), separator) + end
	}
	var keys, models, versions strings.Builder
	for i := 0; keys.Len() < size; i++ {
		fmt.Fprintf(&keys, `"k%d":1,`, i)
	}
	for i := 0; models.Len() < size; i++ {
		fmt.Fprintf(&models, `{"model_name":"m%d","accuracy":1}`+"\n", i%1000)
	}
	for i := 0; versions.Len() < size; i++ {
		fmt.Fprintf(&versions, `{"model_name":"m","model_version":"v%d","metrics":{"a%d":1}}`+"\n", i%20, i)
	}
	cloud := `{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"model_name":"m","accuracy":1}}`
	points := []byte(strings.Repeat("\x0a\x00", size/2))
	for _, field := range []protowire.Number{5, 2, 2, 1} { // gauge, metric, scope, resource
		points = protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), points)
	}

	return map[string]struct{ media, path, body string }{
		"JSON, a healthy event":             {"application/json", events, repeat("[", `{"model_name":"fraud","model_version":"v7","accuracy":0.93}`, ",", "]")},
		"JSON, empty objects":               {"application/json", events, repeat("[", "{}", ",", "]")},
		"JSON, unknown fields":              {"application/json", events, "{" + keys.String() + `"model_name":"m"}`},
		"JSON, nesting":                     {"application/json", events, strings.Repeat("[", size)},
		"NDJSON, misspelt lines":            {ndjson, events, repeat("", `{"model_name":"fraud","acuracy":0.93}`, "\n", "")},
		"NDJSON, many models":               {ndjson, events, models.String()},
		"NDJSON, many versions and metrics": {ndjson, events, versions.String()},
		"CloudEvents, a batch":              {clouds, events, repeat("[", cloud, ",", "]")},
		"CloudEvents, empty objects":        {clouds, events, repeat("[", "{}", ",", "]")},
		"OTLP protobuf, empty points":       {"application/x-protobuf", metrics, string(points)},
		"OTLP JSON, empty points":           {"application/json", metrics, repeat(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[`, "{}", ",", `]}}]}]}]}`)},
	}
}

// BenchmarkWorstBodies is the table of what an uncompressed byte costs, over all ways
// in, client and server in one process: bytes allocated, and nanoseconds of processor
// time. The worst of each column is what docs/security.md calls a constant.
//
//	go test ./gateway -run '^$' -bench WorstBodies -benchtime 3x
func BenchmarkWorstBodies(b *testing.B) {
	for name, dear := range dearBodies(1 << 20) {
		b.Run(name, func(b *testing.B) {
			url, client := gateway.Serve(b, gateway.Options{Routes: []gateway.Route{{
				Path: metrics, Refuse: otlp.Refuse,
				New: func(publisher gateway.Publisher) http.Handler {
					return otlp.New(publisher, otlp.Mapping{}, slog.New(slog.DiscardHandler))
				},
			}}})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := toll.Spent()
			for b.Loop() {
				response, err := client.Post(url+dear.path, dear.media, bytes.NewReader([]byte(dear.body)))
				if err != nil {
					b.Fatal(err)
				}
				if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusUnsupportedMediaType {
					b.Fatal(response.Status)
				}
				_ = response.Body.Close()
			}
			took := toll.Spent() - began
			runtime.ReadMemStats(&after)

			sent := float64(b.N * len(dear.body))
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/sent, "B/byte")
			b.ReportMetric(float64(took)/sent, "cpu-ns/byte")
			b.ReportMetric(0, "ns/op")
		})
	}
}
