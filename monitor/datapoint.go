package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

const (
	// outageAfter is how late a wake comes at least for the reason to be that this
	// side was away: silence until then is unknown.
	outageAfter = 10 * time.Second
	// settleAfter is how long after an outage publishers may still be pausing
	// between attempts: 15 s at most, and the time to send.
	settleAfter = 30 * time.Second
)

// passed is until when time has been let pass at now: until now, unless the machine
// should have been woken before and was not, since its worker was away or only now
// begins to look at what has piled up. What came meanwhile is then as timely as if it
// had been seen when it came.
func (m *Machine) passed(now time.Time) time.Time {
	if wake := m.state.Wake; !wake.IsZero() && !wake.After(now) {
		return wake.Add(-1)
	}
	return now
}

// nextDatapoint is when the next datapoint of any rule and version is due.
func (m *Machine) nextDatapoint() (next time.Time, ok bool) {
	if !m.hasWindows {
		return next, false
	}

	for name, seen := range m.state.Versions {
		for i, t := range seen.Rules {
			if t.Window == nil {
				continue
			}
			due, comes := t.Window.nextDue(&m.state.Policy.Rules[i], m.hearsSilence(name, i, t.Window))
			if comes && (!ok || due.Before(next)) {
				next = due
				ok = true
			}
		}
	}

	return next, ok
}

// hearsSilence says that the next period without a reading is a datapoint of a rule
// on a version. Of a version that another has followed silence is no news, and
// where it changes nothing nobody is woken for it; but a rule that a `not` turns
// around speaks by each healthy datapoint, too.
func (m *Machine) hearsSilence(version string, rule int, w *window) bool {
	r := &m.state.Policy.Rules[rule]
	if version != m.state.Latest || !r.KnowsSilence() {
		return false
	}
	return len(w.Open) > 0 || m.isTurned[rule] || !w.isSettled(r)
}

// catchUp passes over the silence of the version heard of last that nobody was woken
// for, before another is, or another policy says what it means.
func (m *Machine) catchUp(now time.Time) {
	seen := m.state.Versions[m.state.Latest]
	if seen == nil {
		return
	}
	passed := m.passed(now)
	for i, t := range seen.Rules {
		if t.Window != nil && !m.isTurned[i] && len(t.Window.Open) == 0 {
			t.Window.rest(&m.state.Policy.Rules[i], passed)
		}
	}
}

// judgeDatapoints judges every datapoint that is due by now, in order.
func (m *Machine) judgeDatapoints(now time.Time) {
	for {
		due, ok := m.nextDatapoint()
		if !ok || due.After(now) {
			return
		}

		m.settleStreaks() // what its entries go by is about to change
		m.standing.seen = nil
		for _, name := range sortedKeys(m.state.Versions) {
			if seen := m.state.Versions[name]; seen.Rules != nil {
				m.judgeVersion(now, due, name, seen)
			}
		}

		m.dirty = true
	}
}

// noteOutage passes over the silence of the time that this side was away.
func (m *Machine) noteOutage(now time.Time) {
	m.state.Resumed = now
	for _, seen := range m.state.Versions {
		for i, t := range seen.Rules {
			if t.Window != nil {
				t.Window.skip(&m.state.Policy.Rules[i], now)
			}
		}
	}
}

// judgeVersion judges the datapoints of one version that are due at an instant.
func (m *Machine) judgeVersion(now, due time.Time, name string, seen *version) {
	any := false
	for i, t := range seen.Rules {
		m.findings[i] = finding{}
		if t.Window == nil {
			continue
		}

		r := &m.state.Policy.Rules[i]
		silence := m.hearsSilence(name, i, t.Window)
		if at, comes := t.Window.nextDue(r, silence); !comes || at.After(due) {
			continue
		}

		any = true
		isGap := !m.state.Resumed.IsZero() && due.Before(m.state.Resumed.Add(settleAfter))
		taken := t.Window.take(r, silence)
		m.findings[i] = m.judgePeriod(now, due, name, r, t, taken, isGap)
		m.tellDatapoint(due, name, i, t, taken)
	}

	if any {
		m.decideOn(moment{now: now, due: due, version: name, seen: seen})
	}
}

// judgePeriod judges what was measured in one period. In a gap, silence says nothing.
func (m *Machine) judgePeriod(now, due time.Time, name string, r *policy.Rule, t *track, b *bucket, isGap bool) finding {
	w := t.Window
	p := point{Start: b.Start, Approximate: b.Approximate, Value: b.value(r.Stat)}
	isTotal := r.Stat == policy.StatCount || r.Stat == policy.StatSum
	if !isTotal && b.Count < max(1, r.MinSamples) {
		p.Value = metric.Reading{}
	}
	p.Unknown = isGap && (b.Count == 0 || isTotal && (r.BreachesLow() || r.Change != nil))
	if r.Change != nil {
		return m.detect(now, due, r, t, p)
	}

	threshold, known := m.threshold(r, w, name)
	p.judge(r, threshold, known)
	w.keep(r, p)
	f := w.conclude(r, p)
	t.At = due
	t.Verdict = f.verdict
	t.Value = p.Value
	t.Threshold = (metric.Reading{})
	if known {
		t.Threshold = metric.Some(threshold)
	}
	return f
}

// judge holds a datapoint against the threshold. One that is unknown stays so.
func (p *point) judge(r *policy.Rule, threshold float64, known bool) {
	p.Breach = false
	switch value, measured := p.Value.Get(); {
	case p.Unknown:
	case !measured:
		p.Breach = r.Missing == policy.MissingBreaching
	case !known:
		p.Unknown = true
	default:
		p.Breach = r.IsBeyond(value, threshold)
	}
}

// conclude says what a rule says by its datapoints, of which p is the one judged last.
func (w *window) conclude(r *policy.Rule, p point) finding {
	breaching, of := w.count(r)
	mOf, _ := r.MOfN()
	f := finding{verdict: Healthy, fresh: true, hit: p.Breach && breaching >= mOf}
	value, measured := p.Value.Get()
	switch clear, clears := r.ClearThreshold(); {
	case of == 0:
		f.verdict = Unknown
	case !clears && breaching >= mOf:
		f.verdict = Breaching
	case clears:
		if f.hit {
			w.Held = true
		} else if measured && !p.Unknown && !r.IsBeyond(value, clear) {
			w.Held = false
		}
		if w.Held {
			f.verdict = Breaching
		}
	}

	return f
}

// detect shows a datapoint to the rule's detector of change.
func (m *Machine) detect(now, due time.Time, r *policy.Rule, t *track, p point) finding {
	w := t.Window
	w.keep(r, p)
	if value, measured := p.Value.Get(); measured && !p.Unknown {
		if w.Detector == nil {
			w.Detector = &adwin{}
		}
		delta := r.Change.Delta
		if delta == 0 {
			delta = policy.DefaultDelta
		}
		changed, before, after := w.Detector.add(value, delta)
		up, down := r.Change.Direction != policy.DirectionDown, r.Change.Direction != policy.DirectionUp
		if changed && (up && after > before || down && after < before) {
			w.Changed = due
			w.From = metric.Some(before)
			w.To = metric.Some(after)
		}
	}

	f := finding{verdict: t.standing(r, now), fresh: true}
	f.hit = f.verdict == Breaching
	t.At = due
	t.Verdict = f.verdict
	t.Value = p.Value
	t.Threshold = w.From
	return f
}

// forgetChanges ends what detections say that a retraining, triggered since, has
// answered: one change is one retraining, whether or not it makes a new version.
func (m *Machine) forgetChanges(triggered time.Time) {
	for _, seen := range m.state.Versions {
		for i, t := range seen.Rules {
			if m.forms[i] == policy.FormWindow && !t.Window.Changed.IsZero() && !t.Window.Changed.After(triggered) {
				t.Window.Changed = time.Time{}
				t.Verdict = Healthy
			}
		}
	}
}
