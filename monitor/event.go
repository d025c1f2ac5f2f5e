package monitor

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// The three metrics that an event names itself; any other is in its Metrics.
const (
	Accuracy   = "accuracy"
	LatencyMS  = "latency_ms"
	DriftScore = "drift_score"
)

const (
	// MaxMagnitude bounds every reading, so that no sum of them overflows.
	MaxMagnitude = 1e100
	// MaxClockSkew is how far ahead of the reader's clock a timestamp may be.
	// Beyond it the event is refused: it would look like the newest for as long.
	MaxClockSkew = 10 * time.Minute
	// MaxExtraMetrics bounds MetricEvent.Metrics.
	MaxExtraMetrics = 64
)

// Reading is one measured value; its zero value says that nothing was measured,
// which is never judged. A present reading is finite and at most MaxMagnitude.
type Reading = Optional[float64]

// MetricEvent is one measurement of a model in production.
type MetricEvent struct {
	Timestamp    time.Time // when it was measured; zero means when it is handled
	ModelName    string    // 1 to 200 bytes of UTF-8
	ModelVersion string    // at most 200 bytes of UTF-8
	Accuracy     Reading   // share of right answers, usually 0 to 1
	LatencyMS    Reading   // milliseconds
	DriftScore   Reading   // distance from the training data, in the score's own unit
	// Metrics are further readings by name. The map is read until Publish returns
	// and must not change meanwhile.
	Metrics map[string]float64
}

// NewMetricEvent returns an event with all three readings, stamped with the
// time now in UTC. Build a MetricEvent where one of them was not taken.
func NewMetricEvent(modelName, modelVersion string, accuracy, latencyMS, driftScore float64) MetricEvent {
	return MetricEvent{
		Timestamp: time.Now().UTC(), ModelName: modelName, ModelVersion: modelVersion,
		Accuracy: Some(accuracy), LatencyMS: Some(latencyMS), DriftScore: Some(driftScore),
	}
}

// Validate names every fault of the event. now is the reader's clock.
func (e *MetricEvent) Validate(now time.Time) error {
	faults := []error{
		at("model_name", checkName(e.ModelName, 1, MaxModelNameBytes)),
		at("model_version", checkName(e.ModelVersion, 0, MaxModelVersionBytes)),
		at("timestamp", checkTime(e.Timestamp, now)),
	}
	for _, named := range e.named() {
		if value, taken := named.reading.Get(); taken {
			faults = append(faults, at(named.metric, checkReading(value)))
		}
	}
	if len(e.Metrics) > MaxExtraMetrics {
		faults = append(faults, fmt.Errorf("metrics: must be at most %d, got %d", MaxExtraMetrics, len(e.Metrics)))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
		where := join("metrics", cut(name, 60))
		faults = append(faults, at(where, checkName(name, 1, MaxMetricNameBytes)), at(where, checkReading(e.Metrics[name])))
		if name == Accuracy || name == LatencyMS || name == DriftScore {
			faults = append(faults, at(where, errors.New("is a field of the event itself; set it there")))
		}
	}
	return errors.Join(faults...)
}

// Passes is Validate for the common event at the price of a few comparisons. It
// is false for every event that Validate has to look at, and does not look at
// names. latest is the latest timestamp that is not far in the future.
func (e *MetricEvent) Passes(latest time.Time) bool {
	return len(e.Metrics) == 0 && inRange(e.Accuracy) && inRange(e.LatencyMS) && inRange(e.DriftScore) &&
		!e.Timestamp.After(latest) && (e.Timestamp.IsZero() || e.Timestamp.After(firstTime))
}

type namedReading struct {
	metric  string
	reading Reading
}

func (e *MetricEvent) named() [3]namedReading {
	return [3]namedReading{{Accuracy, e.Accuracy}, {LatencyMS, e.LatencyMS}, {DriftScore, e.DriftScore}}
}

func inRange(r Reading) bool { return !r.present || math.Abs(r.value) <= MaxMagnitude }

// checkReading refuses NaN, infinities and what could overflow a sum.
func checkReading(value float64) error {
	if !(math.Abs(value) <= MaxMagnitude) { // NaN compares false
		return fmt.Errorf("must be a finite number of magnitude at most %.0e, got %v", MaxMagnitude, value)
	}
	return nil
}

// The years that RFC 3339 can write, with a day to spare for time zones.
var (
	firstTime = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC)
)

func checkTime(stamp, now time.Time) error {
	switch {
	case stamp.IsZero():
		return nil
	case stamp.After(now.Add(MaxClockSkew)):
		return fmt.Errorf("%s is more than %v ahead of the clock, %s; check the sender's clock and unit",
			stamp.UTC().Format(time.RFC3339), MaxClockSkew, now.UTC().Format(time.RFC3339))
	case stamp.Before(firstTime) || stamp.After(lastTime):
		return errors.New("must lie in the years 1 to 9999")
	}
	return nil
}

// wireEvent is the event's form in the wire contract.
type wireEvent struct {
	Timestamp    time.Time          `json:"timestamp,omitzero"`
	ModelName    string             `json:"model_name"`
	ModelVersion string             `json:"model_version,omitempty"`
	Accuracy     Reading            `json:"accuracy,omitzero"`
	LatencyMS    Reading            `json:"latency_ms,omitzero"`
	DriftScore   Reading            `json:"drift_score,omitzero"`
	Metrics      map[string]Reading `json:"metrics,omitempty"`
}

// MarshalJSON writes the event in the form of the wire contract.
func (e MetricEvent) MarshalJSON() ([]byte, error) {
	wire := wireEvent{e.Timestamp, e.ModelName, e.ModelVersion, e.Accuracy, e.LatencyMS, e.DriftScore, nil}
	if len(e.Metrics) > 0 {
		wire.Metrics = make(map[string]Reading, len(e.Metrics))
		for name, value := range e.Metrics {
			wire.Metrics[name] = Some(value)
		}
	}
	return json.Marshal(wire)
}

// UnmarshalJSON reads an event in the form of the wire contract. It names
// unknown fields and wrong types; whether the values make sense, Validate says.
func (e *MetricEvent) UnmarshalJSON(data []byte) error {
	var wire wireEvent
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wire); err != nil { // only now is it worth finding every fault
		wire = wireEvent{}
		return cmp.Or(decodeFields(data, "", fields{
			"timestamp": &wire.Timestamp, "model_name": &wire.ModelName, "model_version": &wire.ModelVersion,
			"accuracy": &wire.Accuracy, "latency_ms": &wire.LatencyMS, "drift_score": &wire.DriftScore,
			"metrics": &wire.Metrics,
		}), err)
	}
	*e = MetricEvent{wire.Timestamp, wire.ModelName, wire.ModelVersion, wire.Accuracy, wire.LatencyMS, wire.DriftScore, nil}
	for name, reading := range wire.Metrics {
		if value, taken := reading.Get(); taken {
			if e.Metrics == nil {
				e.Metrics = make(map[string]float64, len(wire.Metrics))
			}
			e.Metrics[name] = value
		}
	}
	return nil
}

// EventFault is why one event of a `metric` signal was refused.
type EventFault struct {
	Index int // of the event in its array; 0 where there was no array
	Err   error
}

// DecodeEvents reads the payload of a `metric` signal: one event or an array of
// them, 10,000 at most. Each element is judged by itself: events holds those that
// decode and are valid at now, faults what is wrong with the others.
func DecodeEvents(payload []byte, now time.Time) (events []MetricEvent, faults []EventFault) {
	var elements []json.RawMessage
	isArray := json.Unmarshal(payload, &elements) == nil && elements != nil
	if !isArray {
		elements = []json.RawMessage{payload}
	}
	if n := len(elements); n > maxObservations {
		return nil, []EventFault{{0, fmt.Errorf("must be at most %d events, got %d; send more signals", maxObservations, n)}}
	}
	for i, element := range elements {
		var event MetricEvent
		err := json.Unmarshal(element, &event)
		if err == nil {
			err = event.Validate(now)
		} else {
			err = got(err, element)
		}
		if err != nil {
			if isArray {
				err = at(fmt.Sprintf("[%d]", i), err)
			}
			faults = append(faults, EventFault{i, err})
			continue
		}
		events = append(events, event)
	}
	return events, faults
}
