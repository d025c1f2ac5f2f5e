package journal

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
)

// Rejection is an observation, or another input, that was refused.
type Rejection struct {
	At      time.Time `json:"at"`
	Source  string    `json:"source"` // the signal it came by
	Reason  string    `json:"reason"`
	Payload string    `json:"payload,omitempty"` // its beginning
}

const (
	// MaxRejections is how many rejections a monitor remembers.
	MaxRejections     = 5
	maxRejectionBytes = 1000
	maxPayloadBytes   = 200
)

// CountSignal counts a signal, whatever it holds.
func (j *Journal) CountSignal() { j.entries.Counters.Signals++ }

// Reject counts an input that could not be taken, and keeps why.
func (j *Journal) Reject(now time.Time, source string, why error, payload []byte) {
	j.entries.Counters.Rejected++
	payload = payload[:min(len(payload), maxPayloadBytes+1)] // it may be megabytes, of thousands of faults
	rejection := Rejection{
		At: clock.Plain(now), Source: plain.Cut(source, metric.MaxNameBytes),
		Reason: plain.Cut(why.Error(), maxRejectionBytes), Payload: plain.Cut(string(payload), maxPayloadBytes),
	}
	if j.OnRejection != nil {
		j.OnRejection(rejection, 1)
	}
	j.entries.Rejections = KeepLast(append(j.entries.Rejections, rejection), MaxRejections)
}

// RejectMany counts inputs of one signal that could not be taken and are too many to
// be explained.
func (j *Journal) RejectMany(now time.Time, source string, count int64) {
	j.entries.Counters.Rejected += count
	if j.OnRejection != nil {
		j.OnRejection(Rejection{At: now, Source: source, Reason: "the first ones of a signal with many refused elements are not explained"}, count)
	}
}
