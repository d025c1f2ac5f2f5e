package table_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
)

// A row takes the memory, and the columns, of the one before: whatever that was, it says
// what the event says.
func TestARowSaysWhatItsEventSaysWhateverCameBefore(t *testing.T) {
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprintf("%c%d", "abdklz"[i%6], i)
	}
	reading := rapid.Custom(func(t *rapid.T) metric.Reading {
		if rapid.Bool().Draw(t, "taken") {
			return metric.Some(rapid.Float64Range(-10, 10).Draw(t, "value"))
		}
		return metric.Reading{}
	})

	rapid.Check(t, func(t *rapid.T) {
		var row table.Row
		var read metric.Event
		few := rapid.SampledFrom(names[:10])
		anyOf := rapid.SampledFrom(names)
		for range rapid.IntRange(1, 12).Draw(t, "events") {
			event := metric.Event{
				Timestamp: time.Unix(rapid.Int64Range(0, 1e9).Draw(t, "at"), 0).UTC(), ModelName: "m", ModelVersion: rapid.SampledFrom([]string{"", "v1"}).Draw(t, "version"),
				Accuracy: reading.Draw(t, "accuracy"), LatencyMS: reading.Draw(t, "latency"), DriftScore: reading.Draw(t, "drift"),
				Metrics:    rapid.MapOfN(rapid.OneOf(few, anyOf), rapid.Float64Range(-10, 10), 0, metric.MaxExtraMetrics).Draw(t, "metrics"),
				Categories: rapid.MapOfN(anyOf, rapid.StringN(1, 3, -1), 0, 5).Draw(t, "categories"),
			}

			row.OfEvent(&event)
			row.Event(&read)

			if read.Metrics == nil {
				read.Metrics = map[string]float64{}
			}
			if read.Categories == nil {
				read.Categories = map[string]string{}
			}
			assert.Equal(t, event, read)
			for name := range event.Metrics {
				assert.True(t, row.Measures(name))
			}
			assert.False(t, row.Measures("nowhere"))
			assert.Len(t, row.Categories, len(event.Categories))
			assert.True(t, slices.IsSorted(row.Columns.Names()))
		}
	})
}

func TestEventsThatMeasureTheSameShareColumns(t *testing.T) {
	var row table.Row
	row.OfEvent(&metric.Event{ModelName: "m", Metrics: map[string]float64{"a": 1, "b": 2}})
	columns := row.Columns

	row.OfEvent(&metric.Event{ModelName: "m", Metrics: map[string]float64{"b": 2}})
	assert.Same(t, columns, row.Columns, "nothing else was measured")

	row.OfEvent(&metric.Event{ModelName: "m", Metrics: map[string]float64{"c": 3}})
	assert.Equal(t, []string{"a", "accuracy", "b", "c", "drift_score", "latency_ms"}, row.Columns.Names())
}

// Whoever sends another name with each event costs no more memory than one event may take.
func TestColumnsStayAsManyAsOneEventMayHave(t *testing.T) {
	var row table.Row
	for i := range 1000 {
		event := metric.Event{ModelName: "m", Metrics: map[string]float64{fmt.Sprintf("m%d", i): 1}}
		row.OfEvent(&event)
		assert.LessOrEqual(t, len(row.Columns.Names()), metric.NamedMetrics+metric.MaxExtraMetrics)
		assert.True(t, row.Measures(fmt.Sprintf("m%d", i)))
	}
}

func TestARowAllocatesNothingForAnEventLikeTheLast(t *testing.T) {
	var row table.Row
	event := metric.Event{ModelName: "m", Accuracy: metric.Some(0.9), Metrics: map[string]float64{"a": 1, "b": 2}, Categories: map[string]string{"country": "DE"}}
	row.OfEvent(&event)
	assert.Zero(t, testing.AllocsPerRun(100, func() { row.OfEvent(&event) }))
}
