package otlp

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// within puts a body into fields of messages, one within the other.
func within(body []byte, fields ...protowire.Number) []byte {
	for _, field := range fields {
		body = protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), body)
	}
	return body
}

// The numbers of fields on the way from a request to its points.
var toGauge = []protowire.Number{5, 2, 2, 1}

// bombs are bodies of a few bytes that become many in memory.
func bombs(n int) map[string][]byte {
	point := within(nil, 1)
	attribute := within(within(nil, 7), 1)
	exemplar := within(within(nil, 5), 1)
	deep := []byte{}
	for range 40 {
		deep = within(deep, 1, 5) // a value that is a list of a value
	}
	return map[string][]byte{
		"empty points":                within(bytes.Repeat(point, n), toGauge...),
		"empty attributes":            within(within(bytes.Repeat(attribute, n), 1), toGauge...),
		"empty exemplars":             within(within(bytes.Repeat(exemplar, n), 1), toGauge...),
		"empty resources":             bytes.Repeat(within(nil, 1), n),
		"empty scopes":                within(bytes.Repeat(within(nil, 2), n), 1),
		"empty metrics":               within(bytes.Repeat(within(nil, 2), n), 2, 1),
		"empty histograms":            within(bytes.Repeat(point, n), 9, 2, 2, 1),
		"empty exponential ones":      within(bytes.Repeat(point, n), 10, 2, 2, 1),
		"buckets, packed":             within(within(bytes.Repeat([]byte{0}, n), 2, 8, 1), 10, 2, 2, 1),
		"buckets, one by one":         within(within(bytes.Repeat([]byte{2 << 3, 0}, n), 8, 1), 10, 2, 2, 1),
		"quantiles":                   within(within(bytes.Repeat(within(nil, 6), n), 1), 11, 2, 2, 1),
		"unknown fields":              bytes.Repeat([]byte{15 << 3, 0}, n),
		"values nested in values":     within(within(within(deep, 2), 7, 1), toGauge...),
		"points with a value of each": within(bytes.Repeat(within([]byte{6<<3 | 1, 0, 0, 0, 0, 0, 0, 0, 0}, 1), n), toGauge...),
	}
}

func TestWhatABodyBecomesIsKnownBeforeItIsDecoded(t *testing.T) {
	const n = 20_000
	for name, body := range bombs(n) {
		for _, form := range []*form{forms[typeProtobuf], forms[typeJSON]} {
			t.Run(name+" as "+form.contentType, func(t *testing.T) {
				if form == forms[typeJSON] {
					var request collector.ExportMetricsServiceRequest
					require.NoError(t, forms[typeProtobuf].unmarshal(body, &request))
					var err error
					body, err = protojson.Marshal(&request)
					require.NoError(t, err)
				}
				cost, err := form.cost(body)
				require.NoError(t, err)
				before := inUse()
				var request collector.ExportMetricsServiceRequest
				require.NoError(t, form.unmarshal(body, &request))
				takes := inUse() - before
				t.Logf("%d bytes become %d, %d are counted", len(body), takes, cost)
				assert.LessOrEqual(t, takes, cost+64<<10)
				runtime.KeepAlive(&request)
			})
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	for _, deep := range []string{strings.Repeat("[", 1_000_000), `{"resourceMetrics":` + strings.Repeat(`{"a":`, 500)} {
		_, err := jsonCost([]byte(deep))
		require.ErrorIs(t, err, errTooDeep)
	}
	deep := []byte{}
	for range maxDepth {
		deep = within(deep, 1, 5)
	}
	_, err := protobufCost(within(within(within(deep, 2), 7, 1), toGauge...))
	require.ErrorIs(t, err, errTooDeep)
}

func TestNoMessageIsLargerThanIsCounted(t *testing.T) {
	seen := map[protoreflect.FullName]bool{}
	var look func(message protoreflect.MessageDescriptor)
	look = func(message protoreflect.MessageDescriptor) {
		if seen[message.FullName()] {
			return
		}
		seen[message.FullName()] = true
		assert.LessOrEqual(t, sizeOf(message), int64(largestMessage), message.FullName())
		for i := range message.Fields().Len() {
			if field := message.Fields().Get(i); field.Kind() == protoreflect.MessageKind {
				look(field.Message())
			}
		}
	}
	look((&collector.ExportMetricsServiceRequest{}).ProtoReflect().Descriptor())
	assert.Greater(t, len(seen), 15)
}

// FuzzCost holds what is counted before decoding against what decoding takes: memory
// that stays, and what is allocated on the way.
func FuzzCost(f *testing.F) {
	for _, body := range bombs(50) {
		f.Add(body, false)
		var request collector.ExportMetricsServiceRequest
		if forms[typeProtobuf].unmarshal(body, &request) == nil {
			text, _ := protojson.Marshal(&request)
			f.Add(text, true)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		form := forms[typeProtobuf]
		if isJSON {
			form = forms[typeJSON]
		}
		cost, err := form.cost(body)
		if err != nil {
			return
		}
		const times = 8
		var before, after runtime.MemStats
		requests := make([]*collector.ExportMetricsServiceRequest, times)
		runtime.ReadMemStats(&before)
		for i := range requests {
			requests[i] = &collector.ExportMetricsServiceRequest{}
			_ = form.unmarshal(body, requests[i])
		}
		runtime.ReadMemStats(&after)
		allocated := int64(after.TotalAlloc-before.TotalAlloc) / times
		if allocated > 4*cost+64<<10 {
			t.Fatalf("%d bytes allocate %d, %d are counted", len(body), allocated, cost)
		}
	})
}

func BenchmarkCost(b *testing.B) {
	body, err := proto.Marshal(sent{model: "fraud"}.request(time.Now()))
	require.NoError(b, err)
	body = bytes.Repeat(body, 1000)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		_, _ = protobufCost(body)
	}
}
