package monitor_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
)

// ledger is all that was seen of one rule on one version.
type ledger struct {
	verdict          monitor.Verdict // when it was judged last
	at               time.Time
	value, threshold monitor.Reading
	deferred         bool // a blackout holds it back

	// Of rules with a period:
	filed    []filed     // what was measured, by period
	points   []datapoint // that were judged and are looked at yet, the oldest first
	late     int64       // readings that came too late for their period
	lateAt   time.Time   // the latest timestamp of them
	through  int64       // the end of the last period judged; none before is judged any more
	silence  int64       // from which period on silence counts; 0: nothing is known of it
	isHeld   bool        // breaching until it clears
	firsts   []float64   // readings for the baseline, until they are enough
	base     monitor.Reading
	previous monitor.Reading // the base of the version before
	detector *monitor.ADWIN
	changed  time.Time // the last change that counts; zero: none, or it was answered
	from, to monitor.Reading
}

// filed are the readings of one observation, put into the period that begins at
// start, in Unix seconds.
type filed struct {
	start   int64
	values  []float64
	judged  bool
	crosses bool // some of it was in an earlier period
}

// datapoint is a judged period.
type datapoint struct {
	start       int64
	value       monitor.Reading // none: it is missing
	breach      bool
	unknown     bool
	approximate bool // some of it was in an earlier period
}

func lengthOf(r *monitor.Rule) int64 { return int64(time.Duration(r.Period.Or(0)) / time.Second) }

// graceOf is how long after its period a datapoint is judged.
func graceOf(r *monitor.Rule) time.Duration {
	return time.Duration(r.Grace.Or(monitor.Duration(min(30*time.Second, time.Duration(r.Period.Or(0))/10))))
}

// periodAt is the beginning of the period that an instant is in.
func periodAt(r *monitor.Rule, at time.Time) int64 {
	return int64(math.Floor(float64(at.Unix())/float64(lengthOf(r)))) * lengthOf(r)
}

// dueOf is when the period that begins at start is judged.
func dueOf(r *monitor.Rule, start int64) time.Time {
	return time.Unix(start+lengthOf(r), 0).Add(graceOf(r)).UTC()
}

// mOfN is how many of how many datapoints must breach.
func mOfN(r *monitor.Rule) (m, n int) {
	if r.Datapoints == nil {
		return 1, 1
	}
	n = max(r.Datapoints.Of, r.Datapoints.Breaching, 1)
	if m = r.Datapoints.Breaching; m == 0 {
		m = n
	}
	return m, n
}

func isIgnored(r *monitor.Rule) bool { return r.Missing == "" || r.Missing == monitor.MissingIgnored }

func isTotal(r *monitor.Rule) bool { return r.Stat == monitor.StatCount || r.Stat == monitor.StatSum }

// knowsSilence says that a period without a reading makes a datapoint too.
func knowsSilence(r *monitor.Rule) bool { return isTotal(r) || !isIgnored(r) }

// farthest is how many periods back a rule looks for datapoints.
func farthest(r *monitor.Rule) int64 {
	_, n := mOfN(r)
	if isIgnored(r) {
		return 3 * int64(n)
	}
	return int64(n)
}

// isClosed says that a period takes no more readings at now: its grace is over, and
// this side was there to judge it.
func (n *naive) isClosed(r *monitor.Rule, start int64, now time.Time) bool {
	if due := dueOf(r, start); n.timer.IsZero() || n.timer.After(now) {
		return !due.After(now)
	} else { // nobody has come to judge anything since the timer was due
		return due.Before(n.timer)
	}
}

// hearSilence goes on counting silence, from the period of a version's first event
// on. What nobody has judged, since another version was heard or since it could
// change nothing, is passed over.
func (n *naive) hearSilence(r *monitor.Rule, l *ledger, now time.Time) {
	if l.silence == 0 {
		l.silence = periodAt(r, now)
	}
	next := l.nextSilence()
	for n.isClosed(r, next, now) {
		next += lengthOf(r)
	}
	if passed := next - l.through; next > l.nextSilence() && l.isSettled(r) { // it was fine throughout
		for i := range l.points {
			l.points[i].start += passed
		}
		l.through = next
	}
	l.silence = next
}

func (l *ledger) nextSilence() int64 { return max(l.silence, l.through) }

// file puts an observation's readings into their period.
func (n *naive) file(r *monitor.Rule, l *ledger, o *observed, now time.Time) {
	if knowsSilence(r) {
		n.hearSilence(r, l, now)
	}
	values := o.readings[r.Metric]
	if len(values) == 0 {
		return
	}
	if !r.BelowBaselineBy.IsZero() || !r.AboveBaselineBy.IsZero() {
		l.fillBaseline(r, values)
	}
	at := o.last
	if r.Time == monitor.TimeOfArrival {
		if at = o.until; o.from.Before(o.until) {
			at = at.Add(-1) // the end of folding is exclusive
		}
	}
	if next := now.Add(time.Duration(r.Period.Or(0))); at.After(next) {
		at = next // what is ahead of the clock
	}
	if start := periodAt(r, at); start < l.through || n.isClosed(r, start, now) {
		if l.late += int64(len(values)); o.last.After(l.lateAt) {
			l.lateAt = o.last
		}
	} else {
		l.filed = append(l.filed, filed{start: start, values: values, crosses: crosses(r, o, start)})
	}
}

func crosses(r *monitor.Rule, o *observed, start int64) bool {
	first := o.first
	if r.Time == monitor.TimeOfArrival {
		first = o.from
	}
	return first.Before(time.Unix(start, 0))
}

// fillBaseline takes the first readings, whole observations of them.
func (l *ledger) fillBaseline(r *monitor.Rule, values []float64) {
	wanted := int64(1000)
	if r.Baseline != nil && r.Baseline.Samples > 0 {
		wanted = r.Baseline.Samples
	}
	if l.base.IsZero() {
		if l.firsts = append(l.firsts, values...); int64(len(l.firsts)) >= wanted {
			l.base = statOf(r.Stat, l.firsts)
		}
	}
}

// statOf is taken of all readings; a percentile is by nearest rank, from a
// sketch within 1 %.
func statOf(stat monitor.Stat, values []float64) monitor.Reading {
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	switch {
	case stat == monitor.StatCount:
		return monitor.Some(float64(len(values)))
	case stat == monitor.StatSum:
		return monitor.Some(sum)
	case len(values) == 0:
		return monitor.Reading{}
	}
	sorted := slices.Sorted(slices.Values(values))
	least, most := sorted[0], sorted[len(sorted)-1]
	switch stat {
	case monitor.StatMin:
		return monitor.Some(least)
	case monitor.StatMax:
		return monitor.Some(most)
	case monitor.StatMean:
		return monitor.Some(min(max(sum/float64(len(values)), least), most))
	}
	percent, _ := strconv.ParseFloat(strings.TrimPrefix(string(stat), "p"), 64)
	tenths := int(math.Round(percent * 10))
	rank := max(1, (tenths*len(sorted)+999)/1000)
	sketch := monitor.NewSketch()
	sketch.Add(sorted[rank-1])
	value, _ := sketch.Quantile(0)
	return monitor.Some(min(max(value, least), most))
}

// nextPeriod is the first period to be judged yet: one with readings, or one that
// is silent where that is news.
func (n *naive) nextPeriod(r *monitor.Rule, v *naiveVersion, l *ledger) (start int64, comes bool) {
	for _, f := range l.filed {
		if !f.judged && (!comes || f.start < start) {
			start, comes = f.start, true
		}
	}
	// Of a version that another has followed silence is no news. Where it changes
	// nothing it is judged for a rule alone whose word a composite turns around.
	isNews := l.silence != 0 && knowsSilence(r) && v.name == n.latest && (comes || !l.isSettled(r) || n.isTurned(r.Name))
	if isNews && (!comes || l.nextSilence() < start) {
		start, comes = l.nextSilence(), true
	}
	return start, comes
}

// isTurned says that a rule is a member of a `not`, or of a composite that is.
func (n *naive) isTurned(name string) bool {
	return slices.ContainsFunc(n.policy.Rules, func(r monitor.Rule) bool {
		return slices.Contains(membersOf(&r), name) && (r.Not != "" || n.isTurned(r.Name))
	})
}

// isSettled says that further silence would change nothing: it is taken for
// healthy, and all that the rule looks at is silent.
func (l *ledger) isSettled(r *monitor.Rule) bool {
	if isTotal(r) || r.Missing != monitor.MissingOK {
		return false
	}
	_, n := mOfN(r)
	return len(l.points) >= n && !slices.ContainsFunc(l.points[len(l.points)-n:], func(p datapoint) bool { return !p.value.IsZero() || p.unknown })
}

// passOverSilence leaves out what was silent while this side was away, but for
// what is still looked at.
func (n *naive) passOverSilence(now time.Time) {
	for _, v := range n.versions {
		for name, l := range v.ledgers {
			if r := n.rule(name); l.silence != 0 {
				next := periodAt(r, now.Add(-time.Duration(r.Period.Or(0))-graceOf(r))) + lengthOf(r)
				l.silence = max(l.silence, next-farthest(r)*lengthOf(r))
			}
		}
	}
}

// judgeDatapoints judges all that is due, in order: what is due at one instant is
// judged together, version by version.
func (n *naive) judgeDatapoints(now time.Time) {
	for {
		var due time.Time
		for _, v := range n.versions {
			for name, l := range v.ledgers {
				r := n.rule(name)
				if r.Period.IsZero() {
					continue
				}
				if start, comes := n.nextPeriod(r, v, l); comes && (due.IsZero() || dueOf(r, start).Before(due)) {
					due = dueOf(r, start)
				}
			}
		}
		if due.IsZero() || due.After(now) {
			return
		}
		for _, v := range n.inOrder() {
			n.judgeDue(now, due, v)
		}
	}
}

func (n *naive) judgeDue(now, due time.Time, v *naiveVersion) {
	all := findings{}
	for i := range n.policy.Rules {
		r := &n.policy.Rules[i]
		l := v.ledgers[r.Name]
		if l == nil || r.Period.IsZero() {
			continue
		}
		if start, comes := n.nextPeriod(r, v, l); comes && dueOf(r, start).Equal(due) {
			all[r.Name] = n.judgePeriod(now, due, v, r, l, start)
		}
	}
	if len(all) > 0 {
		n.decideOn(now, v, all, func(instant time.Time) bool { return now.Before(instant) || due.Before(instant) })
	}
}

// judgePeriod judges what was measured in one period.
func (n *naive) judgePeriod(now, due time.Time, v *naiveVersion, r *monitor.Rule, l *ledger, start int64) found {
	p := datapoint{start: start}
	var values []float64
	for i := range l.filed {
		if f := &l.filed[i]; f.start == start && !f.judged {
			values = append(values, f.values...)
			f.judged = true
			p.approximate = p.approximate || f.crosses
		}
	}
	l.through = max(l.through, start+lengthOf(r))
	p.value = statOf(r.Stat, values)
	if !isTotal(r) && int64(len(values)) < max(1, r.MinSamples) {
		p.value = monitor.Reading{}
	}
	// What was due while this side was away, or soon after, may not have come yet:
	// no reading says nothing then, nor does a total that is low.
	isGap := !n.returned.IsZero() && due.Before(n.returned.Add(30*time.Second))
	p.unknown = isGap && (len(values) == 0 || isTotal(r) && isLow(r))
	if r.Change != nil {
		return l.detect(r, p, now, due)
	}
	threshold := n.thresholdOf(r, v, l)
	p.judge(r, threshold)
	l.keep(r, p)
	f := l.conclude(r, p)
	l.at, l.verdict, l.value, l.threshold = due, f.verdict, p.value, threshold
	return f
}

// judge holds a datapoint against a threshold; without one it is unknown.
func (p *datapoint) judge(r *monitor.Rule, threshold monitor.Reading) {
	p.breach = false
	value, measured := p.value.Get()
	switch {
	case p.unknown:
	case !measured:
		p.breach = r.Missing == monitor.MissingBreaching
	case threshold.IsZero():
		p.unknown = true
	default:
		p.breach = isBeyond(r, value, threshold.Or(0))
	}
}

// conclude is what the datapoints say, of which p was judged last.
func (l *ledger) conclude(r *monitor.Rule, p datapoint) found {
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
func (l *ledger) keep(r *monitor.Rule, p datapoint) {
	l.points = append(l.points, p)
	slices.SortStableFunc(l.points, func(a, b datapoint) int { return int(a.start - b.start) })
	l.forget(r)
}

func (l *ledger) forget(r *monitor.Rule) {
	if len(l.points) == 0 {
		return
	}
	newest := l.points[len(l.points)-1].start
	l.points = slices.DeleteFunc(l.points, func(p datapoint) bool { return p.start <= newest-farthest(r)*lengthOf(r) })
}

// count says how many of the last N datapoints breach, and how many there are.
func (l *ledger) count(r *monitor.Rule) (breaching, of int) {
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
func (l *ledger) standing(r *monitor.Rule, now time.Time) monitor.Verdict {
	if r.Change != nil {
		hold := time.Duration(r.Change.Hold.Or(monitor.Duration(24 * time.Hour)))
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
func (n *naive) thresholdOf(r *monitor.Rule, v *naiveVersion, l *ledger) monitor.Reading {
	switch {
	case !r.Below.IsZero():
		return r.Below
	case !r.Above.IsZero():
		return r.Above
	case r.Baseline != nil && r.Baseline.From == monitor.BaselinePrevious && l.previous.IsZero():
		l.previous = n.baseBefore(r, v)
	}
	base, known := l.baseline(r).Get()
	if !known {
		return monitor.Reading{}
	}
	if margin, ok := r.BelowBaselineBy.Get(); ok {
		return monitor.Some(base - margin.Of(base))
	}
	margin, _ := r.AboveBaselineBy.Get()
	return monitor.Some(base + margin.Of(base))
}

func (l *ledger) baseline(r *monitor.Rule) monitor.Reading {
	if r.Baseline != nil && r.Baseline.From == monitor.BaselinePrevious {
		return l.previous
	}
	return l.base
}

// baseBefore is the baseline of the version that began last before this one, of
// those whose baseline is full.
func (n *naive) baseBefore(r *monitor.Rule, v *naiveVersion) monitor.Reading {
	var before *naiveVersion
	for _, other := range n.versions {
		isFull := other.ledgers != nil && !other.ledgers[r.Name].base.IsZero()
		if isFull && other.number < v.number && (before == nil || other.number > before.number) {
			before = other
		}
	}
	if before == nil {
		return monitor.Reading{}
	}
	return before.ledgers[r.Name].base
}

// detect shows a datapoint to the detector of change.
func (l *ledger) detect(r *monitor.Rule, p datapoint, now, due time.Time) found {
	l.keep(r, p)
	if value, measured := p.value.Get(); measured && !p.unknown {
		if l.detector == nil {
			l.detector = &monitor.ADWIN{}
		}
		delta := r.Change.Delta
		if delta == 0 {
			delta = 0.002
		}
		changed, before, after := l.detector.Add(value, delta)
		counts := r.Change.Direction == "" || r.Change.Direction == "both" || (r.Change.Direction == "up") == (after > before)
		if changed && counts {
			l.changed, l.from, l.to = due, monitor.Some(before), monitor.Some(after)
		}
	}
	f := found{verdict: l.standing(r, now), judged: true}
	f.beyond = f.verdict == monitor.Breaching
	l.at, l.verdict, l.value, l.threshold = due, f.verdict, p.value, l.from
	return f
}

// reason says in words why a rule with a period breaches.
func (l *ledger) reason(r *monitor.Rule) string {
	what := fmt.Sprintf("%s %s", wordFor(r.Metric), r.Stat)
	if r.Change != nil {
		way := "rose"
		if l.to.Or(0) < l.from.Or(0) {
			way = "fell"
		}
		return fmt.Sprintf("%s %s from %s to %s, by adwin", what, way, inWords(r, l.from), inWords(r, l.to))
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
		return fmt.Sprintf("%s %s not past %s since it was beyond threshold %s%s", what, inWords(r, l.value), inWords(r, clear), inWords(r, l.threshold), over)
	case !isBeyond(r, value, l.threshold.Or(0)):
		return fmt.Sprintf("%s %s, earlier ones beyond threshold %s%s", what, inWords(r, l.value), inWords(r, l.threshold), over)
	case !r.Below.IsZero() || !r.Above.IsZero():
		return fmt.Sprintf("%s %s %s threshold %s%s", what, inWords(r, l.value), side(r), inWords(r, l.threshold), over)
	}
	margin := r.BelowBaselineBy
	if margin.IsZero() {
		margin = r.AboveBaselineBy
	}
	by, _ := margin.Get()
	return fmt.Sprintf("%s %s %s baseline %s by more than %s%s", what, inWords(r, l.value), side(r), inWords(r, l.baseline(r)), by, over)
}
