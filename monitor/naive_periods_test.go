package monitor_test

import (
	"math"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
)

// ledger is all that was seen of one rule on one version.
type ledger struct {
	verdict          monitor.Verdict // when it was judged last
	at               time.Time
	value, threshold metric.Reading
	deferred         bool // a blackout holds it back

	// Of rules with a period:
	filed    []filed     // what was measured, by period
	points   []datapoint // that were judged and are looked at yet, the oldest first
	late     int64       // readings that came too late for their period
	lateAt   time.Time   // the latest timestamp of them
	through  int64       // the end of the last period judged; none before is judged any more
	silence  int64       // the first period whose silence counts, unless it is judged
	since    time.Time   // from when on the version was heard, without a period that passed unheard
	isHeld   bool        // breaching until it clears
	firsts   []float64   // readings for the baseline, until they are enough
	base     metric.Reading
	previous metric.Reading // the base of the version before
	detector *window.ADWIN
	changed  time.Time // the last change that counts; zero: none, or it was answered
	from, to metric.Reading
}

// filed are the readings of one observation, put into the period that begins at
// start, in Unix seconds.
type filed struct {
	start   int64
	values  []float64
	judged  bool
	crosses bool // some of it was in an earlier period
}

func lengthOf(r *policy.Rule) int64 { return int64(time.Duration(r.Period.Or(0)) / time.Second) }

// graceOf is how long after its period a datapoint is judged.
func graceOf(r *policy.Rule) time.Duration {
	return time.Duration(r.Grace.Or(policy.Duration(min(30*time.Second, time.Duration(r.Period.Or(0))/10))))
}

// periodAt is the beginning of the period that an instant is in.
func periodAt(r *policy.Rule, at time.Time) int64 {
	return int64(math.Floor(float64(at.Unix())/float64(lengthOf(r)))) * lengthOf(r)
}

// dueOf is when the period that begins at start is judged.
func dueOf(r *policy.Rule, start int64) time.Time {
	return time.Unix(start+lengthOf(r), 0).Add(graceOf(r)).UTC()
}

func isIgnored(r *policy.Rule) bool { return r.Missing == "" || r.Missing == policy.MissingIgnored }

func isTotal(r *policy.Rule) bool { return r.Stat == policy.StatCount || r.Stat == policy.StatSum }

// knowsSilence says that a period without a reading makes a datapoint too.
func knowsSilence(r *policy.Rule) bool { return isTotal(r) || !isIgnored(r) }

// farthest is how many periods back a rule looks for datapoints.
func farthest(r *policy.Rule) int64 {
	_, n := mOfN(r)
	if isIgnored(r) {
		return 3 * int64(n)
	}
	return int64(n)
}

// isClosed says that a period takes no more readings at now: its grace is over, and
// this side was there to judge it.
func (n *naive) isClosed(r *policy.Rule, start int64, now time.Time) bool {
	if due := dueOf(r, start); n.timer.IsZero() || n.timer.After(now) {
		return !due.After(now)
	} else { // nobody has come to judge anything since the timer was due
		return due.Before(n.timer)
	}
}

// firstOpen is the first period, from start on, that takes readings yet.
func (n *naive) firstOpen(r *policy.Rule, start int64, now time.Time) int64 {
	for n.isClosed(r, start, now) {
		start += lengthOf(r)
	}
	return start
}

// hearSilence goes on counting silence, from the period of a version's first event
// on. What nobody has judged, since another version was heard, is passed over.
func (n *naive) hearSilence(r *policy.Rule, l *ledger, o *observed, now time.Time) {
	isNew := l.nextSilence() == 0
	if isNew {
		l.silence = periodAt(r, now)
	}
	next := n.firstOpen(r, l.nextSilence(), now)
	if isTotal(r) && (isNew || next != l.nextSilence()) {
		if l.since = o.first; r.Time == policy.TimeOfArrival {
			l.since = o.from
		}
		if now.Before(l.since) {
			l.since = now
		}
	}
	l.silence = next
}

// isPart says that a version was not heard in all of a period: it began somewhere in it,
// or another did, or took over from it again.
func (n *naive) isPart(r *policy.Rule, v *naiveVersion, l *ledger, start int64) bool {
	begins, ends := time.Unix(start, 0), time.Unix(start+lengthOf(r), 0)
	if l.since.After(begins) {
		return true
	}
	for _, other := range n.versions {
		if other == v || other.ledgers == nil {
			continue
		}
		since := other.ledgers[r.Name].since
		if other.lastSeen.After(v.lastSeen) && since.After(begins) && since.Before(ends) {
			return true
		}
	}
	return false
}

// rest passes over silence of the version heard of last that nobody was woken for
// since it changed nothing: the datapoints are what they would be had it been judged.
func (n *naive) rest(now time.Time) {
	v := n.versions[n.latest]
	if v == nil {
		return
	}
	for name, l := range v.ledgers {
		r := n.rule(name)
		isOpen := slices.ContainsFunc(l.filed, func(f filed) bool { return !f.judged })
		if r.Period.IsZero() || !knowsSilence(r) || n.isTurned(name) || isOpen || !l.isSettled(r) {
			continue
		}
		next := n.firstOpen(r, l.nextSilence(), now)
		if next == l.nextSilence() {
			continue
		}
		for i := range l.points {
			l.points[i].start += next - l.through
		}
		l.through = next
	}
}

func (l *ledger) nextSilence() int64 { return max(l.silence, l.through) }

// file puts an observation's readings into their period.
func (n *naive) file(r *policy.Rule, l *ledger, o *observed, now time.Time) {
	if knowsSilence(r) {
		n.hearSilence(r, l, o, now)
	}
	values := o.readings[r.Metric]
	if len(values) == 0 {
		return
	}
	if !r.BelowBaselineBy.IsZero() || !r.AboveBaselineBy.IsZero() {
		l.fillBaseline(r, values)
	}
	at := o.last
	if r.Time == policy.TimeOfArrival {
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

func crosses(r *policy.Rule, o *observed, start int64) bool {
	first := o.first
	if r.Time == policy.TimeOfArrival {
		first = o.from
	}
	return first.Before(time.Unix(start, 0))
}

// fillBaseline takes the first readings, whole observations of them.
func (l *ledger) fillBaseline(r *policy.Rule, values []float64) {
	wanted := int64(1000)
	if r.Baseline != nil && r.Baseline.Samples > 0 {
		wanted = r.Baseline.Samples
	}
	if !l.base.IsZero() {
		return
	}

	if int64(len(l.firsts)) < wanted { // a new policy may want fewer than there are
		l.firsts = append(l.firsts, values...)
	}
	if int64(len(l.firsts)) >= wanted {
		l.base = statOf(r.Stat, l.firsts)
	}
}

// nextPeriod is the first period to be judged yet: one with readings, or one that
// is silent where that is news.
func (n *naive) nextPeriod(r *policy.Rule, v *naiveVersion, l *ledger) (start int64, comes bool) {
	for _, f := range l.filed {
		if !f.judged && (!comes || f.start < start) {
			start, comes = f.start, true
		}
	}
	// Of a version that another has followed silence is no news. Where it changes
	// nothing it is judged for a rule alone whose word a composite turns around.
	isNews := l.nextSilence() != 0 && knowsSilence(r) && v.name == n.latest && (comes || !l.isSettled(r) || n.isTurned(r.Name))
	if isNews && (!comes || l.nextSilence() < start) {
		start, comes = l.nextSilence(), true
	}
	return start, comes
}

// isTurned says that a rule is a member of a `not`, or of a composite that is.
func (n *naive) isTurned(name string) bool {
	return slices.ContainsFunc(n.policy.Rules, func(r policy.Rule) bool {
		return slices.Contains(membersOf(&r), name) && (r.Not != "" || n.isTurned(r.Name))
	})
}

// isSettled says that further silence would change nothing: it is taken for
// healthy, and all that the rule looks at is silent.
func (l *ledger) isSettled(r *policy.Rule) bool {
	if isTotal(r) || r.Missing != policy.MissingOK {
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
			if r := n.rule(name); !r.Period.IsZero() && knowsSilence(r) && l.nextSilence() != 0 {
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
func (n *naive) judgePeriod(now, due time.Time, v *naiveVersion, r *policy.Rule, l *ledger, start int64) found {
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
		p.value = metric.Reading{}
	}
	// What was due while this side was away, or soon after, may not have come yet:
	// no reading says nothing then, nor does a total that is low or shows a change.
	isGap := !n.returned.IsZero() && due.Before(n.returned.Add(30*time.Second))
	p.unknown = isGap && (len(values) == 0 || isTotal(r) && (isLow(r) || r.Change != nil))
	p.unknown = p.unknown || isTotal(r) && n.isPart(r, v, l, start)
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
