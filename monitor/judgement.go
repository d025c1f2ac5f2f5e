package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Judgement is what one rule said of a model version at one moment, for those who
// account for every datapoint; see Machine.OnJudged.
type Judgement struct {
	Rule         int // its number in the policy
	ModelVersion string
	At           time.Time // the machine's clock
	Verdict      Verdict
	Value        metric.Reading // absent where nothing was measured, or the rule measures nothing
	Threshold    metric.Reading // absent while it isn't known
	Breach       bool           // by what was judged at this moment, whatever the rule says by all its datapoints

	// Of rules with a period.
	Start       time.Time // of the datapoint's period; zero for other rules
	Readings    int64     // in the period
	Unknown     bool      // the datapoint could not be judged
	Approximate bool      // a digest crossed its period's boundary

	// Late are readings that came when their period was judged. A judgement that has
	// some says nothing else.
	Late int64
}

// MinChangeDatapoints is how many datapoints a rule on a change needs before it can
// detect one.
const MinChangeDatapoints = adwinGrace + 1

// tellDatapoint tells of a datapoint that was judged for a rule with a period.
func (m *Machine) tellDatapoint(now time.Time, version string, rule int, t *track, b *bucket) {
	if m.OnJudged == nil {
		return
	}

	m.judgement = Judgement{
		Rule: rule, ModelVersion: version, At: now, Verdict: t.Verdict, Value: t.Value, Threshold: t.Threshold,
		Start: time.Unix(b.Start, 0).UTC(), Readings: b.Count, Approximate: b.Approximate,
	}
	for i := range t.Window.Points {
		if p := &t.Window.Points[i]; p.Start == b.Start {
			m.judgement.Breach = p.Breach
			m.judgement.Unknown = p.Unknown
		}
	}
	if m.state.Policy.Rules[rule].Change != nil {
		m.judgement.Breach = t.Verdict == Breaching
	}
	m.OnJudged(&m.judgement)
}

// tellLate tells of readings that came when their period was judged.
func (m *Machine) tellLate(now time.Time, version string, rule int, readings int64) {
	if m.OnJudged == nil || readings == 0 {
		return
	}
	m.judgement = Judgement{Rule: rule, ModelVersion: version, At: now, Late: readings}
	m.OnJudged(&m.judgement)
}

// tellFindings tells of what the rules without a period found at a moment.
func (m *Machine) tellFindings(j *moment) {
	if m.OnJudged == nil {
		return
	}

	for i := range m.findings {
		f := &m.findings[i]
		if !f.fresh || m.forms[i] == policy.FormWindow {
			continue
		}

		m.judgement = Judgement{Rule: i, ModelVersion: j.version, At: j.now, Verdict: f.verdict, Breach: f.verdict == Breaching}
		if m.forms[i] == policy.FormInstant {
			m.judgement.Value = j.seen.Rules[i].Value
			m.judgement.Threshold = j.seen.Rules[i].Threshold
		}
		m.OnJudged(&m.judgement)
	}
}
