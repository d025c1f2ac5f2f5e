package watch

import (
	"time"

	"github.com/modelvigil/modelvigil/monitor/observation"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// Hear counts an observation handled at now into the statistics of its version, and
// returns the moment at which it is judged. passed is until when time was let pass.
func (w *Watch) Hear(now, passed time.Time, o *observation.Observation) *Moment {
	w.work += int64(observationWork + len(w.findings))
	if w.mayRest {
		w.catchUp(passed)
	}
	seen := w.count(now, o)
	w.track(seen)
	w.locate(o.Columns)

	moment := w.Of(now, o.Version, seen)
	moment.when = &o.When
	return moment
}

// Take takes what an observation has measured of one rule: it is judged at once, or put into
// its period.
func (m *Moment) Take(rule int, o *observation.Observation, passed time.Time) verdict.Finding {
	r, t := &m.watch.rules[rule], m.Seen.Rules[rule]
	place := m.watch.places[rule]
	switch m.watch.forms[rule] {
	case policy.FormInstant:
		return t.Measure(r.Rule, o.At(place), m.Now)
	case policy.FormWindow:
		late := t.Window.Late
		if r.IsDrift() {
			m.watch.comparison(rule, m.Version, t.Window)
			t.Window.FeedDrift(r, o, m.Now, passed)
			m.watch.tellLate(m, rule, t.Window.Late-late)
			break
		}
		t.Window.Feed(r, o.At(place), &o.When, m.Now, passed)
		m.watch.tellLate(m, rule, t.Window.Late-late)
	case policy.FormReadings:
		m.watch.countReadings(r.Rule, o.At(place))
	}

	return verdict.Finding{}
}

// count adds an observation to the statistics of its version.
func (w *Watch) count(now time.Time, o *observation.Observation) *Version {
	w.counts.Events += o.Events
	if w.seen.FirstEvent.IsZero() {
		w.seen.FirstEvent = now
	}

	seen := w.version(now, o)
	if w.seen.Latest != o.Version {
		w.seen.Latest = o.Version
		w.Forget()
	}
	seen.Heard = now
	if o.Last.After(seen.LastSeen) {
		seen.LastSeen = o.Last
	}
	if len(w.seen.Versions) > maxVersions {
		w.counts.Overflow += int64(len(w.seen.Versions) - maxVersions)
		w.dropOldestVersions(maxVersions)
		if w.seen.Versions[o.Version] != seen {
			w.current = nil
		}
	}

	w.countMetrics(seen, o)
	return seen
}

// countMetrics adds what an observation has measured to the statistics of its version.
func (w *Watch) countMetrics(seen *Version, o *observation.Observation) {
	statistics := seen.statisticsIn(o.Columns)
	kept := notCounted
	for place, s := range statistics {
		measured := o.At(place)
		if measured == nil {
			continue
		}

		w.work++
		if s == nil {
			s = w.statistics(seen, o, place, &kept)
			statistics[place] = s
		}
		if s == nil {
			w.counts.Overflow++
			continue
		}
		s.add(measured)
	}
}
