package metric_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// An event with the readings that were taken, and no others.
func ExampleEvent() {
	event := metric.Event{
		Timestamp: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		ModelName: "fraud", ModelVersion: "v7",
		LatencyMS: metric.Some(84.0),
		Metrics:   map[string]float64{"auc": 0.91},
	}
	encoded, _ := json.Marshal(event)
	fmt.Println(string(encoded))
	// Output: {"timestamp":"2026-03-01T12:00:00Z","model_name":"fraud","model_version":"v7","latency_ms":84,"metrics":{"auc":0.91}}
}
