package watch

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// HasSchedules says that the policy has a rule with a schedule.
func (w *Watch) HasSchedules() bool { return len(w.scheduled) > 0 }

// BeginSchedules lets the schedules that are new be due from after an instant on.
func (w *Watch) BeginSchedules(now time.Time) {
	for _, i := range w.scheduled {
		name := w.policy.Rules[i].Name
		if _, isKnown := w.seen.Scheduled[name]; isKnown {
			continue
		}

		if w.seen.Scheduled == nil {
			w.seen.Scheduled = map[string]int64{}
		}
		w.seen.Scheduled[name] = now.Unix()
	}
}

// SchedulesJudged is until when all schedules were judged; ok is false while that is
// known of none.
func (w *Watch) SchedulesJudged() (until time.Time, ok bool) {
	for _, i := range w.scheduled {
		seconds, isKnown := w.seen.Scheduled[w.policy.Rules[i].Name]
		if judged := time.Unix(seconds, 0).UTC(); isKnown && (!ok || judged.Before(until)) {
			until = judged
			ok = true
		}
	}
	return until, ok
}

// NextInstant is the next instant of the calendar at which a schedule is due and was not
// judged.
func (w *Watch) NextInstant(c *calendar.Calendar) (at time.Time, ok bool) {
	if c == nil {
		return at, false
	}

	for _, i := range w.scheduled {
		due, isKnown := w.dueOf(i, c)
		if instant := time.Unix(due, 0).UTC(); isKnown && (!ok || instant.Before(at)) {
			at = instant
			ok = true
		}
	}
	return at, ok
}

// dueOf is the next instant of one schedule that was not judged, in Unix seconds.
func (w *Watch) dueOf(rule int, c *calendar.Calendar) (due int64, ok bool) {
	name := w.policy.Rules[rule].Name
	judged, isKnown := w.seen.Scheduled[name]
	instants := c.Due[name]
	next, _ := slices.BinarySearchFunc(instants, judged, func(due, judged int64) int {
		return cmp.Or(cmp.Compare(due, judged), -1) // what was judged is before the next
	})
	if !isKnown || next == len(instants) {
		return 0, false
	}
	return instants[next], true
}

// JudgeSchedules judges the schedules that are due at an instant, of the version heard of
// last: they breach. It returns nil while none was heard of, when they have passed.
func (w *Watch) JudgeSchedules(due, now time.Time, c *calendar.Calendar) *Moment {
	w.Forget()
	seen := w.seen.Versions[w.seen.Latest]
	var moment *Moment
	if seen != nil {
		w.track(seen)
		moment = w.Of(now, w.seen.Latest, seen)
		moment.due = due
		clear(moment.Findings)
	}

	for _, i := range w.scheduled {
		if next, ok := w.dueOf(i, c); !ok || next != due.Unix() {
			continue
		}

		w.seen.Scheduled[w.policy.Rules[i].Name] = due.Unix()
		if moment != nil {
			seen.Rules[i].At = due
			moment.Findings[i] = verdict.Finding{Verdict: verdict.Breaching, Fresh: true, Hit: true}
		}
	}

	return moment
}

// EndSchedules ends what schedules, and composites over them, said at a moment: they say
// it for that moment alone.
func (m *Moment) EndSchedules() {
	w := m.watch
	m.stand()
	for i := range w.composites.Rules {
		if w.dependsOnSchedule[i] {
			m.Seen.Rules[i].Verdict = m.Findings[i].Verdict
		}
	}
}

// followSchedules finds the schedules, and the composites that hold one.
func (w *Watch) followSchedules() {
	w.dependsOnSchedule = make([]bool, len(w.forms))
	for i, form := range w.forms {
		if form == policy.FormSchedule {
			w.scheduled = append(w.scheduled, i)
			w.dependsOnSchedule[i] = true
		}
	}
	for i := range w.composites.Rules { // members before those they are in
		w.dependsOnSchedule[i] = slices.ContainsFunc(w.composites.Members(i), func(member int) bool { return w.dependsOnSchedule[member] })
	}
}

// scheduleReason says at which of its instants a schedule breaches.
func scheduleReason(r *policy.Rule, at time.Time) string {
	return fmt.Sprintf("schedule %s (%s) at %s", r.Schedule, cmp.Or(r.Zone, "UTC"), at.Format(time.RFC3339))
}
