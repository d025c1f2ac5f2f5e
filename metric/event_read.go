package metric

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
)

// EventReader reads events in the form of the wire contract, one after another. It
// is what every way in reads them by. Its memory is used again, so that the common
// event costs no allocation: an event is good until the next one is read. It is
// for one goroutine at a time; its zero value is ready.
type EventReader struct {
	event   Event
	names   map[string]string  // one copy of each name
	metrics map[string]float64 // of the event, used again
	values  map[string]string  // its categories, used again
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
	hasCategories
)

// Read reads one event. The error names every fault of what is none, up to a
// bound; whether the values of an event make sense, Validate says.
func (r *EventReader) Read(data []byte) (*Event, error) {
	event, isEvent := r.Try(data)
	if isEvent {
		return event, nil
	}
	return nil, explainEvent(data)
}

// Try is Read for whoever asks for no explanation: that costs a hundred times as
// much, and what is not an event may come by the million.
func (r *EventReader) Try(data []byte) (event *Event, isEvent bool) {
	return &r.event, r.scan(data)
}

// scan reads an event into r.event, or says that it is none. It decides: what it
// refuses is only explained by explainEvent, and so needs not be read at once.
func (r *EventReader) scan(data []byte) bool {
	r.event = Event{}
	c := cursor{Cursor: strict.Cursor{Data: data}}
	seen := 0
	for more := c.Open('{', '}'); more; more = c.More('}') {
		field := r.field(&c, c.Key())
		if field == 0 || seen&field != 0 {
			return false
		}
		seen |= field
	}

	return c.Ended()
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
		r.event.ModelVersion = r.version(c)
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
	case "categories":
		r.categories(c)
		return hasCategories
	}

	return 0
}

// timestamp reads when an event was measured, in any form that ParseTimestamp reads.
func (c *cursor) timestamp(into *Event) {
	switch b := c.Next(); {
	case b == '"':
		text := c.Text()
		stamp, err := parseTimestamp(strict.Borrowed(text), nil)
		into.Timestamp = stamp
		c.Bad = c.Bad || err != nil
	case !c.Null():
		start := c.At
		c.Float()
		if c.Bad || c.At-start > maxTimestampBytes {
			c.Bad = true
			return
		}

		stamp, err := parseUnix(strict.Borrowed(c.Data[start:c.At]))
		into.Timestamp = stamp
		c.Bad = err != nil
	}
}

// reading reads a number, or null, which says that none was taken.
func (c *cursor) reading(into *Reading) {
	if !c.Null() {
		*into = Some(c.Float())
	}
}

// text reads a name, or null, which is none.
func (r *EventReader) text(c *cursor) string {
	if c.Null() {
		return ""
	}
	return r.name(c.Text())
}

// version reads a version, which may be a number; that is kept as it is written.
func (r *EventReader) version(c *cursor) string {
	if b := c.Next(); b != '-' && (b < '0' || b > '9') {
		return r.text(c)
	}
	start := c.At
	c.Float()
	if c.Bad {
		return ""
	}
	return r.name(c.Data[start:c.At])
}

// further reads the object of further metrics.
func (r *EventReader) further(c *cursor) {
	if c.Null() {
		return
	}

	if r.metrics == nil {
		r.metrics = map[string]float64{}
	}
	clear(r.metrics)
	absent := 0
	for more := c.Open('{', '}'); more; more = c.More('}') {
		name := r.name(c.Key())
		value := math.NaN() // which no number is
		if c.Null() {
			absent++
		} else {
			value = c.Float()
		}

		known := len(r.metrics)
		if c.Bad || known >= MaxExtraMetrics {
			c.Bad = true
			return
		}
		r.metrics[name] = value
		if len(r.metrics) == known { // it is given twice
			c.Bad = true
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

// categories reads the object of categories.
func (r *EventReader) categories(c *cursor) {
	if c.Null() {
		return
	}

	if r.values == nil {
		r.values = map[string]string{}
	}
	clear(r.values)
	absent := 0
	for more := c.Open('{', '}'); more; more = c.More('}') {
		name := r.name(c.Key())
		value := "" // which no category is
		if c.Null() {
			absent++
		} else {
			value = r.name(c.Text())
			c.Bad = c.Bad || value == ""
		}

		known := len(r.values)
		if c.Bad || known >= MaxCategories {
			c.Bad = true
			return
		}
		r.values[name] = value
		if len(r.values) == known { // it is given twice
			c.Bad = true
			return
		}
	}

	if absent > 0 {
		maps.DeleteFunc(r.values, func(_, value string) bool { return value == "" })
	}
	if len(r.values) > 0 {
		r.event.Categories = r.values
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
		modelName                  string
		modelVersion               strict.TextOrNumber
		accuracy, latencyMS, drift Reading
	}
	err := strict.Decode(data, "", strict.Fields{
		"timestamp": &event.timestamp, "model_name": &event.modelName, "model_version": &event.modelVersion,
		Accuracy: &event.accuracy, LatencyMS: &event.latencyMS, DriftScore: &event.drift, "metrics": strict.Nested(namedOf[Reading](MaxExtraMetrics).decodeAt),
		"categories": strict.Nested(namedOf[categoryText](MaxCategories).decodeAt),
	})
	if err != nil {
		return err
	}

	return errors.New("a field is given twice; name each once")
}

// namedOf are an event's metrics, or its categories, as encoding/json reads them: at
// most so many.
type namedOf[T any] int

func (most namedOf[T]) decodeAt(data []byte, path string) error {
	if n := strict.CountMembers(data); n > int(most) {
		return strict.At(path, fmt.Errorf("must be at most %d, got %d", most, n))
	}

	var object map[string]json.RawMessage
	err := json.Unmarshal(data, &object)
	if err != nil {
		return strict.At(path, strict.Got(err, data))
	}

	var faults strict.Faults
	for _, name := range slices.Sorted(maps.Keys(object)) {
		err := json.Unmarshal(object[name], new(T))
		if err != nil {
			faults.Add(strict.Join(path, plain.Cut(name, strict.MaxPathBytes)), strict.Got(err, object[name]))
		}
	}

	return faults.Err()
}

// categoryText is a category's value, as encoding/json reads it.
type categoryText struct{}

// UnmarshalJSON reads what EventReader.categories reads.
func (categoryText) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var value string
	err := json.Unmarshal(data, &value)
	if err != nil {
		return err
	}
	return CheckName(value, 1, maxValueBytes)
}

// timestampText is a timestamp as encoding/json reads it.
type timestampText struct{}

// UnmarshalJSON reads what cursor.timestamp reads.
func (timestampText) UnmarshalJSON(data []byte) error {
	c := cursor{Cursor: strict.Cursor{Data: data}}
	var event Event
	c.timestamp(&event)
	if c.Ended() {
		return nil
	}

	text := string(data)
	c = (cursor{Cursor: strict.Cursor{Data: data}})
	if c.Next() == '"' {
		text = string(c.Text())
	}
	_, err := ParseTimestamp(plain.Cut(text, maxTimestampBytes), nil)
	if err == nil {
		err = noTimestamp(text)
	}
	return err
}

// UnmarshalJSON reads an event in the form of the wire contract. It names unknown
// fields and wrong types; whether the values make sense, Validate says.
func (e *Event) UnmarshalJSON(data []byte) error {
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
