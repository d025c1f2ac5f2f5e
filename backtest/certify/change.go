package certify

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// Change is something that a policy should find.
type Change struct {
	Text   string // as given
	metric string
	by     float64
	unit   changeUnit
	over   time.Duration // until it has come in full; 0: at once
}

// changeUnit is what a change is measured in.
type changeUnit string

const (
	byValue      changeUnit = ""
	byShare      changeUnit = "%"  // of each reading
	byDeviations changeUnit = "sd" // of the recorded readings
)

// ParseChange reads METRIC=CHANGE or METRIC:CHANGE, such as accuracy=-0.03,
// latency_ms=+20%, input.age:+0.5sd; with ` over 7d` it comes evenly in that time.
func ParseChange(text string) (Change, error) {
	c := Change{Text: text}
	fault := func() (Change, error) {
		return Change{}, fmt.Errorf(`must be METRIC=CHANGE such as accuracy=-0.03, latency_ms=+20%%, input.age:+0.5sd or "accuracy=-0.05 over 7d", got %q`, text)
	}

	what, over, comes := strings.Cut(text, " over ")
	if comes {
		length, err := ParseDuration(strings.TrimSpace(over))
		if err != nil || length <= 0 {
			return fault()
		}
		c.over = length
	}

	at := strings.LastIndexAny(what, "=:")
	if at <= 0 {
		return fault()
	}
	c.metric = strings.TrimSpace(what[:at])
	amount := strings.TrimSpace(what[at+1:])
	for _, unit := range []changeUnit{byShare, byDeviations} {
		if cut, is := strings.CutSuffix(amount, string(unit)); is {
			c.unit = unit
			amount = strings.TrimSpace(cut)
			break
		}
	}

	by, err := strconv.ParseFloat(amount, 64)
	if err != nil || math.IsNaN(by) || math.Abs(by) > metric.MaxMagnitude || by == 0 {
		return fault()
	}
	c.by = by
	if c.unit == byShare {
		c.by /= 100
	}

	return c, nil
}

// ParseDuration is time.ParseDuration that knows days: 90d, 1.5d.
func ParseDuration(text string) (time.Duration, error) {
	if days, is := strings.CutSuffix(text, "d"); is {
		number, err := strconv.ParseFloat(days, 64)
		length := number * float64(24*time.Hour)
		if err != nil || math.IsNaN(number) || math.Abs(length) >= math.MaxInt64 {
			return 0, fmt.Errorf("must be a duration such as 90d or 36h, got %q", text)
		}
		return time.Duration(length), nil
	}

	length, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("must be a duration such as 90d or 36h, got %q", text)
	}
	return length, nil
}

// shift is a change made ready for a recording.
type shift struct {
	Change
	deviation float64 // of the recorded readings
	mean      float64
	isBinary  bool // all are 0 or 1: a change then flips some of them
}

// shiftOf makes a change ready.
func (p *pool) shiftOf(c Change) (shift, error) {
	s := shift{Change: c, isBinary: true}
	count, squares := 0.0, 0.0
	for i := range p.readings {
		value, measured := p.readings[i].event.Reading(c.metric)
		if !measured {
			continue
		}
		count++
		distance := value - s.mean
		s.mean += distance / count
		squares += distance * (value - s.mean)
		s.isBinary = s.isBinary && (value == 0 || value == 1)
	}

	if count == 0 {
		return s, fmt.Errorf("change %q: the recording has no reading of %s", c.Text, c.metric)
	}
	s.deviation = math.Sqrt(squares / count)
	return s, nil
}

// apply changes an event that is so long after the change.
func (s *shift) apply(event *metric.Event, since time.Duration, random *rand.Rand) {
	before, measured := event.Reading(s.metric)
	if !measured {
		return
	}

	share := 1.0
	if s.over > 0 {
		share = min(1, float64(since)/float64(s.over))
	}
	after := s.changed(before, share, random)
	after = min(max(after, -metric.MaxMagnitude), metric.MaxMagnitude)
	event.SetReading(s.metric, after)
}

// changed is a reading after so much of the change.
func (s *shift) changed(before, share float64, random *rand.Rand) float64 {
	by := s.by * share
	switch s.unit {
	case byShare:
		by *= s.mean
		if !s.isBinary {
			return before * (1 + s.by*share)
		}
	case byDeviations:
		by *= s.deviation
	}
	if !s.isBinary {
		return before + by
	}

	// So many are turned that the mean changes by as much.
	from, of := 1.0, s.mean
	if by > 0 {
		from = 0
		of = 1 - s.mean
	}
	if before == from && random.Float64()*of < math.Abs(by) {
		return 1 - before
	}
	return before
}
