package gateway

import (
	"errors"
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// errUnexplained is what is wrong with an event where nobody will read it.
var errUnexplained = errors.New("is no event")

// decoder reads events as every other way in does, and leaves it to the hub to say
// whether the values make sense.
type decoder struct{ reader metric.EventReader }

func newDecoder() *decoder { return &decoder{} }

// decode reads one event, good until the next one. To say of a text why it is none
// costs a hundred times what it costs to send it: that is done only to explain.
func (d *decoder) decode(item []byte, now time.Time, explain bool) (*metric.Event, error) {
	event, isEvent := d.reader.Try(item)
	switch {
	case isEvent && event.ModelName != "":
		return event, nil
	case !explain:
		return nil, errUnexplained
	case isEvent: // no token may publish to it, which would be the lesser word
		return nil, event.Validate(now)
	}

	if i := space(item, 0); i < len(item) && item[i] == '[' {
		return nil, errors.New("must be one event, a JSON object, got a list")
	}

	_, err := d.reader.Read(item)
	return nil, err
}

// space returns the index of the first byte from i on that is no blank.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// afterText is where a string ends that begins at text[i], or where the text does.
func afterText(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(text))
}

// isClosedList says that a text is a list with an end, and nothing behind it: its
// elements can be told apart, be they JSON or not.
func isClosedList(text []byte) bool {
	start := space(text, 0)
	if start == len(text) || text[start] != '[' {
		return false
	}

	depth := 0
	for i := start; i < len(text); i++ {
		switch text[i] {
		case '"':
			end := afterText(text, i)
			if text[end-1] != '"' || end == i+1 {
				return false
			}
			i = end - 1
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return text[i] == ']' && space(text, i+1) == len(text)
			}
		}
	}

	return false
}
