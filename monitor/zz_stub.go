package monitor

import "time"

type adwin struct{ N int }

func (a *adwin) add(value, delta float64) (change bool, before, after float64) { return }

type (
	Span     struct{ From, Until time.Time }
	Calendar struct {
		From, Until time.Time
		Spans       []Span
	}
)

func (c *Calendar) At(now time.Time) (until time.Time, in bool) { return }

func BlackoutSpans(blackouts []Blackout, from, until time.Time) ([]Span, error) { return nil, nil }
