package monitor_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
)

// datapoint is a judged period.
type datapoint struct {
	start       int64
	value       metric.Reading // none: it is missing
	breach      bool
	unknown     bool
	approximate bool // some of it was in an earlier period
}

// mOfN is how many of how many datapoints must breach.
func mOfN(r *policy.Rule) (m, n int) {
	if r.Datapoints == nil {
		return 1, 1
	}
	n = max(r.Datapoints.Of, r.Datapoints.Breaching, 1)
	if m = r.Datapoints.Breaching; m == 0 {
		m = n
	}
	return m, n
}

// statOf is taken of all readings; a percentile is by nearest rank, from a
// sketch within 1 %.
func statOf(stat policy.Stat, values []float64) metric.Reading {
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	switch {
	case stat == policy.StatCount:
		return metric.Some(float64(len(values)))
	case stat == policy.StatSum:
		return metric.Some(sum)
	case len(values) == 0:
		return metric.Reading{}
	}
	sorted := slices.Sorted(slices.Values(values))
	least, most := sorted[0], sorted[len(sorted)-1]
	switch stat {
	case policy.StatMin:
		return metric.Some(least)
	case policy.StatMax:
		return metric.Some(most)
	case policy.StatMean:
		return metric.Some(min(max(sum/float64(len(values)), least), most))
	}
	percent, _ := strconv.ParseFloat(strings.TrimPrefix(string(stat), "p"), 64)
	tenths := int(math.Round(percent * 10))
	rank := max(1, (tenths*len(sorted)+999)/1000)
	sketch := metric.NewSketch()
	sketch.Add(sorted[rank-1])
	value, _ := sketch.AtRank(1)
	return metric.Some(min(max(value, least), most))
}

// judge holds a datapoint against a threshold; without one it is unknown.
func (p *datapoint) judge(r *policy.Rule, threshold metric.Reading) {
	p.breach = false
	value, measured := p.value.Get()
	switch {
	case p.unknown:
	case !measured:
		p.breach = r.Missing == policy.MissingBreaching
	case threshold.IsZero():
		p.unknown = true
	default:
		p.breach = isBeyond(r, value, threshold.Or(0))
	}
}

// conclude is what the datapoints say, of which p was judged last.
func (l *ledger) conclude(r *policy.Rule, p datapoint) found {
	breaching, of := l.count(r)
	m, _ := mOfN(r)
	f := found{verdict: monitor.Healthy, judged: true, beyond: p.breach && breaching >= m}
	clear, clears := r.ClearBelow.Get()
	if !clears {
		clear, clears = r.ClearAbove.Get()
	}
	if value, measured := p.value.Get(); f.beyond {
		l.isHeld = clears
	} else if !clears || measured && !p.unknown && !isBeyond(r, value, clear) {
		l.isHeld = false
	}
	switch {
	case of == 0:
		f.verdict = monitor.Unknown
	case clears && l.isHeld, !clears && breaching >= m:
		f.verdict = monitor.Breaching
	}
	return f
}

// keep adds a judged datapoint, and forgets those that the rule never looks at
// again, in whatever order they were judged.
func (l *ledger) keep(r *policy.Rule, p datapoint) {
	l.points = append(l.points, p)
	slices.SortStableFunc(l.points, func(a, b datapoint) int { return int(a.start - b.start) })
	l.forget(r)
}

func (l *ledger) forget(r *policy.Rule) {
	if len(l.points) == 0 {
		return
	}
	newest := l.points[len(l.points)-1].start
	l.points = slices.DeleteFunc(l.points, func(p datapoint) bool { return p.start <= newest-farthest(r)*lengthOf(r) })
}

// count says how many of the last N datapoints breach, and how many there are.
func (l *ledger) count(r *policy.Rule) (breaching, of int) {
	_, n := mOfN(r)
	for _, p := range slices.Backward(l.points) {
		if of == n || p.unknown || p.value.IsZero() && isIgnored(r) {
			continue
		}
		of++
		if p.breach {
			breaching++
		}
	}
	return breaching, of
}

// standing is what a rule with a period says until another datapoint is judged.
func (l *ledger) standing(r *policy.Rule, now time.Time) monitor.Verdict {
	if r.Change != nil {
		hold := time.Duration(r.Change.Hold.Or(policy.Duration(24 * time.Hour)))
		switch {
		case !l.changed.IsZero() && now.Before(l.changed.Add(hold)):
			return monitor.Breaching
		case l.detector != nil:
			return monitor.Healthy
		}
		return monitor.Unknown
	}
	if l.isSettled(r) {
		return l.verdict
	}
	if len(l.points) == 0 || now.After(dueOf(r, l.points[len(l.points)-1].start+farthest(r)*lengthOf(r))) {
		return monitor.Unknown // all that is known is too long ago
	}
	return l.verdict
}

// thresholdOf is beyond what a datapoint breaches; none while its baseline fills.
func (n *naive) thresholdOf(r *policy.Rule, v *naiveVersion, l *ledger) metric.Reading {
	switch {
	case !r.Below.IsZero():
		return r.Below
	case !r.Above.IsZero():
		return r.Above
	case r.Baseline != nil && r.Baseline.From == policy.BaselinePrevious && l.previous.IsZero():
		l.previous = n.baseBefore(r, v)
	}
	base, known := l.baseline(r).Get()
	if !known {
		return metric.Reading{}
	}
	if margin, ok := r.BelowBaselineBy.Get(); ok {
		return metric.Some(base - margin.Of(base))
	}
	margin, _ := r.AboveBaselineBy.Get()
	return metric.Some(base + margin.Of(base))
}

func (l *ledger) baseline(r *policy.Rule) metric.Reading {
	if r.Baseline != nil && r.Baseline.From == policy.BaselinePrevious {
		return l.previous
	}
	return l.base
}

// baseBefore is the baseline of the version that began last before this one, of
// those whose baseline is full.
func (n *naive) baseBefore(r *policy.Rule, v *naiveVersion) metric.Reading {
	var before *naiveVersion
	for _, other := range n.versions {
		isFull := other.ledgers != nil && !other.ledgers[r.Name].base.IsZero()
		if isFull && other.number < v.number && (before == nil || other.number > before.number) {
			before = other
		}
	}
	if before == nil {
		return metric.Reading{}
	}
	return before.ledgers[r.Name].base
}

// detect shows a datapoint to the detector of change.
func (l *ledger) detect(r *policy.Rule, p datapoint, now, due time.Time) found {
	l.keep(r, p)
	if value, measured := p.value.Get(); measured && !p.unknown {
		if l.detector == nil {
			l.detector = &window.ADWIN{}
		}
		delta := r.Change.Delta
		if delta == 0 {
			delta = 0.002
		}
		changed, before, after := l.detector.Add(value, delta)
		counts := r.Change.Direction == "" || r.Change.Direction == "both" || (r.Change.Direction == "up") == (after > before)
		if changed && counts {
			l.changed, l.from, l.to = due, metric.Some(before), metric.Some(after)
		}
	}
	f := found{verdict: l.standing(r, now), judged: true}
	f.beyond = f.verdict == monitor.Breaching
	l.at, l.verdict, l.value, l.threshold = due, f.verdict, p.value, l.from
	return f
}

// reason says in words why a rule with a period breaches.
func (l *ledger) reason(r *policy.Rule) string {
	what := fmt.Sprintf("%s %s", wordFor(r.Metric), r.Stat)
	if r.Change != nil {
		way := "rose"
		if l.to.Or(0) < l.from.Or(0) {
			way = "fell"
		}
		return fmt.Sprintf("%s %s from %s to %s, by adwin", what, way, inWords(r, l.from, l.to), inWords(r, l.to, l.from))
	}
	period := r.Period.Or(0)
	over := fmt.Sprintf(" over %s", period)
	if _, n := mOfN(r); n > 1 {
		breaching, of := l.count(r)
		over = fmt.Sprintf(", %d of %d periods of %s", breaching, of, period)
	}
	value, measured := l.value.Get()
	clear := r.ClearBelow
	if clear.IsZero() {
		clear = r.ClearAbove
	}
	switch {
	case !measured:
		return what + " missing" + over
	case !isBeyond(r, value, l.threshold.Or(0)) && !clear.IsZero():
		return fmt.Sprintf("%s %s not past %s since it was beyond threshold %s%s", what,
			inWords(r, l.value, clear, l.threshold), inWords(r, clear, l.value, l.threshold), inWords(r, l.threshold, l.value, clear), over)
	case !isBeyond(r, value, l.threshold.Or(0)):
		return fmt.Sprintf("%s %s, earlier ones beyond threshold %s%s", what, inWords(r, l.value, l.threshold), inWords(r, l.threshold, l.value), over)
	case !r.Below.IsZero() || !r.Above.IsZero():
		return fmt.Sprintf("%s %s %s threshold %s%s", what, inWords(r, l.value, l.threshold), side(r), inWords(r, l.threshold, l.value), over)
	}
	margin := r.BelowBaselineBy
	if margin.IsZero() {
		margin = r.AboveBaselineBy
	}
	by, _ := margin.Get()
	return fmt.Sprintf("%s %s %s baseline %s by more than %s%s", what, inWords(r, l.value, l.baseline(r)), side(r), inWords(r, l.baseline(r), l.value), by, over)
}
