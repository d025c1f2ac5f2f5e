package watch

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
)

// RuleStatus is what one rule says of a model version.
type RuleStatus struct {
	Name      string          `json:"name"`
	Verdict   verdict.Verdict `json:"verdict,omitempty"` // left out: unknown
	At        time.Time       `json:"at,omitzero"`       // when it was last judged
	Value     metric.Reading  `json:"value,omitzero"`    // then
	Threshold metric.Reading  `json:"threshold,omitzero"`
	// Datapoints are the last judged, oldest first; a status shows no more than 30, fewer
	// where it would grow too large.
	Datapoints []DatapointStatus `json:"datapoints,omitempty"`
	// Breaches is how many of the last N datapoints breach, and Of how many there are,
	// whether they are shown or not; 0 of a rule on a change, which counts none.
	Breaches int            `json:"breaches,omitempty"`
	Of       int            `json:"of,omitempty"`
	NextAt   time.Time      `json:"next_at,omitzero"` // when the next datapoint is judged
	Baseline metric.Reading `json:"baseline,omitzero"`
	// BaselineSamples is how many readings the baseline has while it fills up.
	BaselineSamples int64 `json:"baseline_samples,omitempty"`
	// Late counts the events that came when their period was judged already.
	Late   int64     `json:"late,omitempty"`
	LateAt time.Time `json:"late_at,omitzero"` // the timestamp of the last of them
	// Drift tells of the metrics of a drift rule that were furthest beyond their
	// bounds, or nearest to them, when it was last judged.
	Drift []contrast.Moved `json:"drift,omitempty"`
	// Judged is how many metrics a drift rule measured then, and Beyond how many of them
	// were beyond their bounds.
	Judged int `json:"judged,omitempty"`
	Beyond int `json:"beyond,omitempty"`
	// OneBin are metrics, eight at most, of which a drift rule sees nothing: all readings
	// of their reference are in one bin.
	OneBin []string `json:"one_bin,omitempty"`
}

// DatapointStatus is one judged datapoint.
type DatapointStatus struct {
	Start       time.Time      `json:"start"`          // of its period
	Value       metric.Reading `json:"value,omitzero"` // left out: missing
	Breach      bool           `json:"breach,omitempty"`
	Unknown     bool           `json:"unknown,omitempty"`     // it could not be judged: no baseline yet, or an outage of the monitor
	Approximate bool           `json:"approximate,omitempty"` // a digest crossed its period's boundary
}

// shownDatapoints is how many of a rule's datapoints a status has.
const shownDatapoints = 30

// Rules is what the rules say of a version, in the policy's order.
func (w *Watch) Rules(name string, now time.Time) []RuleStatus {
	seen := w.seen.Versions[name]
	statuses := make([]RuleStatus, 0, len(seen.Rules))
	for i, t := range seen.Rules {
		r := &w.policy.Rules[i]
		s := RuleStatus{Name: r.Name, Verdict: t.Verdict, At: t.At, Value: t.Value, Threshold: t.Threshold}
		if w.forms[i] == policy.FormWindow || w.forms[i] == policy.FormSchedule || w.isAge(i) {
			s.Verdict = w.stands(i, seen, now)
		}
		if w.isAge(i) {
			s.At = w.ageFinding(i).At
		}

		if recent := t.Window; recent != nil {
			s.Baseline = recent.Baseline(r)
			s.Late = recent.Late
			s.LateAt = recent.LateAt
			if recent.Compare != nil {
				s.Drift = recent.Compare.Moved
				s.Judged = recent.Compare.Last.Judged
				s.Beyond = recent.Compare.Last.Beyond
				s.OneBin = recent.Compare.OneBin()
			}
			if recent.First != nil {
				s.BaselineSamples = recent.First.Count
			}

			if start, ok := recent.Next(w.hearsSilence(name, i, recent)); ok {
				s.NextAt = w.rules[i].Periods.Due(start)
			}
			for _, p := range recent.Points[max(0, len(recent.Points)-shownDatapoints):] {
				s.Datapoints = append(s.Datapoints, DatapointStatus{time.Unix(p.Start, 0).UTC(), p.Value, p.Breach, p.Unknown, p.Approximate})
			}
			if r.Change == nil {
				s.Breaches, s.Of = window.Count(r, recent.Points)
			}
		}

		statuses = append(statuses, s)
	}

	return statuses
}
