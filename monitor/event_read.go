package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// EventReader reads events in the form of the wire contract, one after another. It
// is what every way in reads them by. Its memory is used again, so that the common
// event costs no allocation: an event is good until the next one is read. It is
// for one goroutine at a time; its zero value is ready.
type EventReader struct {
	event   MetricEvent
	names   map[string]string  // one copy of each name
	metrics map[string]float64 // of the event, used again
}

// maxReaderNames bounds the names that a reader keeps: more than one hub has models.
const maxReaderNames = 1 << 15

// The fields of an event, as bits, to tell one that is given twice.
const (
	hasTimestamp = 1 << iota
	hasModelName
	hasModelVersion
	hasAccuracy
	hasLatency
	hasDrift
	hasMetrics
)

// Read reads one event. The error names every fault of what is none, up to a
// bound; whether the values of an event make sense, Validate says.
func (r *EventReader) Read(data []byte) (*MetricEvent, error) {
	event, isEvent := r.Try(data)
	if isEvent {
		return event, nil
	}
	return nil, explainEvent(data)
}

// Try is Read for whoever asks for no explanation: that costs a hundred times as
// much, and what is not an event may come by the million.
func (r *EventReader) Try(data []byte) (event *MetricEvent, isEvent bool) {
	return &r.event, r.scan(data)
}

// scan reads an event into r.event, or says that it is none. It decides: what it
// refuses is only explained by explainEvent, and so needs not be read at once.
func (r *EventReader) scan(data []byte) bool {
	r.event = MetricEvent{}
	c := cursor{jsonCursor{data: data}}
	seen := 0
	for more := c.open('{', '}'); more; more = c.more('}') {
		field := r.field(&c, c.key())
		if field == 0 || seen&field != 0 {
			return false
		}
		seen |= field
	}
	return c.ended()
}

// field reads the value of a member into the event, and returns the field's bit, or
// 0 where there is no such field.
func (r *EventReader) field(c *cursor, key []byte) int {
	switch string(key) {
	case "timestamp":
		c.timestamp(&r.event)
		return hasTimestamp
	case "model_name":
		r.event.ModelName = r.text(c)
		return hasModelName
	case "model_version":
		r.event.ModelVersion = r.text(c)
		return hasModelVersion
	case Accuracy:
		c.reading(&r.event.Accuracy)
		return hasAccuracy
	case LatencyMS:
		c.reading(&r.event.LatencyMS)
		return hasLatency
	case DriftScore:
		c.reading(&r.event.DriftScore)
		return hasDrift
	case "metrics":
		r.further(c)
		return hasMetrics
	}
	return 0
}

// timestamp reads when an event was measured, in any form that ParseTimestamp reads.
func (c *cursor) timestamp(into *MetricEvent) {
	switch b := c.next(); {
	case b == '"':
		text := c.text()
		stamp, err := parseTimestamp(borrowed(text), nil)
		into.Timestamp = stamp
		c.isBad = c.isBad || err != nil
	case !c.null():
		start := c.at
		c.number()
		if c.isBad || c.at-start > maxTimestampBytes {
			c.isBad = true
			return
		}
		stamp, err := parseUnix(borrowed(c.data[start:c.at]))
		into.Timestamp = stamp
		c.isBad = err != nil
	}
}

// reading reads a number, or null, which says that none was taken.
func (c *cursor) reading(into *Reading) {
	if !c.null() {
		*into = Some(c.number())
	}
}

// text reads a name, or null, which is none.
func (r *EventReader) text(c *cursor) string {
	if c.null() {
		return ""
	}
	return r.name(c.text())
}

// further reads the object of further metrics.
func (r *EventReader) further(c *cursor) {
	if c.null() {
		return
	}
	if r.metrics == nil {
		r.metrics = map[string]float64{}
	}
	clear(r.metrics)
	absent := 0
	for more := c.open('{', '}'); more; more = c.more('}') {
		name := r.name(c.key())
		value := math.NaN() // which no number is
		if c.null() {
			absent++
		} else {
			value = c.number()
		}

		known := len(r.metrics)
		if c.isBad || known >= MaxExtraMetrics {
			c.isBad = true
			return
		}
		r.metrics[name] = value
		if len(r.metrics) == known { // it is given twice
			c.isBad = true
			return
		}
	}

	if absent > 0 {
		maps.DeleteFunc(r.metrics, func(_ string, value float64) bool { return math.IsNaN(value) })
	}
	if len(r.metrics) > 0 {
		r.event.Metrics = r.metrics
	}
}

// name returns a name that is kept, for whoever gets the event may keep it.
func (r *EventReader) name(name []byte) string {
	kept, known := r.names[string(name)]
	if known {
		return kept
	}
	kept = string(name)
	if len(kept) > MaxModelNameBytes { // it will be refused
		return kept
	}

	if r.names == nil || len(r.names) >= maxReaderNames {
		r.names = map[string]string{}
	}
	r.names[kept] = kept
	return kept
}

// explainEvent says why data is no event.
func explainEvent(data []byte) error {
	var event struct {
		timestamp                  timestampText
		modelName, modelVersion    string
		accuracy, latencyMS, drift Reading
		metrics                    furtherMetrics
	}
	err := decodeFields(data, "", fields{
		"timestamp": &event.timestamp, "model_name": &event.modelName, "model_version": &event.modelVersion,
		Accuracy: &event.accuracy, LatencyMS: &event.latencyMS, DriftScore: &event.drift, "metrics": &event.metrics,
	})
	if err != nil {
		return err
	}
	return errors.New("a field is given twice; name each once")
}

// furtherMetrics are an event's, as encoding/json reads them.
type furtherMetrics map[string]Reading

func (m *furtherMetrics) decodeAt(data []byte, path string) error {
	if n := countMembers(data); n > MaxExtraMetrics {
		return at(path, fmt.Errorf("must be at most %d, got %d", MaxExtraMetrics, n))
	}
	var object map[string]json.RawMessage
	err := json.Unmarshal(data, &object)
	if err != nil {
		return at(path, got(err, data))
	}

	var faults faultList
	for _, name := range slices.Sorted(maps.Keys(object)) {
		err := json.Unmarshal(object[name], new(Reading))
		if err != nil {
			faults.add(join(path, plain.Cut(name, maxPathBytes)), got(err, object[name]))
		}
	}
	return faults.err()
}

// timestampText is a timestamp as encoding/json reads it.
type timestampText struct{}

// UnmarshalJSON reads what cursor.timestamp reads.
func (timestampText) UnmarshalJSON(data []byte) error {
	c := cursor{jsonCursor{data: data}}
	var event MetricEvent
	c.timestamp(&event)
	if c.ended() {
		return nil
	}

	text := string(data)
	if c = (cursor{jsonCursor{data: data}}); c.next() == '"' {
		text = string(c.text())
	}
	_, err := ParseTimestamp(plain.Cut(text, maxTimestampBytes), nil)
	if err == nil {
		err = noTimestamp(text)
	}
	return err
}

// UnmarshalJSON reads an event in the form of the wire contract. It names unknown
// fields and wrong types; whether the values make sense, Validate says.
func (e *MetricEvent) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil // as encoding/json has it
	}
	var reader EventReader
	event, err := reader.Read(data)
	if err != nil {
		return err
	}
	*e = *event
	return nil
}
