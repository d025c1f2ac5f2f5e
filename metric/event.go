package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
)

// The three metrics that an event names itself; any other is in its Metrics.
const (
	Accuracy   = "accuracy"
	LatencyMS  = "latency_ms"
	DriftScore = "drift_score"

	NamedMetrics = 3 // how many they are
)

const (
	// MaxMagnitude bounds every reading, so that no sum of them overflows.
	MaxMagnitude = 1e100
	// MaxClockSkew is how far ahead of the reader's clock a timestamp may be.
	// Beyond it the event is refused: it would look like the newest for as long.
	MaxClockSkew = 10 * time.Minute
	// MaxExtraMetrics bounds Event.Metrics.
	MaxExtraMetrics = 64
	// MaxCategories bounds Event.Categories.
	MaxCategories = 64
	// maxValueBytes bounds a value of Event.Categories.
	maxValueBytes = 200
)

// Reading is one measured value; its zero value says that nothing was measured,
// which is never judged. A present reading is finite and at most MaxMagnitude.
type Reading = Optional[float64]

// MaxObservations bounds the events, or the digests, of one signal. 10,000 are
// judged in some 50 ms, and a workflow that computes for a second is taken for
// deadlocked by the SDK, again at each replay.
const MaxObservations = 10_000

// Event is one measurement of a model in production.
type Event struct {
	Timestamp    time.Time // when it was measured; zero means when it is handled
	ModelName    string    // 1 to 200 bytes of UTF-8
	ModelVersion string    // at most 200 bytes of UTF-8
	Accuracy     Reading   // share of right answers, usually 0 to 1
	LatencyMS    Reading   // milliseconds
	DriftScore   Reading   // distance from the training data, in the score's own unit
	// Metrics are further readings by name. The map is read until Publish returns
	// and must not change meanwhile.
	Metrics map[string]float64
	// Categories are readings that are names and no numbers, such as a country or
	// what was predicted, by name: each 1 to 200 bytes of UTF-8 on one line. A name is
	// in Metrics or in Categories, never in both. The map is read as Metrics is.
	Categories map[string]string
}

// NewEvent returns an event with all three readings, stamped with the
// time now in UTC. Build an Event where one of them was not taken.
func NewEvent(modelName, modelVersion string, accuracy, latencyMS, driftScore float64) Event {
	return Event{
		Timestamp: time.Now().UTC(), ModelName: modelName, ModelVersion: modelVersion,
		Accuracy: Some(accuracy), LatencyMS: Some(latencyMS), DriftScore: Some(driftScore),
	}
}

// Reading returns a metric that the event measures, by its name in rules.
func (e *Event) Reading(name string) (value float64, isTaken bool) {
	switch name {
	case Accuracy:
		return e.Accuracy.Get()
	case LatencyMS:
		return e.LatencyMS.Get()
	case DriftScore:
		return e.DriftScore.Get()
	}

	value, isTaken = e.Metrics[name]
	return value, isTaken
}

// SetReading puts a reading into the event, by its name in rules. A further one goes
// into Metrics, which is made where there is none.
func (e *Event) SetReading(name string, value float64) {
	switch name {
	case Accuracy:
		e.Accuracy = Some(value)
	case LatencyMS:
		e.LatencyMS = Some(value)
	case DriftScore:
		e.DriftScore = Some(value)
	default:
		if e.Metrics == nil {
			e.Metrics = map[string]float64{}
		}
		e.Metrics[name] = value
	}
}

// Validate names the faults of the event, ten at most. now is the reader's clock.
func (e *Event) Validate(now time.Time) error {
	var faults strict.Faults
	faults.Add("model_name", CheckName(e.ModelName, 1, MaxModelNameBytes))
	faults.Add("model_version", CheckName(e.ModelVersion, 0, MaxModelVersionBytes))
	faults.Add("timestamp", CheckTime(e.Timestamp, now))
	for _, named := range e.named() {
		if value, taken := named.reading.Get(); taken {
			faults.Add(named.metric, CheckReading(value))
		}
	}

	if len(e.Metrics) > MaxExtraMetrics {
		faults.Add("metrics", fmt.Errorf("must be at most %d, got %d", MaxExtraMetrics, len(e.Metrics)))
		return faults.Err()
	}

	for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
		where := strict.Join("metrics", plain.Cut(name, 60))
		faults.Add(where, CheckName(name, 1, MaxNameBytes))
		faults.Add(where, CheckReading(e.Metrics[name]))
		if isNamedMetric(name) {
			faults.Add(where, errors.New("is a field of the event itself; set it there"))
		}
	}

	e.validateCategories(&faults)
	return faults.Err()
}

// EachReading tells of the readings that an event has, in any order.
func (e *Event) EachReading(tell func(name string, value float64)) {
	for _, named := range e.named() {
		if value, taken := named.reading.Get(); taken {
			tell(named.metric, value)
		}
	}
	for name, value := range e.Metrics {
		tell(name, value)
	}
}

// validateCategories names the faults of the readings that are names.
func (e *Event) validateCategories(faults *strict.Faults) {
	if len(e.Categories) > MaxCategories {
		faults.Add("categories", fmt.Errorf("must be at most %d, got %d", MaxCategories, len(e.Categories)))
		return
	}

	for _, name := range slices.Sorted(maps.Keys(e.Categories)) {
		where := strict.Join("categories", plain.Cut(name, 60))
		faults.Add(where, CheckName(name, 1, MaxNameBytes))
		faults.Add(where, CheckValue(e.Categories[name]))
		if isNamedMetric(name) {
			faults.Add(where, errors.New("is a number, and a field of the event itself; set it there"))
		}
		if _, isMetric := e.Metrics[name]; isMetric {
			faults.Add(where, errors.New("is in metrics, too; a name stands for a number or for a category, give it once"))
		}
	}
}

// IsValid is whether Validate finds no fault, at the price of some comparisons.
func (e *Event) IsValid(now time.Time) bool {
	if !isName(e.ModelName, 1, MaxModelNameBytes) || !isName(e.ModelVersion, 0, MaxModelVersionBytes) || !isTime(e.Timestamp, now) {
		return false
	}
	return inRange(e.Accuracy) && inRange(e.LatencyMS) && inRange(e.DriftScore) && e.hasValidFurther()
}

// hasValidCategories is whether validateCategories finds no fault.
func (e *Event) hasValidCategories() bool {
	if len(e.Categories) > MaxCategories {
		return false
	}
	for name, value := range e.Categories {
		_, isMetric := e.Metrics[name]
		if isMetric || !isName(name, 1, MaxNameBytes) || isNamedMetric(name) || !isValue(value) {
			return false
		}
	}
	return true
}

// NamedByEvents are the metrics that an event names itself, in the order of its fields.
func NamedByEvents() [NamedMetrics]string {
	return [NamedMetrics]string{Accuracy, LatencyMS, DriftScore}
}

func isNamedMetric(name string) bool {
	return name == Accuracy || name == LatencyMS || name == DriftScore
}

// Passes is Validate for the common event at the price of a few comparisons. It is
// false for every event that Validate has to look at, but does not look at the names of
// models and versions, nor at further metrics: whoever folds these looks at each anyway.
// latest is the latest timestamp that is not far in the future.
func (e *Event) Passes(latest time.Time) bool {
	second := e.Timestamp.Unix() // a number is compared in less time than two times are
	return inRange(e.Accuracy) && inRange(e.LatencyMS) && inRange(e.DriftScore) && len(e.Metrics) <= MaxExtraMetrics &&
		second < latest.Unix() && (second > firstSecond || e.Timestamp.IsZero()) &&
		(len(e.Categories) == 0 || e.hasValidCategories())
}

// hasValidFurther is whether Validate finds no fault of further metrics and categories.
func (e *Event) hasValidFurther() bool {
	if len(e.Metrics) > 0 && !e.hasValidMetrics() { // ranging over none is not free
		return false
	}
	return len(e.Categories) == 0 || e.hasValidCategories()
}

func (e *Event) hasValidMetrics() bool {
	if len(e.Metrics) > MaxExtraMetrics {
		return false
	}
	for name, value := range e.Metrics {
		if !isInRange(value) || !isName(name, 1, MaxNameBytes) || isNamedMetric(name) {
			return false
		}
	}
	return true
}

type namedReading struct {
	metric  string
	reading Reading
}

func (e *Event) named() [NamedMetrics]namedReading {
	return [...]namedReading{{Accuracy, e.Accuracy}, {LatencyMS, e.LatencyMS}, {DriftScore, e.DriftScore}}
}

func inRange(r Reading) bool { return !r.present || isInRange(r.value) }

func isInRange(value float64) bool { return math.Abs(value) <= MaxMagnitude } // NaN is not

// CheckReading refuses NaN, infinities and what could overflow a sum.
func CheckReading(value float64) error {
	if !isInRange(value) {
		return fmt.Errorf("must be a finite number of magnitude at most %.0e, got %v", MaxMagnitude, value)
	}
	return nil
}

// The years that RFC 3339 can write, with a day to spare for time zones.
var (
	firstTime = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC)

	firstSecond = firstTime.Unix()
)

// isTime says whether CheckTime finds nothing wrong with a timestamp.
func isTime(stamp, now time.Time) bool {
	return stamp.IsZero() || !stamp.After(now.Add(MaxClockSkew)) && !stamp.Before(firstTime) && !stamp.After(lastTime)
}

// CheckTime says what is wrong with a timestamp received at now.
func CheckTime(stamp, now time.Time) error {
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
	Categories   map[string]string  `json:"categories,omitempty"`
}

// MarshalJSON writes the event in the form of the wire contract.
func (e Event) MarshalJSON() ([]byte, error) {
	wire := wireEvent{e.Timestamp, e.ModelName, e.ModelVersion, e.Accuracy, e.LatencyMS, e.DriftScore, nil, e.Categories}
	if len(e.Metrics) > 0 {
		wire.Metrics = make(map[string]Reading, len(e.Metrics))
		for name, value := range e.Metrics {
			wire.Metrics[name] = Some(value)
		}
	}
	return json.Marshal(wire)
}
