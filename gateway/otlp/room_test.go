package otlp

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/gateway"
	"github.com/modelvigil/modelvigil/metric"
)

// narrow has room for an event now and then.
type narrow struct {
	hasRoom  []bool // each time that it is asked; afterwards always
	got      map[string][]float64
	all      int
	rejected int64
}

func (*narrow) Sender(context.Context) string { return "" }

func (*narrow) Reserve(context.Context, int64) error { return nil }

func (n *narrow) Rejected(_ context.Context, points int64) { n.rejected += points }

func (n *narrow) Check(_ context.Context, event *metric.Event) error {
	if err := event.Validate(time.Now()); err != nil {
		return err
	}
	if len(n.hasRoom) == 0 {
		return nil
	}
	hasRoom := n.hasRoom[0]
	n.hasRoom = n.hasRoom[1:]
	if !hasRoom {
		return fmt.Errorf("%w: full", gateway.ErrNotNow)
	}
	return nil
}

func (n *narrow) Publish(_ context.Context, event metric.Event) error {
	n.got[event.ModelName] = append(n.got[event.ModelName], event.Metrics["size"])
	n.all++
	return nil
}

// The models of these tests have data points of one kind each.
const (
	counts     = "counts"     // cumulative
	histograms = "histograms" // cumulative
	gauges     = "gauges"
	summaries  = "summaries" // never taken
)

// one is a metric of one point of a model.
func one(model string, value uint64, start, at time.Time) *metrics.Metric {
	const cumulative = metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	attributes := []*common.KeyValue{{Key: "model_name", Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: model}}}}
	from, to := uint64(start.UnixNano()), uint64(at.UnixNano())
	number := []*metrics.NumberDataPoint{{Attributes: attributes, StartTimeUnixNano: from, TimeUnixNano: to, Value: &metrics.NumberDataPoint_AsDouble{AsDouble: float64(value)}}}
	m := &metrics.Metric{Name: "size"}
	switch model {
	case counts:
		m.Data = &metrics.Metric_Sum{Sum: &metrics.Sum{IsMonotonic: true, AggregationTemporality: cumulative, DataPoints: number}}
	case histograms:
		m.Data = &metrics.Metric_Histogram{Histogram: &metrics.Histogram{AggregationTemporality: cumulative, DataPoints: []*metrics.HistogramDataPoint{{
			Attributes: attributes, StartTimeUnixNano: from, TimeUnixNano: to, Count: value, Sum: proto.Float64(float64(value)), BucketCounts: []uint64{value},
		}}}}
	case gauges:
		m.Data = &metrics.Metric_Gauge{Gauge: &metrics.Gauge{DataPoints: number}}
	default:
		m.Data = &metrics.Metric_Summary{Summary: &metrics.Summary{DataPoints: []*metrics.SummaryDataPoint{{Attributes: attributes, TimeUnixNano: to, Count: value}}}}
	}
	return m
}

// post sends a request once.
func post(t require.TestingT, h *Handler, points []*metrics.Metric) *httptest.ResponseRecorder {
	body, err := proto.Marshal(&collector.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{ScopeMetrics: []*metrics.ScopeMetrics{{Metrics: points}}}}})
	require.NoError(t, err)
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/metrics", bytes.NewReader(body))
	request.Header.Set("Content-Type", typeProtobuf)
	h.ServeHTTP(recorder, request)
	return recorder
}

// export sends a request until it is not told to send it again, as OTLP says: 429, 502, 503
// and 504 are tried again, and nothing else. It returns how many points are said to be lost.
func (n *narrow) export(t *rapid.T, h *Handler, points []*metrics.Metric) (lost int64) {
	for {
		before := n.all
		recorder := post(t, h, points)
		if recorder.Code == http.StatusOK {
			var answer collector.ExportMetricsServiceResponse
			require.NoError(t, proto.Unmarshal(recorder.Body.Bytes(), &answer))
			return answer.GetPartialSuccess().GetRejectedDataPoints()
		}

		require.Equal(t, before, n.all, "%d says that nothing was taken", recorder.Code)
		if recorder.Code != http.StatusTooManyRequests {
			require.Equal(t, http.StatusBadRequest, recorder.Code)
			return int64(len(points))
		}
	}
}

// However seldom there is room, a client that does what OTLP says counts nothing twice, and
// loses no more than it is told of, and of what is cumulative nothing at all.
func TestWhoeverObeysOTLPCountsNothingTwiceAndLosesWhatItIsToldOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &narrow{hasRoom: rapid.SliceOf(rapid.Bool()).Draw(t, "room"), got: map[string][]float64{}}
		h := New(n, Mapping{}, slog.New(slog.DiscardHandler))
		start := time.Now().Add(time.Minute)
		values := map[string]uint64{} // of the models
		at := start
		export := func(models ...string) {
			at = at.Add(time.Second)
			values[gauges]++ // never the same
			var points []*metrics.Metric
			for _, model := range models {
				points = append(points, one(model, values[model], start, at))
			}
			lost := n.export(t, h, points)
			if lost == 0 && slices.Contains(models, gauges) {
				require.Contains(t, n.got[gauges], float64(values[gauges]))
			}
			if slices.Contains(models, summaries) {
				require.Positive(t, lost)
			}
		}

		for range rapid.IntRange(1, 8).Draw(t, "intervals") {
			values[counts] += rapid.Uint64Range(0, 5).Draw(t, "counted")
			values[histograms] += rapid.Uint64Range(0, 5).Draw(t, "observed")
			export(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{counts, histograms, gauges, summaries}), 1, 4, rapid.ID).Draw(t, "models")...)
		}
		n.hasRoom = nil // in the end there is
		export(counts, histograms)

		var sum float64
		for _, grown := range n.got[counts] {
			sum += grown
		}
		require.Equal(t, float64(values[counts]), sum)
		require.Len(t, n.got[histograms], int(values[histograms]))
		slices.Sort(n.got[gauges])
		require.Len(t, slices.Compact(slices.Clone(n.got[gauges])), len(n.got[gauges]), "none twice")
	})
}

func TestWhereNothingIsTakenForWantOfRoomAClientIsToTryAgain(t *testing.T) {
	n := &narrow{got: map[string][]float64{}}
	h := New(n, Mapping{}, slog.New(slog.DiscardHandler))
	export := func(models ...string) *httptest.ResponseRecorder {
		var points []*metrics.Metric
		for _, model := range models {
			points = append(points, one(model, 3, time.Now(), time.Now()))
		}
		return post(t, h, points)
	}

	n.hasRoom = []bool{false, false}
	answer := export(gauges, histograms, summaries)
	assert.Equal(t, http.StatusTooManyRequests, answer.Code, "of those that are rejected, too, it will be told then")
	assert.Contains(t, answer.Body.String(), "not now, send it again later")
	assert.EqualValues(t, 3, n.rejected)

	n.hasRoom = []bool{true, false}
	assert.Equal(t, http.StatusOK, export(gauges, histograms).Code, "sent again, what was taken would count twice")
	assert.EqualValues(t, 4, n.rejected)
	assert.Equal(t, http.StatusBadRequest, export(summaries).Code)
}
