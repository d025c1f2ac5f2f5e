package watch

import (
	"time"

	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// Hear counts an observation handled at now into the statistics of its version, and
// returns the moment at which it is judged. passed is until when time was let pass.
func (w *Watch) Hear(now, passed time.Time, o *Observation) *Moment {
	w.work += int64(observationWork + len(w.findings) + len(o.metrics))
	if w.mayRest {
		w.CatchUp(passed)
	}
	seen := w.count(now, o)
	w.track(seen)

	j := w.Of(now, o.Version, seen)
	j.when = &o.When
	return j
}

// Judge judges what an observation has measured of one rule: at once, or by putting it
// into its period.
func (j *Moment) Judge(rule int, o *Observation, passed time.Time) verdict.Finding {
	r, t := &j.watch.rules[rule], j.Seen.Rules[rule]
	switch j.watch.forms[rule] {
	case policy.FormInstant:
		return t.Measure(r.Rule, o.Metric(r.Metric), j.Now)
	case policy.FormWindow:
		late := t.Window.Late
		if r.IsDrift() {
			j.watch.comparison(rule, j.Version, t.Window)
			t.Window.FeedDrift(r, o, o.Events, &o.When, j.Now, passed)
			j.watch.tellLate(j, rule, t.Window.Late-late)
			break
		}
		t.Window.Feed(r, o.Metric(r.Metric), &o.When, j.Now, passed)
		j.watch.tellLate(j, rule, t.Window.Late-late)
	case policy.FormReadings:
		j.watch.countReadings(r.Rule, o.Metric(r.Metric))
	}
	return verdict.Finding{}
}

// count adds an observation to the statistics of its version.
func (w *Watch) count(now time.Time, o *Observation) *Version {
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

	kept := -1
	for i := range o.metrics {
		metric := &o.metrics[i]
		s := seen.statistics(i, metric.name)
		if s == nil {
			if kept < 0 {
				kept = w.makeRoom(seen, o)
			}
			if kept >= maxVersionMetrics {
				w.counts.Overflow++
				continue
			}

			kept++
			if seen.Metrics == nil {
				seen.Metrics = map[string]*Statistics{}
			}
			s = &Statistics{Min: metric.Min, Max: metric.Max}
			seen.Metrics[metric.name] = s
		}

		s.Count += metric.Count
		s.Sum += metric.Sum
		s.Min, s.Max = min(s.Min, metric.Min), max(s.Max, metric.Max)
	}

	return seen
}
