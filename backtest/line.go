package backtest

import (
	"math"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/policy"
)

// maxColumns bounds the points of a rule's line: more than a page is wide.
const maxColumns = 1200

// pageLine is what a rule with a period came to, on a report: a point for each of its
// periods or, where they are more than maxColumns, for each of as many spans of time. A
// point holds several datapoints, too, where several model versions were judged for one
// period. All lists but Breaches are as long as At; NaN, null on the page, is a gap.
// Periods that are judged by nobody, as silent ones mostly are, are one point of gap.
type pageLine struct {
	Rule      string       `json:"rule"`
	Words     string       `json:"words"`         // the rule's
	At        []int64      `json:"at"`            // Unix seconds of the end of the last period of each
	Mean      []shortened  `json:"mean"`          // of what was judged
	Min       []shortened  `json:"min,omitempty"` // as is Max: absent where each point is one datapoint
	Max       []shortened  `json:"max,omitempty"`
	Threshold []shortened  `json:"threshold"` // of the last datapoint, as it was then
	Breaches  []pageBreach `json:"breaches"`
}

// pageBreach is a point with a datapoint that breached.
type pageBreach struct {
	Point int       `json:"point"` // its place in At
	Value shortened `json:"value"` // the furthest that breached; NaN where a missing one did
}

// newPageLines are the lines of rules with a period. A drift rule has a chart of its
// own, by its looks.
func newPageLines(rules []policy.Rule, judged []Datapoint) (lines []pageLine) {
	byRule := make([][]Datapoint, len(rules))
	for _, p := range judged {
		byRule[p.Rule] = append(byRule[p.Rule], p)
	}

	for i := range rules {
		if len(byRule[i]) > 0 && !rules[i].IsDrift() {
			lines = append(lines, newPageLine(&rules[i], byRule[i]))
		}
	}
	return lines
}

func newPageLine(rule *policy.Rule, judged []Datapoint) pageLine {
	slices.SortStableFunc(judged, func(a, b Datapoint) int { return a.End.Compare(b.End) })
	line := pageLine{Rule: rule.Name, Words: rule.String(), Breaches: []pageBreach{}}
	width := columnWidth(judged)
	first := judged[0].End
	areSingle := true
	over := judged[0].Start // what was judged so far
	for from := 0; from < len(judged); {
		column := judged[from].End.Sub(first) / width
		until := from + 1
		for until < len(judged) && judged[until].End.Sub(first)/width == column {
			until++
		}

		areSingle = areSingle && until == from+1
		if start := judged[from].Start; start.After(over) {
			line.add([]Datapoint{{End: start}}, false)
		}
		line.add(judged[from:until], rule.BreachesLow())
		over = latest(over, judged[until-1].End)
		from = until
	}

	if areSingle {
		line.Min = nil
		line.Max = nil
	}
	return line
}

// columnWidth is how long a point stands for: a second, by which each period has its
// own, unless there are more than maxColumns.
func columnWidth(judged []Datapoint) time.Duration {
	ends := 1
	for i := 1; i < len(judged); i++ {
		if !judged[i].End.Equal(judged[i-1].End) {
			ends++
		}
	}
	if ends <= maxColumns {
		return time.Second
	}
	return max(judged[len(judged)-1].End.Sub(judged[0].End)/maxColumns+1, time.Second)
}

// add adds a point. What could not be judged is no part of it.
func (l *pageLine) add(judged []Datapoint, breachesLow bool) {
	var known bucket
	breached := math.NaN()
	isBreach := false
	for i := range judged {
		p := &judged[i]
		value, isMeasured := p.Value.Get()
		if isMeasured && !p.Unknown {
			known.add(value)
		}
		if !p.Breach {
			continue
		}

		isBreach = true
		if isMeasured && (math.IsNaN(breached) || breachesLow == (value < breached)) {
			breached = value
		}
	}

	if isBreach {
		l.Breaches = append(l.Breaches, pageBreach{len(l.At), shortened(breached)})
	}
	last := judged[len(judged)-1]
	l.At = append(l.At, last.End.Unix())
	l.Threshold = append(l.Threshold, shortened(last.Threshold.Or(math.NaN())))
	l.Mean = append(l.Mean, known.mean())
	if known.count == 0 {
		known.min = math.NaN()
		known.max = math.NaN()
	}
	l.Min = append(l.Min, shortened(known.min))
	l.Max = append(l.Max, shortened(known.max))
}
