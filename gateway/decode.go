package gateway

import (
	"errors"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

// decoder reads events as every other way in does, and leaves it to the hub to say
// whether the values make sense.
type decoder struct{ reader monitor.EventReader }

func newDecoder() *decoder { return &decoder{} }

// decode reads one event, good until the next one.
func (d *decoder) decode(item []byte, now time.Time) (*monitor.MetricEvent, error) {
	event, err := d.reader.Read(item)
	switch {
	case err == nil && event.ModelName == "": // no token may publish to it, which would be the lesser word
		return nil, event.Validate(now)
	case err == nil:
		return event, nil
	}
	if i := space(item, 0); i < len(item) && item[i] == '[' {
		return nil, errors.New("must be one event, a JSON object, got a list")
	}
	return nil, err
}

// space returns the index of the first byte from i on that is no blank.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}
