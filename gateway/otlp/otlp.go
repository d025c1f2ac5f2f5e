// Package otlp takes OpenTelemetry metrics over OTLP/HTTP and publishes their data
// points as metric events. docs/feeding.md says what becomes of each kind.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/modelvigil/modelvigil/monitor"
)

const (
	// maxUnfolded is how many events one histogram becomes at most, and
	// maxUnfoldedRequest those of a request.
	maxUnfolded        = 10_000
	maxUnfoldedRequest = 2_000_000
	// tellEvery is how often the log warns of points that were not taken: SDKs show
	// at most the status of an answer.
	tellEvery = time.Minute
	// maxTold bounds how many different faults an answer names.
	maxTold = 5
)

// Publish takes one event. Its errors are of the event alone.
type Publish func(ctx context.Context, event monitor.MetricEvent) error

// Handler serves POST /v1/metrics. It reads the body whole: who mounts it bounds
// and decompresses it.
type Handler struct {
	publish Publish
	mapping Mapping
	streams *streams
	log     *slog.Logger
	told    atomic.Pointer[time.Time] // when the log last warned
}

// New returns a handler that publishes what a mapping makes of data points.
// Cumulative ones that began before now are counted from their second export on.
func New(publish Publish, mapping Mapping, log *slog.Logger) *Handler {
	return &Handler{publish: publish, mapping: mapping.withDefaults(), streams: newStreams(time.Now()), log: log}
}

// ServeHTTP implements http.Handler. It answers 200, with partial_success where
// some data points were rejected or left out, and 400 where all were rejected.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form := formOf(r)
	if form == nil {
		w.Header().Set("Accept-Post", typeProtobuf+", "+typeJSON)
		Refuse(w, r, http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type: must be %s or %s, got %.100q", typeProtobuf, typeJSON, r.Header.Get("Content-Type")))
		return
	}
	body, err := io.ReadAll(r.Body)
	var request collector.ExportMetricsServiceRequest
	if err == nil {
		err = form.unmarshal(body, &request)
	}
	if err != nil {
		Refuse(w, r, http.StatusBadRequest, fmt.Sprintf("not an ExportMetricsServiceRequest in %s: %v; nothing was accepted", form.contentType, err))
		return
	}
	e := &export{handler: h, ctx: r.Context(), most: mostUnfolded(&request)}
	e.request(&request)
	message := e.message()
	h.tell(r, message)
	if e.rejected > 0 && e.taken == 0 {
		Refuse(w, r, http.StatusBadRequest, message)
		return
	}
	response := &collector.ExportMetricsServiceResponse{}
	if message != "" {
		response.PartialSuccess = &collector.ExportMetricsPartialSuccess{RejectedDataPoints: e.rejected, ErrorMessage: message}
	}
	form.write(w, http.StatusOK, response)
}

// tell logs what was not taken, now and then.
func (h *Handler) tell(r *http.Request, message string) {
	if message == "" {
		return
	}
	level, now, last := slog.LevelDebug, time.Now(), h.told.Load()
	if (last == nil || now.Sub(*last) >= tellEvery) && h.told.CompareAndSwap(last, &now) {
		level = slog.LevelWarn
	}
	h.log.Log(r.Context(), level, "not all OpenTelemetry data points were taken", "from", r.RemoteAddr, "client", r.UserAgent(), "why", message)
}

// mostUnfolded shares the events of a request out among its histograms.
func mostUnfolded(request *collector.ExportMetricsServiceRequest) uint64 {
	points := 1
	for _, resource := range request.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				points += len(metric.GetHistogram().GetDataPoints()) + len(metric.GetExponentialHistogram().GetDataPoints())
			}
		}
	}
	return uint64(max(1, min(maxUnfolded, maxUnfoldedRequest/points)))
}

// export is one request on its way to the hub, and what became of its points.
type export struct {
	handler         *Handler
	ctx             context.Context
	most            uint64 // events that a histogram becomes
	taken, rejected int64
	leftOut         int64 // that are about no model
	unseen          int64 // the first of cumulative streams that began before us
	firstLeftOut    string
	faults          []string // of the rejected, each once
}

func (e *export) request(request *collector.ExportMetricsServiceRequest) {
	for _, resource := range request.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			around := []attributes{scope.GetScope().GetAttributes(), resource.GetResource().GetAttributes()}
			for _, metric := range scope.GetMetrics() {
				e.metric(metric, source{around, scope.GetScope().GetName(), metric.GetName()})
			}
		}
	}
}

func (e *export) metric(metric *metrics.Metric, from source) {
	switch data := metric.GetData().(type) {
	case *metrics.Metric_Gauge:
		for _, p := range data.Gauge.GetDataPoints() {
			e.point(metric, from, p, func() (readings, error) { return once(number(p)), nil })
		}
	case *metrics.Metric_Sum:
		isCount := data.Sum.GetIsMonotonic()
		for _, p := range data.Sum.GetDataPoints() {
			e.point(metric, from, p, func() (readings, error) {
				value := number(p)
				if isCount && isCumulative(data.Sum) {
					since, err := e.handler.streams.number(from.stream(p), p, value)
					return once(since), err
				}
				return once(value), nil
			})
		}
	case *metrics.Metric_Histogram:
		for _, p := range data.Histogram.GetDataPoints() {
			e.point(metric, from, p, func() (_ readings, err error) {
				if isCumulative(data.Histogram) {
					if p, err = e.handler.streams.histogram(from.stream(p), p); err != nil {
						return nil, err
					}
				}
				return explicit(p).unfold(e.most)
			})
		}
	case *metrics.Metric_ExponentialHistogram:
		for _, p := range data.ExponentialHistogram.GetDataPoints() {
			e.point(metric, from, p, func() (_ readings, err error) {
				if isCumulative(data.ExponentialHistogram) {
					if p, err = e.handler.streams.exponential(from.stream(p), p); err != nil {
						return nil, err
					}
				}
				return exponential(p).unfold(e.most)
			})
		}
	case *metrics.Metric_Summary:
		for _, p := range data.Summary.GetDataPoints() {
			e.point(metric, from, p, func() (readings, error) {
				return nil, errors.New("a summary's quantiles are no readings; export a histogram")
			})
		}
	}
}

func isCumulative(data interface {
	GetAggregationTemporality() metrics.AggregationTemporality
},
) bool {
	return data.GetAggregationTemporality() == metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
}

// point publishes what one data point says.
func (e *export) point(metric *metrics.Metric, from source, p streamPoint, read func() (readings, error)) {
	if p.GetFlags()&uint32(metrics.DataPointFlags_DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK) != 0 {
		return
	}
	model, version, reading, scale := e.handler.mapping.read(metric, append([]attributes{p.GetAttributes()}, from.around...))
	if model == "" {
		e.leftOut++
		if e.firstLeftOut == "" {
			e.firstLeftOut = metric.GetName()
		}
		return
	}
	values, err := read()
	if errors.Is(err, errUnseen) {
		e.unseen++
		return
	}
	event := monitor.MetricEvent{ModelName: model, ModelVersion: version}
	if nano := p.GetTimeUnixNano(); nano > 0 {
		event.Timestamp = time.Unix(0, int64(min(nano, 1<<63-1))).UTC()
	}
	for _, v := range values {
		for range v.times {
			if err != nil {
				break
			}
			set(&event, reading, v.value*scale)
			err = e.handler.publish(e.ctx, event)
		}
	}
	if err != nil {
		e.reject(fmt.Sprintf("metric %q of model %q: %v", metric.GetName(), model, err))
		return
	}
	e.taken++
}

// set puts a reading into an event that has no other.
func set(event *monitor.MetricEvent, reading string, value float64) {
	switch reading {
	case monitor.Accuracy:
		event.Accuracy = monitor.Some(value)
	case monitor.LatencyMS:
		event.LatencyMS = monitor.Some(value)
	case monitor.DriftScore:
		event.DriftScore = monitor.Some(value)
	default:
		event.Metrics = map[string]float64{reading: value}
	}
}

func (e *export) reject(fault string) {
	e.rejected++
	if fault = strings.ReplaceAll(fault, "\n", "; "); len(e.faults) < maxTold && !slices.Contains(e.faults, fault) {
		e.faults = append(e.faults, fault)
	}
}

// message says what was not taken, and why; empty where all was.
func (e *export) message() string {
	var told []string
	if e.rejected > 0 {
		told = append(told, fmt.Sprintf("%d data points are rejected: %s", e.rejected, strings.Join(e.faults, " | ")))
	}
	if e.leftOut > 0 {
		told = append(told, fmt.Sprintf("%d data points are of no model and left out, such as of metric %.100q: "+
			"give them the attribute %s, or name the metric in the mapping", e.leftOut, e.firstLeftOut, e.handler.mapping.ModelName[0]))
	}
	if e.unseen > 0 {
		told = append(told, fmt.Sprintf("%d cumulative data points began before this process and count from their next export on; export deltas", e.unseen))
	}
	return strings.Join(told, "; ")
}
