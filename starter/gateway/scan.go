package gateway

import (
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/modelvigil/modelvigil/monitor"
)

// maxNames bounds the names that a decoder keeps: more than one hub has models.
const maxNames = 1 << 15

// decoder reads events. Its fields are reused, so that the common event costs no
// allocation; it is for one goroutine, and an event is good until the next one.
type decoder struct {
	event          monitor.MetricEvent
	names          map[string]string // one copy of each name
	model, version string            // of the last event
	metrics        map[string]float64
}

func newDecoder() *decoder {
	return &decoder{names: map[string]string{}, metrics: map[string]float64{}}
}

// The fields of an event, as bits.
const (
	hasTimestamp = 1 << iota
	hasModelName
	hasModelVersion
	hasAccuracy
	hasLatency
	hasDrift
	hasMetrics
)

// scan reads an event that is written in the usual way into d.event, and is false
// for any other: unknown or repeated fields, escapes, nulls for names, whatever is
// wrong. Those are for the decoder of monitor, with which scan agrees on all that
// it reads: FuzzScan holds it to that.
func (d *decoder) scan(b []byte) bool {
	d.event = monitor.MetricEvent{}
	i := space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return false
	}
	for seen := 0; ; {
		key, next := text(b, space(b, i+1))
		if next = space(b, next); next >= len(b) || b[next] != ':' {
			return false
		}
		field, next := d.field(key, b, space(b, next+1))
		if field == 0 || seen&field != 0 {
			return false
		}
		seen |= field
		if i = space(b, next); i >= len(b) {
			return false
		}
		switch b[i] {
		case ',':
		case '}':
			return space(b, i+1) == len(b)
		default:
			return false
		}
	}
}

// field reads the value of a field at b[i:]. It returns the field's bit, or 0, and
// where it ends.
func (d *decoder) field(key, b []byte, i int) (field, next int) {
	switch string(key) {
	case "timestamp":
		value, next := text(b, i)
		if next > len(b) || d.event.Timestamp.UnmarshalText(value) != nil {
			return 0, next
		}
		return hasTimestamp, next
	case "model_name":
		value, next := text(b, i)
		d.model = d.name(value, d.model)
		d.event.ModelName = d.model
		return hasModelName, next
	case "model_version":
		value, next := text(b, i)
		d.version = d.name(value, d.version)
		d.event.ModelVersion = d.version
		return hasModelVersion, next
	case monitor.Accuracy:
		next := reading(b, i, &d.event.Accuracy)
		return hasAccuracy, next
	case monitor.LatencyMS:
		next := reading(b, i, &d.event.LatencyMS)
		return hasLatency, next
	case monitor.DriftScore:
		next := reading(b, i, &d.event.DriftScore)
		return hasDrift, next
	case "metrics":
		return hasMetrics, d.further(b, i)
	}
	return 0, i
}

// further reads the object of further metrics at b[i:], and returns where it ends.
func (d *decoder) further(b []byte, i int) int {
	if i >= len(b) || b[i] != '{' {
		return nowhere
	}
	clear(d.metrics)
	if end := space(b, i+1); end < len(b) && b[end] == '}' {
		return end + 1
	}
	for n := 1; n <= monitor.MaxExtraMetrics; n++ { // more keep the map large
		key, next := text(b, space(b, i+1))
		if next = space(b, next); next >= len(b) || b[next] != ':' {
			return nowhere
		}
		value, next := number(b, space(b, next+1))
		if i = space(b, next); i >= len(b) {
			return nowhere
		}
		d.metrics[d.name(key, "")] = value
		if len(d.metrics) != n { // twice
			return nowhere
		}
		switch b[i] {
		case ',':
		case '}':
			d.event.Metrics = d.metrics
			return i + 1
		default:
			return nowhere
		}
	}
	return nowhere
}

// name returns a name that is kept, for the hub keeps some; last is a likely one.
func (d *decoder) name(b []byte, last string) string {
	if string(b) == last {
		return last
	}
	if kept, known := d.names[string(b)]; known {
		return kept
	}
	if len(d.names) >= maxNames {
		clear(d.names)
	}
	kept := string(b)
	if len(kept) <= monitor.MaxModelNameBytes { // longer ones will be refused
		d.names[kept] = kept
	}
	return kept
}

// nowhere is where a value ends that scan does not read: beyond any b.
const nowhere = int(^uint(0)>>1) - 1

// space returns the index of the first byte from i on that is no blank.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// text reads a string without escapes at b[i:], and returns where it ends.
func text(b []byte, i int) (value []byte, next int) {
	if i >= len(b) || b[i] != '"' {
		return nil, nowhere
	}
	var all byte
	for end := i + 1; end < len(b); end++ {
		c := b[end]
		switch {
		case c == '"':
			value = b[i+1 : end]
			if all >= utf8.RuneSelf && !utf8.Valid(value) {
				return nil, nowhere
			}
			return value, end + 1
		case c == '\\' || c < ' ':
			return nil, nowhere
		}
		all |= c
	}
	return nil, nowhere
}

// reading reads a number or null at b[i:], and returns where it ends.
func reading(b []byte, i int, into *monitor.Reading) int {
	if i+4 <= len(b) && string(b[i:i+4]) == "null" {
		return i + 4
	}
	value, next := number(b, i)
	*into = monitor.Some(value)
	return next
}

// maxExactDigits is how many decimal digits a float64 holds exactly.
const maxExactDigits = 15

// powers are those of ten that a float64 holds exactly, as far as they are needed.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// number reads a JSON number at b[i:], and returns where it ends.
func number(b []byte, i int) (value float64, next int) {
	start, negative := i, false
	if i < len(b) && b[i] == '-' {
		negative = true
		i++
	}
	var mantissa uint64
	digits := func() int { // reads some, and returns how many
		from := i
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
			mantissa = mantissa*10 + uint64(b[i]-'0') // overflows where it is not used
		}
		return i - from
	}
	whole := digits()
	if whole == 0 || whole > 1 && b[i-whole] == '0' {
		return 0, nowhere
	}
	fraction := 0
	if i < len(b) && b[i] == '.' {
		i++
		if fraction = digits(); fraction == 0 {
			return 0, nowhere
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if digits() == 0 {
			return 0, nowhere
		}
	} else if whole+fraction <= maxExactDigits { // both are exact, so the quotient is rounded once
		value = float64(mantissa) / powers[fraction]
		if negative {
			value = -value
		}
		return value, i
	}
	value, err := strconv.ParseFloat(unsafe.String(&b[start], i-start), 64) //nolint:gosec // ParseFloat keeps the string in errors only, and they are dropped
	if err != nil {
		return 0, nowhere
	}
	return value, i
}
