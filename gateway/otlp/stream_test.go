package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
)

// door publishes what its sender may, and keeps what was published.
type door struct {
	sender string
	models map[string]string // the one model of a sender
	got    map[string][]float64
}

func (d *door) Sender(context.Context) string { return d.sender }

func (d *door) Rejected(context.Context, int64) {}

func (d *door) Reserve(context.Context, int64) error { return nil }

func (d *door) Check(_ context.Context, event *metric.Event) error {
	if event.ModelName != d.models[d.sender] {
		return fmt.Errorf("%s may not publish to %s", d.sender, event.ModelName)
	}
	return event.Validate(time.Now())
}

func (d *door) Publish(ctx context.Context, event metric.Event) error {
	if err := d.Check(ctx, &event); err != nil {
		return err
	}
	d.got[event.ModelName] = append(d.got[event.ModelName], event.Metrics["size"])
	return nil
}

// sent is one export of a cumulative count, or of a histogram, by somebody.
type sent struct {
	by, model string
	value     float64
	start, at time.Duration // since the handler was made
	histogram bool
}

func (s sent) request(born time.Time) *collector.ExportMetricsServiceRequest {
	attributes := []*common.KeyValue{{Key: "model_name", Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s.model}}}}
	start, at := uint64(born.Add(s.start).UnixNano()), uint64(born.Add(s.at).UnixNano())
	metric := &metrics.Metric{Name: "size", Data: &metrics.Metric_Sum{Sum: &metrics.Sum{
		IsMonotonic: true, AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
		DataPoints: []*metrics.NumberDataPoint{{Attributes: attributes, StartTimeUnixNano: start, TimeUnixNano: at, Value: &metrics.NumberDataPoint_AsDouble{AsDouble: s.value}}},
	}}}
	if s.histogram {
		metric.Data = &metrics.Metric_Histogram{Histogram: &metrics.Histogram{
			AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
			DataPoints: []*metrics.HistogramDataPoint{{
				Attributes: attributes, StartTimeUnixNano: start, TimeUnixNano: at,
				Count: uint64(max(0, s.value)), Sum: proto.Float64(s.value), BucketCounts: []uint64{uint64(max(0, s.value))},
			}},
		}}
	}
	return &collector.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{ScopeMetrics: []*metrics.ScopeMetrics{{Metrics: []*metrics.Metric{metric}}}}}}
}

// readings are those of a model once all was exported.
func readingsOf(t require.TestingT, model string, all []sent) []float64 {
	d := &door{models: map[string]string{"owner": "fraud", "stranger": "other"}, got: map[string][]float64{}}
	h := New(d, Mapping{}, slog.New(slog.DiscardHandler))
	for _, s := range all {
		d.sender = s.by
		e := &export{handler: h, ctx: context.Background(), sender: s.by, most: 100}
		e.request(s.request(h.streams.born))
		require.True(t, s.by == s.modelsOwner() || e.published == 0)
	}
	return d.got[model]
}

func (s sent) modelsOwner() string {
	return map[string]string{"fraud": "owner", "other": "stranger"}[s.model]
}

func TestAStrangerMovesNoStreamOfAModelThatIsNotTheirs(t *testing.T) {
	const minute = time.Minute
	owner := []sent{
		{by: "owner", model: "fraud", value: 1000, start: minute, at: minute},
		{by: "owner", model: "fraud", value: 1010, start: minute, at: 3 * minute},
		{by: "owner", model: "fraud", value: 1025, start: minute, at: 5 * minute},
	}
	require.Equal(t, []float64{1000, 10, 15}, readingsOf(t, "fraud", owner))
	for name, attack := range map[string]sent{
		"by a zero in between":         {by: "stranger", model: "fraud", value: 0, start: minute, at: 2 * minute},
		"by a time far in the future":  {by: "stranger", model: "fraud", value: 1005, start: minute, at: 1e6 * time.Hour},
		"before the stream is known":   {by: "stranger", model: "fraud", value: 5, start: minute, at: 0},
		"by what is no number":         {by: "stranger", model: "fraud", value: math.NaN(), start: minute, at: 4 * minute},
		"by the name of another model": {by: "stranger", model: "other", value: 0, start: minute, at: 2 * minute},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range len(owner) + 1 {
				all := append(append(append([]sent{}, owner[:i]...), attack), owner[i:]...)
				assert.Equal(t, []float64{1000, 10, 15}, readingsOf(t, "fraud", all), "attack before export %d", i)
			}
		})
	}
	t.Run("nor does a slip of the owner's own", func(t *testing.T) {
		slip := sent{by: "owner", model: "fraud", value: 1005, start: minute, at: 1e6 * time.Hour}
		assert.Equal(t, []float64{1000, 10, 15}, readingsOf(t, "fraud", []sent{owner[0], slip, owner[1], owner[2]}))
		slip.value, slip.at = math.NaN(), 4*minute
		assert.Equal(t, []float64{1000, 10, 15}, readingsOf(t, "fraud", []sent{owner[0], owner[1], slip, owner[2]}))
	})
}

// Whatever a stranger exports among the owner's exports, the owner's model reads what
// it would have read alone.
func TestStrangersExportsChangeNoReadingOfOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.Custom(func(t *rapid.T) sent {
			return sent{
				by: rapid.SampledFrom([]string{"owner", "stranger"}).Draw(t, "by"), model: rapid.SampledFrom([]string{"fraud", "other"}).Draw(t, "model"),
				value: float64(rapid.IntRange(0, 50).Draw(t, "value")), histogram: rapid.Bool().Draw(t, "histogram"),
				start: time.Duration(rapid.IntRange(-1, 2).Draw(t, "start")) * time.Second, at: time.Duration(rapid.IntRange(0, 1000).Draw(t, "at")) * time.Second,
			}
		})
		all := rapid.SliceOfN(one, 0, 40).Draw(t, "exports")
		var alone []sent
		for _, s := range all {
			if s.by == "owner" {
				alone = append(alone, s)
			}
		}
		require.Equal(t, readingsOf(t, "fraud", alone), readingsOf(t, "fraud", all))
	})
}

// fill exports streams until there is no room for a further one: numbers, or histograms of so
// many boundaries.
func fill(s *streamsOf, boundaries int) (streams int) {
	for ; ; streams++ {
		var err error
		if boundaries == 0 {
			p := &metrics.NumberDataPoint{TimeUnixNano: 1, StartTimeUnixNano: uint64(streams)}
			_, err = s.number((&series{}).stream(p), p, 1)
		} else {
			p := &metrics.HistogramDataPoint{TimeUnixNano: 1, StartTimeUnixNano: uint64(streams), BucketCounts: make([]uint64, boundaries+1), ExplicitBounds: make([]float64, boundaries)}
			_, err = s.histogram((&series{}).stream(p), p)
		}
		if errors.Is(err, errFull) {
			return streams
		}
	}
}

func TestAsManyStreamsFitAsIsWritten(t *testing.T) {
	const boundaries = 15 // of an SDK's histogram, by OpenTelemetry's default
	page, err := os.ReadFile("../../docs/feeding.md")
	require.NoError(t, err)
	thousands := func(boundaries int) string {
		return fmt.Sprintf("%d,000", fill(newStreams(time.Now()).of(""), boundaries)/1000)
	}
	assert.Contains(t, string(page), fmt.Sprintf("%s numbers or %s histograms", thousands(0), thousands(boundaries)))
}

func TestAStrangersStreamsTakeNobodyElsesRoom(t *testing.T) {
	s := newStreams(time.Now())
	first := fill(s.of("stranger"), 0)
	assert.Equal(t, maxStreamBytes/2/streamBytes, first)
	assert.Greater(t, fill(s.of("owner"), 0), first/3, "there is room for who comes after")
	p := &metrics.NumberDataPoint{TimeUnixNano: 2, StartTimeUnixNano: 7}
	since, err := s.of("stranger").number((&series{}).stream(p), p, 3)
	require.NoError(t, err, "and those that are there go on")
	assert.Equal(t, 2.0, since)
}

func TestAStreamTakesNoMoreThanIsCounted(t *testing.T) {
	const streams = 5000
	for name, buckets := range map[string]int{"a number": 0, "a histogram": 60, "one of many buckets": 1000} {
		t.Run(name, func(t *testing.T) {
			s := newStreams(time.Now())
			before := inUse()
			for i := range streams {
				if buckets == 0 {
					p := &metrics.NumberDataPoint{TimeUnixNano: 1, StartTimeUnixNano: uint64(i)}
					_, _ = s.of("").number((&series{}).stream(p), p, 1)
					continue
				}
				p := &metrics.HistogramDataPoint{
					TimeUnixNano: 1, StartTimeUnixNano: uint64(i), BucketCounts: make([]uint64, buckets/2+1), ExplicitBounds: make([]float64, buckets/2),
					Sum: proto.Float64(1), Min: proto.Float64(1), Max: proto.Float64(1), Exemplars: []*metrics.Exemplar{{SpanId: make([]byte, 10_000)}},
				}
				_, _ = s.of("").histogram((&series{}).stream(p), p)
			}
			takes := inUse() - before
			t.Logf("%d bytes a stream, %d counted", takes/streams, s.room.Taken()/streams)
			assert.LessOrEqual(t, takes, s.room.Taken())
			runtime.KeepAlive(s)
		})
	}
}

// inUse is how many bytes of the heap are reachable.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // what pools hold is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
