package watch

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
)

// Judgement is what one rule said of a model version at one moment, for those who
// account for every datapoint; the machine tells of each.
type Judgement struct {
	Rule         int // its number in the policy
	ModelVersion string
	At           time.Time // the machine's clock
	Verdict      verdict.Verdict
	Value        metric.Reading // absent where nothing was measured, or the rule measures nothing
	Threshold    metric.Reading // absent while it isn't known
	Breach       bool           // by what was judged at this moment, whatever the rule says by all its datapoints

	// Of rules with a period.
	Start, End  time.Time // of the datapoint's period; zero for other rules
	Readings    int64     // in the period
	Unknown     bool      // the datapoint could not be judged
	Approximate bool      // a digest crossed its period's boundary
	// Compared is what a drift rule has found, until it is judged again; nil for others.
	Compared *contrast.Comparison

	// Late are readings that came when their period was judged. A judgement that has
	// some says nothing else.
	Late int64
}

// tellDatapoint tells of a datapoint that was judged for a rule with a period.
func (w *Watch) tellDatapoint(moment *Moment, rule int, judged window.Judged) {
	if *w.onJudged == nil {
		return
	}

	t := moment.Seen.Rules[rule]
	w.judgement = Judgement{
		Rule: rule, ModelVersion: moment.Version, At: moment.due, Verdict: t.Verdict, Value: t.Value, Threshold: t.Threshold,
		Start: time.Unix(judged.Start, 0).UTC(), End: time.Unix(w.rules[rule].Periods.End(judged.Start), 0).UTC(), Readings: judged.Readings, Approximate: judged.Approximate,
		Breach: judged.Breach, Unknown: judged.Unknown, Compared: t.Window.Compare,
	}
	if w.policy.Rules[rule].Change != nil {
		w.judgement.Breach = t.Verdict == verdict.Breaching
	}
	(*w.onJudged)(&w.judgement)
}

// tellLate tells of readings that came when their period was judged.
func (w *Watch) tellLate(moment *Moment, rule int, readings int64) {
	if *w.onJudged == nil || readings == 0 {
		return
	}
	w.judgement = Judgement{Rule: rule, ModelVersion: moment.Version, At: moment.Now, Late: readings}
	(*w.onJudged)(&w.judgement)
}

// tellFindings tells of what the rules without a period found at a moment.
func (w *Watch) tellFindings(moment *Moment) {
	if *w.onJudged == nil {
		return
	}

	said := &w.finding
	said.ModelVersion = moment.Version
	said.At = moment.Now
	for i := range moment.Findings {
		f := &moment.Findings[i]
		if !f.Fresh || w.forms[i] == policy.FormWindow {
			continue
		}

		said.Rule = i
		said.Verdict = f.Verdict
		said.Breach = f.Verdict == verdict.Breaching
		said.Value = metric.Reading{}
		said.Threshold = metric.Reading{}
		if w.forms[i] == policy.FormInstant {
			said.Value = moment.Seen.Rules[i].Value
			said.Threshold = moment.Seen.Rules[i].Threshold
		}
		(*w.onJudged)(said)
	}
}
