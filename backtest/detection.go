package backtest

import (
	"time"

	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Detection holds alarms against the instants at which drift is known to have
// begun. An alarm is a trigger or, where a policy only asks or is a dry run, what
// stands for it: awaiting_approval or held.
type Detection struct {
	Points []DriftPoint `json:"points"` // in order of time
	// MeanDelay is over the points that were detected; 0 if none was.
	MeanDelay   policy.Duration `json:"mean_delay"`
	Detected    int             `json:"detected"`
	Missed      int             `json:"missed"`
	FalseAlarms int             `json:"false_alarms"` // before the first point, or after the end of one
	// Repeated are further alarms after a point was detected. A monitor that goes on
	// breaching in the recording goes on alarming, so they are not held against it.
	Repeated int `json:"repeated"`
}

// Drift is a time in which a model is known to have been bad: from an instant until
// another, inclusive, or until the next drift where it has no end.
type Drift struct {
	At    time.Time
	Until time.Time // zero: it has no end
}

// DriftPoint is one drift, and when it was detected: by the first alarm at or after it,
// until its end and before the next.
type DriftPoint struct {
	At         time.Time       `json:"at"`
	Until      time.Time       `json:"until,omitzero"`
	DetectedAt time.Time       `json:"detected_at,omitzero"` // zero: missed
	Delay      policy.Duration `json:"delay,omitempty"`
	Rule       string          `json:"rule,omitempty"` // that triggered
}

// detect holds decisions in order of time against ascending points.
func detect(decisions []monitor.Decision, points []Drift, wanted *policy.Policy) *Detection {
	if len(points) == 0 {
		return nil
	}

	d := &Detection{Points: make([]DriftPoint, len(points))}
	for i, drift := range points {
		d.Points[i].At = drift.At.UTC()
		d.Points[i].Until = drift.Until.UTC()
	}
	asks := wanted.Approval != nil && wanted.Approval.Required
	next := 0 // the first point that is not reached yet
	for _, decision := range decisions {
		switch decision.Kind {
		case policy.Held, policy.AwaitingApproval:
		case policy.Triggered:
			if asks && decision.Rule != modelops.RuleManual {
				continue // its alarm was the question
			}
		default:
			continue
		}

		for next < len(points) && !points[next].At.After(decision.At) {
			next++
		}
		if next == 0 || points[next-1].isOver(decision.At) {
			d.FalseAlarms++
			continue
		}

		point := &d.Points[next-1]
		if !point.DetectedAt.IsZero() {
			d.Repeated++
			continue
		}

		point.DetectedAt = decision.At
		point.Rule = decision.Rule
		point.Delay = policy.Duration(decision.At.Sub(point.At))
	}

	for _, point := range d.Points {
		if point.DetectedAt.IsZero() {
			d.Missed++
		} else {
			d.Detected++
			d.MeanDelay += (point.Delay - d.MeanDelay) / policy.Duration(d.Detected)
		}
	}

	return d
}

// isOver says that an instant is after the drift's end.
func (d Drift) isOver(at time.Time) bool { return !d.Until.IsZero() && at.After(d.Until) }
