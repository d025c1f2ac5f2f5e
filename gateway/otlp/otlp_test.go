package otlp_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/modelvigil/modelvigil/gateway"
	"github.com/modelvigil/modelvigil/gateway/otlp"
	"github.com/modelvigil/modelvigil/metric"
)

// hub is what publishes in these tests: it judges events as the real one does.
type hub struct {
	*otlp.Handler
	events []metric.Event
	sender string            // of the next request
	only   map[string]string // the model that a sender may publish to, if not any
	room,
	reserved int64 // bytes
	rejected int64 // points
}

func newHub(mapping otlp.Mapping) *hub {
	h := &hub{}
	h.Handler = otlp.New(h, mapping, slog.New(slog.DiscardHandler))
	return h
}

func (h *hub) Sender(context.Context) string { return h.sender }

func (h *hub) Check(_ context.Context, event *metric.Event) error {
	if only := h.only[h.sender]; only != "" && event.ModelName != only {
		return errors.New("this token may not publish to it")
	}
	return event.Validate(time.Now())
}

func (h *hub) Rejected(_ context.Context, points int64) { h.rejected += points }

func (h *hub) Reserve(_ context.Context, bytes int64) error {
	if h.reserved += bytes; h.room > 0 && h.reserved > h.room {
		return errors.New("no room")
	}
	return nil
}

func (h *hub) Publish(ctx context.Context, event metric.Event) error {
	if err := h.Check(ctx, &event); err != nil {
		return err
	}
	h.events = append(h.events, event)
	return nil
}

// export sends a request in OTLP's JSON and returns what is answered.
func (h *hub) export(t *testing.T, request string) (int, *collector.ExportMetricsPartialSuccess, *statuspb.Status) {
	t.Helper()
	recorder := h.post(t, "application/json", []byte(request))
	var response collector.ExportMetricsServiceResponse
	var refusal statuspb.Status
	if recorder.Code == http.StatusOK {
		require.NoError(t, protojson.Unmarshal(recorder.Body.Bytes(), &response))
	} else {
		require.NoError(t, protojson.Unmarshal(recorder.Body.Bytes(), &refusal))
	}
	return recorder.Code, response.GetPartialSuccess(), &refusal
}

func (h *hub) post(t *testing.T, contentType string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/metrics", bytes.NewReader(body))
	request.Header.Set("Content-Type", contentType)
	h.ServeHTTP(recorder, request)
	assert.Equal(t, contentType, recorder.Header().Get("Content-Type"))
	return recorder
}

// of is a request of one metric of a service.
func of(metric string) string {
	return `{"resourceMetrics": [{"resource": {"attributes": [
	  {"key": "service.name", "value": {"stringValue": "checkout"}}, {"key": "service.version", "value": {"stringValue": "2.1"}}]},
	  "scopeMetrics": [{"scope": {"name": "serving"}, "metrics": [` + metric + `]}]}]}`
}

const fraud = `"attributes": [{"key": "model_name", "value": {"stringValue": "fraud"}}, {"key": "model_version", "value": {"intValue": "7"}}]`

func TestAPointIsAnEventOfTheModelThatItNames(t *testing.T) {
	stamp := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	at := `"timeUnixNano": "1772366400000000005"`
	for name, c := range map[string]struct {
		metric string
		want   []metric.Event
	}{
		"by its own attributes": {
			`{"name": "auc", "gauge": {"dataPoints": [{` + fraud + `, ` + at + `, "asDouble": 0.5}]}}`,
			[]metric.Event{{Timestamp: stamp, ModelName: "fraud", ModelVersion: "7", Metrics: map[string]float64{"auc": 0.5}}},
		},
		"by its service, where the metric is a reading's": {
			`{"name": "accuracy", "gauge": {"dataPoints": [{` + at + `, "asInt": "1"}]}}`,
			[]metric.Event{{Timestamp: stamp, ModelName: "checkout", ModelVersion: "2.1", Accuracy: metric.Some(1.0)}},
		},
		"by generative AI's conventions, seconds as milliseconds": {
			`{"name": "gen_ai.client.operation.duration", "unit": "s", "histogram": {"aggregationTemporality": 1, "dataPoints": [{"attributes": [
			  {"key": "gen_ai.request.model", "value": {"stringValue": "big"}}, {"key": "gen_ai.response.model", "value": {"stringValue": "big-0613"}}],
			  ` + at + `, "count": "1", "sum": 0.25}]}}`,
			[]metric.Event{{Timestamp: stamp, ModelName: "big", ModelVersion: "big-0613", LatencyMS: metric.Some(250.0)}},
		},
		"without a time it is when it is handled": {
			`{"name": "drift_score", "sum": {"aggregationTemporality": 2, "dataPoints": [{` + fraud + `, "asDouble": 0.25}]}}`,
			[]metric.Event{{ModelName: "fraud", ModelVersion: "7", DriftScore: metric.Some(0.25)}},
		},
		"without a value it is none": {`{"name": "auc", "gauge": {"dataPoints": [{` + fraud + `, "flags": 1}]}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(otlp.Mapping{})
			code, partial, _ := h.export(t, of(c.metric))
			assert.Equal(t, http.StatusOK, code)
			assert.Nil(t, partial)
			assert.Equal(t, c.want, h.events)
		})
	}
}

func TestAPointOfNoModelIsLeftOutAndTold(t *testing.T) {
	h := newHub(otlp.Mapping{})
	code, partial, _ := h.export(t, of(`{"name": "http.server.request.duration", "gauge": {"dataPoints": [{"asDouble": 1}, {"asDouble": 2}]}}`))
	assert.Equal(t, http.StatusOK, code)
	assert.Zero(t, partial.GetRejectedDataPoints())
	assert.Equal(t, `2 data points are of no model and left out, such as of metric "http.server.request.duration": `+
		`give them the attribute model_name, or name the metric in the mapping`, partial.GetErrorMessage())
	assert.Empty(t, h.events)
}

func TestAFileMapsOtherNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mapping.yaml")
	require.NoError(t, os.WriteFile(file, []byte("model_name: [service.name]\nmetrics: {inference.time: latency_ms}\n"), 0o600))
	mapping, err := otlp.ReadMapping(file)
	require.NoError(t, err)
	h := newHub(mapping)
	_, partial, _ := h.export(t, of(`{"name": "inference.time", "unit": "us", "gauge": {"dataPoints": [{`+fraud+`, "asDouble": 84000}]}}`))
	assert.Nil(t, partial)
	assert.Equal(t, []metric.Event{{ModelName: "checkout", ModelVersion: "7", LatencyMS: metric.Some(84.0)}}, h.events)

	example, err := otlp.ReadMapping("../../examples/feeding/otlp/mapping.yaml")
	require.NoError(t, err)
	assert.Equal(t, metric.LatencyMS, example.Metrics["inference.duration"])

	for text, fault := range map[string]string{
		"metric: {}":           "metric: unknown field; did you mean metrics?",
		"metrics: {a: ''}":     "metrics.a: must be a reading's name of 1 to",
		"model_name: ['', a]":  "an attribute's name must not be empty",
		"model_name: {a: b}":   "model_name",
		"metrics: {a: b, a: c": "yaml",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := otlp.ReadMapping(file)
		require.ErrorContains(t, err, fault, text)
		require.ErrorContains(t, err, file)
	}
}

func TestEachPointIsJudgedByItself(t *testing.T) {
	h := newHub(otlp.Mapping{})
	code, partial, _ := h.export(t, of(`{"name": "auc", "gauge": {"dataPoints": [
	  {`+fraud+`, "asDouble": "NaN"}, {`+fraud+`, "asDouble": 0.5}, {`+fraud+`, "asDouble": 0.6, "timeUnixNano": "9000000000000000000"}]}}`))
	assert.Equal(t, http.StatusOK, code)
	assert.EqualValues(t, 2, partial.GetRejectedDataPoints())
	assert.EqualValues(t, 2, h.rejected, "and they are counted")
	assert.Contains(t, partial.GetErrorMessage(), `metric "auc" of model "fraud": metrics.auc: must be a finite number of magnitude at most 1e+100, got NaN`)
	assert.Contains(t, partial.GetErrorMessage(), "ahead of the clock")
	assert.Len(t, h.events, 1)

	code, _, refusal := h.export(t, of(`{"name": "auc", "summary": {"dataPoints": [{`+fraud+`, "count": "3"}]}}`))
	assert.Equal(t, http.StatusBadRequest, code, "an SDK that ignores partial_success logs this")
	assert.Equal(t, int32(codes.InvalidArgument), refusal.GetCode())
	assert.Contains(t, refusal.GetMessage(), "export a histogram")
	assert.EqualValues(t, 3, h.rejected)

	h = newHub(otlp.Mapping{})
	code, _, refusal = h.export(t, of(`{"name": "auc", "histogram": {"aggregationTemporality": 1, "dataPoints": [{`+fraud+`, "count": "3", "sum": 1e300, "bucketCounts": ["2", "1"], "explicitBounds": [1]}]}}`))
	assert.Equal(t, http.StatusBadRequest, code)
	assert.Contains(t, refusal.GetMessage(), "must be a finite number of magnitude")
	assert.Empty(t, h.events, "of a histogram all is taken or nothing")
}

func TestBothEncodingsAndRefusalsInThem(t *testing.T) {
	var request collector.ExportMetricsServiceRequest
	require.NoError(t, protojson.Unmarshal([]byte(of(`{"name": "auc", "gauge": {"dataPoints": [{`+fraud+`, "asDouble": 0.5}]}}`)), &request))
	body, err := proto.Marshal(&request)
	require.NoError(t, err)
	h := newHub(otlp.Mapping{})
	recorder := h.post(t, "application/x-protobuf", body)
	assert.Equal(t, http.StatusOK, recorder.Code)
	assert.Empty(t, recorder.Body.Bytes(), "which is the encoding of an empty response")
	assert.Len(t, h.events, 1)

	recorder = h.post(t, "application/x-protobuf", []byte("no protobuf"))
	var refusal statuspb.Status
	require.NoError(t, proto.Unmarshal(recorder.Body.Bytes(), &refusal))
	assert.Equal(t, http.StatusBadRequest, recorder.Code)
	assert.Contains(t, refusal.GetMessage(), "nothing was accepted")

	code, _, told := h.export(t, `{"resourceMetrics": 1}`)
	assert.Equal(t, http.StatusBadRequest, code)
	assert.Contains(t, told.GetMessage(), "not an ExportMetricsServiceRequest in application/json")

	code, partial, _ := h.export(t, `{"resourceMetrics": [], "aFieldOfTomorrow": true}`)
	assert.Equal(t, http.StatusOK, code)
	assert.Nil(t, partial)

	other := httptest.NewRecorder()
	h.ServeHTTP(other, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/metrics", strings.NewReader("x")))
	assert.Equal(t, http.StatusUnsupportedMediaType, other.Code)
	assert.Contains(t, other.Body.String(), "Content-Type: must be application/x-protobuf or application/json")
}

func TestBehindAGatewayThatIsNotOpenARetryIsAskedForInProtobuf(t *testing.T) {
	g := gateway.New(gateway.Options{Routes: []gateway.Route{{
		Path: "/v1/metrics", Refuse: otlp.Refuse,
		New: func(publisher gateway.Publisher) http.Handler {
			return otlp.New(publisher, otlp.Mapping{}, slog.New(slog.DiscardHandler))
		},
	}}})
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/metrics", nil)
	request.Header.Set("Content-Type", "application/x-protobuf")
	g.ServeHTTP(recorder, request)
	var refusal statuspb.Status
	require.NoError(t, proto.Unmarshal(recorder.Body.Bytes(), &refusal))
	assert.Equal(t, http.StatusServiceUnavailable, recorder.Code)
	assert.Equal(t, int32(codes.Unavailable), refusal.GetCode())
	assert.NotEmpty(t, refusal.GetMessage())
	assert.NotEmpty(t, recorder.Header().Get("Retry-After"))
}

func TestABodyThatBecomesTooMuchIsRefusedBeforeItIsDecoded(t *testing.T) {
	h := newHub(otlp.Mapping{})
	h.room = 1 << 20
	code, _, refusal := h.export(t, of(`{"name": "auc", "gauge": {"dataPoints": [`+strings.Repeat("{},", 100_000)+`{}]}}`))
	assert.Equal(t, http.StatusTooManyRequests, code)
	assert.Equal(t, int32(codes.ResourceExhausted), refusal.GetCode())
	assert.Greater(t, h.reserved, int64(20<<20))
	assert.Empty(t, h.events)
}

// What a request's points have in common may be megabytes, and each of them is told
// what is wrong with it: that must not cost points times megabytes.
func TestLongNamesAreNotLookedAtForEachPoint(t *testing.T) {
	long, points := strings.Repeat("n", 1<<20), strings.Repeat(`{"asDouble": 1},`, 20_000)+`{"asDouble": 1}`
	for name, request := range map[string]string{
		"a model's":      `{"resourceMetrics": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "` + long + `"}}]}, "scopeMetrics": [{"metrics": [{"name": "accuracy", "gauge": {"dataPoints": [` + points + `]}}]}]}]}`,
		"a metric's":     of(`{"name": "` + long + `", "gauge": {"dataPoints": [` + strings.ReplaceAll(points, `"asDouble"`, fraud+`, "asDouble"`) + `]}}`),
		"an attribute's": strings.Replace(of(`{"name": "accuracy", "sum": {"isMonotonic": true, "aggregationTemporality": 2, "dataPoints": [`+points+`]}}`), `"attributes": [`, `"attributes": [{"key": "`+long+`", "value": {"stringValue": "`+long+`"}},`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(otlp.Mapping{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			code, _, _ := h.export(t, request)
			runtime.ReadMemStats(&after)
			assert.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, code)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30), "and not 20 GiB")
		})
	}
}
