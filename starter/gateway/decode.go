package gateway

import (
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

const (
	// maxKeys bounds the keys of an event, with those within it, before anything is
	// made of them. One that makes sense has less than a tenth of them.
	maxKeys = 1000
	// maxLookedAt is after how many rejected events of a body those in an unusual form
	// are rejected unseen. To say of an event what is wrong with it costs a hundred
	// times what it costs to send it.
	maxLookedAt = 1000
)

var errNotLookedAt = fmt.Errorf("is in an unusual form, and was not looked at: %d events of the body were rejected before", maxLookedAt)

// decode reads one event exactly as monitor.DecodeEvents does, but that it leaves
// it to the hub to say whether the values make sense. look is false where only
// events in the usual form are to be read.
func (d *decoder) decode(item []byte, now time.Time, look bool) (*monitor.MetricEvent, error) {
	if d.scan(item) {
		return &d.event, nil
	}
	if !look {
		return nil, errNotLookedAt
	}
	if i := space(item, 0); i < len(item) && item[i] == '[' {
		return nil, errors.New("must be one event, a JSON object, got a list")
	}
	if keys := keysIn(item); keys > maxKeys {
		return nil, fmt.Errorf("must have at most %d keys, got %d; metrics: at most %d", maxKeys, keys, monitor.MaxExtraMetrics)
	}
	events, faults := monitor.DecodeEvents(item, now)
	if len(faults) > 0 {
		return nil, faults[0].Err
	}
	return &events[0], nil
}

// keysIn counts the keys of all objects in a JSON text, be it a broken one.
func keysIn(text []byte) (keys int) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = afterText(text, i) - 1
		case ':':
			keys++
		}
	}
	return keys
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
