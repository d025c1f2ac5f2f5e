package otlp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/modelvigil/modelvigil/gateway"
	"github.com/modelvigil/modelvigil/metric"
)

const (
	// maxUnfolded is how many events one histogram becomes at most. All of a request
	// become unfoldedPerByte for each of its bytes at most, but one may always be whole.
	maxUnfolded     = 10_000
	unfoldedPerByte = 2
	// maxTold bounds how many different faults an answer names.
	maxTold = 5
)

// mostUnfolded shares the events of a request of so many bytes out among its
// histograms.
func mostUnfolded(request *collector.ExportMetricsServiceRequest, bytes int) uint64 {
	points := 1
	for _, resource := range request.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				points += len(metric.GetHistogram().GetDataPoints()) + len(metric.GetExponentialHistogram().GetDataPoints())
			}
		}
	}
	return uint64(max(1, min(maxUnfolded, (2*maxUnfolded+unfoldedPerByte*bytes)/points)))
}

// export is one request on its way to the hub, and what became of its points.
type export struct {
	handler      *Handler
	ctx          context.Context
	sender       string
	most         uint64 // events that a histogram becomes
	published    int64  // events
	rejected     int64
	isForLater   bool  // what some of the rejected are
	leftOut      int64 // that are about no model
	unseen       int64 // the first of cumulative streams that began before us
	firstLeftOut string
	faults       []string // of the rejected, each once
}

func (e *export) request(request *collector.ExportMetricsServiceRequest) {
	for _, resource := range request.GetResourceMetrics() {
		around := e.handler.mapping.resource(resource.GetResource().GetAttributes())
		for _, scope := range resource.GetScopeMetrics() {
			from := around.scope(scope.GetScope().GetName(), scope.GetScope().GetAttributes(), e.handler.mapping)
			for _, metric := range scope.GetMetrics() {
				e.metric(metric, from.of(metric, e.handler.mapping))
			}
		}
	}
}

func (e *export) metric(metric *metrics.Metric, from series) {
	switch data := metric.GetData().(type) {
	case *metrics.Metric_Gauge:
		for _, p := range data.Gauge.GetDataPoints() {
			e.point(from, p, number(p), func() (readings, error) { return once(number(p)), nil })
		}

	case *metrics.Metric_Sum:
		isCount := data.Sum.GetIsMonotonic()
		for _, p := range data.Sum.GetDataPoints() {
			e.point(from, p, number(p), func() (readings, error) {
				value := number(p)
				if isCount && isCumulative(data.Sum) {
					since, err := e.streams().number(from.stream(p), p, value)
					return once(since), err
				}
				return once(value), nil
			})
		}

	case *metrics.Metric_Histogram:
		for _, p := range data.Histogram.GetDataPoints() {
			e.point(from, p, 0, func() (_ readings, err error) {
				if isCumulative(data.Histogram) {
					p, err = e.streams().histogram(from.stream(p), p)
					if err != nil {
						return nil, err
					}
				}
				return explicit(p).unfold(e.most)
			})
		}
	case *metrics.Metric_ExponentialHistogram:
		for _, p := range data.ExponentialHistogram.GetDataPoints() {
			e.point(from, p, 0, func() (_ readings, err error) {
				if isCumulative(data.ExponentialHistogram) {
					p, err = e.streams().exponential(from.stream(p), p)
					if err != nil {
						return nil, err
					}
				}
				return exponential(p).unfold(e.most)
			})
		}

	case *metrics.Metric_Summary:
		for _, p := range data.Summary.GetDataPoints() {
			e.point(from, p, 0, func() (readings, error) {
				return nil, errors.New("a summary's quantiles are no readings; export a histogram")
			})
		}
	}
}

// streams are those of the sender.
func (e *export) streams() *streamsOf { return e.handler.streams.of(e.sender) }

func isCumulative(data interface {
	GetAggregationTemporality() metrics.AggregationTemporality
},
) bool {
	return data.GetAggregationTemporality() == metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
}

// point publishes what one data point says. value is what a number says, be it since its
// stream began; a histogram's are many, and judged later. read makes readings of it, and may change what is
// remembered of its stream: it is called once it is known that the point's sender
// may publish to its model, that the point makes sense and that there is room for it. So a
// point that is refused for want of room is as new when it comes again.
func (e *export) point(from series, p streamPoint, value float64, read func() (readings, error)) {
	if p.GetFlags()&uint32(metrics.DataPointFlags_DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK) != 0 {
		return
	}
	event, isOne := from.event(p)
	if !isOne {
		e.leftOut++
		if e.firstLeftOut == "" {
			e.firstLeftOut = from.metric
		}
		return
	}

	event.SetReading(from.reading, value*from.scale)
	err := e.handler.publisher.Check(e.ctx, &event)
	var values readings
	if err == nil {
		values, err = read()
	}
	if errors.Is(err, errUnseen) {
		e.unseen++
		return
	}

	if err == nil {
		err = e.publish(event, from, values)
	}
	if err != nil {
		e.reject(from.metric, event.ModelName, err)
	}
}

// publish publishes all readings of a point, or none where one of them makes no sense.
func (e *export) publish(event metric.Event, from series, values readings) error {
	if len(values) > 1 { // a single one is judged as it is published
		for _, v := range values {
			event.SetReading(from.reading, v.value*from.scale)
			if err := event.Validate(time.Now()); err != nil {
				return err
			}
		}
	}

	for _, v := range values {
		event.Metrics = nil // whoever observes keeps the one before
		event.SetReading(from.reading, v.value*from.scale)
		for range v.times {
			if err := e.handler.publisher.Publish(e.ctx, event); err != nil {
				return err
			}
			e.published++
		}
	}

	return nil
}

// reject counts a point. Of its names it keeps the beginning: they are as long as
// the sender likes, and may be shared by all points of a request.
func (e *export) reject(metric, model string, err error) {
	e.rejected++
	e.isForLater = e.isForLater || errors.Is(err, gateway.ErrNotNow)
	if len(e.faults) >= maxTold {
		return
	}
	fault := strings.ReplaceAll(fmt.Sprintf("metric %.100q of model %.200q: %v", metric, model, err), "\n", "; ")
	if !slices.Contains(e.faults, fault) {
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
