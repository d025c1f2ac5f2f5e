package gateway

import (
	"errors"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

// decode reads one event exactly as monitor.DecodeEvents does, but that it leaves
// it to the hub to say whether the values make sense.
func (d *decoder) decode(item []byte, now time.Time) (*monitor.MetricEvent, error) {
	if d.scan(item) {
		return &d.event, nil
	}
	if i := space(item, 0); i < len(item) && item[i] == '[' {
		return nil, errors.New("must be one event, a JSON object, got a list")
	}
	events, faults := monitor.DecodeEvents(item, now)
	if len(faults) > 0 {
		return nil, faults[0].Err
	}
	return &events[0], nil
}
