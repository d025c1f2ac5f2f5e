package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// outageAfter is how late a wake comes at least for the reason to be that this side was
// away: silence until then is unknown.
const outageAfter = 10 * time.Second

// maxPasses is how often a Tick looks for what is due: what one thing decides may
// make another due, which is looked at before it. Twice is nearly always enough, and
// no chain is longer than what there is to look at.
const maxPasses = 10

// Tick lets time pass: what is due by now is judged and decided. It is called when
// NextWake says, and after inputs, once for all at an instant; more often changes
// nothing. It costs next to nothing while nothing is due. It returns the next wake, as
// NextWake does.
func (m *Machine) Tick(now time.Time) (wake time.Time, ok bool) {
	now = clock.Plain(now)
	if armed := m.state.Wake; armed.Before(now) && !armed.IsZero() && now.Sub(armed) > outageAfter {
		m.watch.Outage(now)
	}

	m.watch.Forget()
	var datapoint time.Time
	for range maxPasses {
		before := m.Journal.Notables()
		datapoint = m.judgeDue(now)
		if m.Journal.Notables() == before {
			break // nothing was decided that could make something else due
		}
	}

	m.state.Ticked = now
	m.state.Wake, ok = m.earliest(datapoint)
	return m.state.Wake, ok
}

// passed is until when the machine has let time pass at now: until now, unless it
// should have been woken before and was not, since its worker was away or only now
// begins to look at what has piled up. What came meanwhile is then as timely as if it
// had been seen when it came.
func (s *State) passed(now time.Time) time.Time {
	if wake := s.Wake; !wake.IsZero() && !wake.After(now) {
		return wake.Add(-1)
	}
	return now
}

// judgeDue judges and decides what is due by now, if it has not been: each value is
// asked. To a monitor that stops time brings nothing but the end of its retraining. It
// returns when the next datapoint is due, zero where none is: nothing but what is
// measured changes that.
func (m *Machine) judgeDue(now time.Time) (datapoint time.Time) {
	m.Course.ExpireFlight(now)
	if m.state.Stop != nil {
		m.Course.JudgeFrozen(now)
		return datapoint
	}

	m.Course.AnswerDue(now)
	datapoint = m.judgeDatapoints(now)
	m.Course.JudgeFrozen(now)
	m.Course.ConcludeVerification(now)
	if m.watch.HasAges() {
		m.judgeAges(now)
	}
	m.endBlackout(now)
	if m.watch.HasAges() {
		m.watch.CheckSilence(now)
	}
	return datapoint
}

// judgeDatapoints judges every datapoint and every schedule that is due by now, in order,
// and returns when the next datapoint is. Of one instant datapoints come first: what
// they say stands when the schedule is due.
func (m *Machine) judgeDatapoints(now time.Time) (next time.Time) {
	for {
		due := m.watch.NextDatapoint()
		instant, isScheduled := m.watch.NextInstant(m.state.Calendar)
		if isScheduled && !instant.After(now) && (due.IsZero() || instant.Before(due)) {
			m.judgeSchedules(instant, now)
			continue
		}
		if due.IsZero() || due.After(now) {
			return due
		}

		m.Journal.Settle() // what its entries go by is about to change
		for moment := range m.watch.JudgeDue(due, now) {
			m.choose(moment)
		}
	}
}

// judgeSchedules judges the schedules that are due at an instant, for that moment alone.
func (m *Machine) judgeSchedules(due, now time.Time) {
	m.Journal.Settle() // the reason names the instant, which is about to change
	if moment := m.watch.JudgeSchedules(due, now, m.state.Calendar); moment != nil {
		m.choose(moment)
		moment.EndSchedules()
	}
}

// judgeAges judges the rules on age and silence.
func (m *Machine) judgeAges(now time.Time) {
	moment := m.watch.Now(now)
	if moment != nil && moment.JudgeAges(m.Course.Cooldown(), m.suppression(moment) == "") {
		m.choose(moment)
	}
}

// endBlackout lets what was deferred in a blackout trigger, if it still breaches: when
// the blackout ends, or a policy has none any more.
func (m *Machine) endBlackout(now time.Time) {
	if !m.watch.HasDeferred() {
		return
	}
	if _, in := m.state.Calendar.At(now); in {
		return
	}
	for moment, rule := range m.watch.Resume(now) {
		m.breach(moment, rule)
	}
}

// NextWake is the earliest instant at which time alone, given to Tick, changes
// something; ok is false while there is none. It is cheap to ask after each input.
func (m *Machine) NextWake() (at time.Time, ok bool) {
	return m.earliest(m.watch.NextDatapoint())
}

// earliest is the next wake, given when the next datapoint is due.
func (m *Machine) earliest(datapoint time.Time) (at time.Time, ok bool) {
	m.wakes(m.state.Ticked, datapoint, func(_ string, wake time.Time) {
		if !ok || wake.Before(at) {
			at = wake
			ok = true
		}
	})
	return at, ok
}

// wakes tells of the instants after now at which time alone changes something: each
// value is asked for its own, and datapoint is when the next of all windows is due.
func (m *Machine) wakes(now, datapoint time.Time, wake func(what string, at time.Time)) {
	m.Course.Wakes(now, wake)
	if m.state.Stop != nil {
		if m.state.awaitsNotices(now) {
			wake(wakeNotices, m.state.noticesUntil())
		}
		return
	}

	if !datapoint.IsZero() {
		wake(wakeDatapoints, datapoint)
	}
	if due, ok := m.state.Verification.Ends(); ok {
		wake(wakeVerification, due)
	}
	if m.watch.HasAges() {
		if due, ok := m.watch.NextAge(m.state.Ticked, m.Course.Cooldown()); ok {
			wake(wakeAge, due)
		}
	}
	if known := m.state.Calendar; known != nil {
		m.calendarWakes(now, known, wake)
	}
}

// calendarWakes tells of the instants of a calendar, and of when another is needed.
func (m *Machine) calendarWakes(now time.Time, known *calendar.Calendar, wake func(what string, at time.Time)) {
	if due, ok := m.watch.NextInstant(known); ok {
		wake(wakeSchedule, due)
	}
	if ends, ok := m.Course.NextCalendar(); ok && ends.After(m.state.Ticked) {
		wake(wakeCalendar, ends)
	}
	if until, in := known.At(now); in && (m.watch.HasDeferred() || m.hasWaitingAge(now)) {
		wake(wakeBlackout, until)
	}
}

// hasWaitingAge says that an age or a silence triggers as soon as the blackout that is
// on ends: nothing else suppresses it.
func (m *Machine) hasWaitingAge(now time.Time) bool {
	if !m.watch.HasAges() {
		return false
	}
	moment := m.watch.Now(now)
	return moment != nil && m.suppression(moment) == journal.ByBlackout && m.watch.AgeWaits(now, m.Course.Cooldown())
}
