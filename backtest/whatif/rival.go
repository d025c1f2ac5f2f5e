package whatif

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// rival decides by the other policy what was recorded. Metrics, and operators' words
// as far as its machine allows them, come to it when they came to the monitor. A
// retraining that was triggered just then in the recording lives as recorded; any
// other one is answered as the book has it. Time passes at its own wakes, since the
// recorded timers are the recorded policy's.
type rival struct {
	policy  *policy.Policy // nil: the policies as they were recorded
	book    *book
	bounds  backtest.Bounds // of drift rules of the other policy
	machine *monitor.Machine
	updates []workflows.Update // of machine

	isDone     bool            // it has been stopped
	seen       string          // the request id of the flight last looked at
	asRecorded map[string]bool // retrainings, by request id
	due        []due           // answers to the others, by time

	decisions []monitor.Decision
	notes     []string
	judged    map[int]bool // the rules that have judged something, by number
}

// due is an answer that comes at a time.
type due struct {
	at   time.Time
	give func(m *monitor.Machine, now time.Time)
}

// begin takes the state that the first retained run began with.
func (r *rival) begin(state monitor.State, at time.Time) error {
	copied, err := monitor.DecodeState(encoded(state)) // it shares nothing
	if err != nil {
		return err
	}

	r.asRecorded = map[string]bool{}
	isNew := copied.FirstEvent.IsZero() && len(copied.Decisions) == 0
	if r.policy != nil && isNew {
		copied.Policy = r.policy.WithDefaults()
	}
	r.take(copied)
	r.decisions = slices.Clone(state.Decisions)
	if r.policy != nil && !isNew {
		r.machine.OnDecision = func(d monitor.Decision) {
			if d.Reason != "" {
				r.notes = addNote(r.notes, "the what-if begins in the middle of the monitor's life: it %s", d.Reason)
			}
		}
		r.machine.SetPolicy(at, *r.policy)
		r.machine.OnDecision = r.hear
	}

	r.look(at)
	return nil
}

func (r *rival) take(state monitor.State) {
	r.machine = monitor.Restore(state)
	r.machine.OnDecision = r.hear
	r.machine.OnJudged = r.noteJudged
	r.machine.OnRepeat = func(policy.Kind, monitor.Suppression) { r.hear(r.machine.Repeated()) }
	r.updates = workflows.Updates(r.machine)
}

// cut goes on from the machine's state, as a run does from that of the one before.
func (r *rival) cut() { r.take(r.machine.State()) }

func (r *rival) hear(d monitor.Decision) { r.decisions = journal.AppendDecision(r.decisions, d) }

// follow takes what the monitor's machine was given.
func (r *rival) follow(now time.Time, recorded *monitor.Machine, given workflows.Given, spans *computed) {
	if r.isDone {
		return
	}

	r.calendar(now, spans)
	switch given := given.(type) {
	case workflows.Bounded:
		if r.policy == nil { // else another policy's rules have other bounds
			r.machine.SetBounds(&given.Lacking, given.Bounds)
		}
	case workflows.Received:
		r.receive(now, given)
	case workflows.Updated:
		r.update(now, given)
	case workflows.Reinstated:
		if r.policy == nil { // else another one is asked about
			given.Last.Reinstate(r.machine, now, given.Err)
		}
	case workflows.Stopped:
		workflows.Stop(r.machine, now)
	case workflows.Returned:
		wants := r.machine.Wants(now)
		if r.asRecorded[given.RequestID] && given.RequestID == requestID(cmp.Or(wants.Schedule, wants.Await)) {
			given.To(r.machine, now)
		}
	case workflows.Told:
		if r.asRecorded[given.RequestID] && isCancelling(r.machine, now, given.RequestID) {
			r.machine.CancelTold(now, given.RequestID, given.Err)
		}
	case workflows.Passed:
		r.tick(now, recorded)
	}
}

// receive takes a signal. The outcome of a retraining that the rival has asked for at
// another time, it hears of in a time of its own.
func (r *rival) receive(now time.Time, s workflows.Received) {
	if s.Name == contract.SignalRetrainingOutcome {
		outcome, err := retraining.DecodeOutcome(s.Raw.Payload().GetData())
		if err == nil && r.book.knows(outcome.RequestID) && !r.asRecorded[outcome.RequestID] {
			return
		}
	}
	workflows.Receive(r.machine, now, s.Name, s.Raw)
}

// advance lets time pass until an instant, at which the next task was due. A wake that
// the monitor had too is left to that task.
func (r *rival) advance(until, recordedWake time.Time) {
	for !r.isDone {
		wake, ok := r.machine.NextWake()
		if ok && recordedWake.Equal(wake) {
			ok = false
			until = clock.Earlier(until, wake)
		}

		switch {
		case len(r.due) > 0 && r.due[0].at.Before(until) && (!ok || !wake.Before(r.due[0].at)):
			r.pass(r.due[0].at)
		case ok && wake.Before(until):
			r.pass(wake)
			if next, still := r.machine.NextWake(); still && !next.After(wake) {
				return // left to the next task
			}
		default:
			return
		}
	}
}

// pass is a task of the rival's own.
func (r *rival) pass(at time.Time) {
	r.calendar(at, nil)
	r.tick(at, nil)
}

// tick ends a task: what is due comes, and time passes.
func (r *rival) tick(at time.Time, recorded *monitor.Machine) {
	if r.isDone {
		return
	}

	for len(r.due) > 0 && !r.due[0].at.After(at) {
		r.due[0].give(r.machine, at)
		r.due = r.due[1:]
	}

	if r.policy != nil {
		r.machine.FindBounds(at, r.bounds.Find)
	}
	r.machine.Tick(at)
	r.look(at)
	for _, c := range r.machine.Wants(at).Cancel {
		if recorded == nil || !isCancelling(recorded, at, c.RequestID) {
			r.machine.CancelTold(at, c.RequestID, nil) // nobody but the recording could say otherwise
		}
	}

	r.isDone = r.machine.Wants(at).Done
}

func isCancelling(machine *monitor.Machine, now time.Time, id string) bool {
	return slices.ContainsFunc(machine.Wants(now).Cancel, func(c monitor.Cancelling) bool { return c.RequestID == id })
}

// look sees to it that a retraining just triggered is answered.
func (r *rival) look(now time.Time) {
	wants := r.machine.Wants(now)
	flight := cmp.Or(wants.Schedule, wants.Await)
	if flight == nil || flight.RequestID == r.seen {
		return
	}

	id := flight.RequestID
	r.seen = id
	if r.book.recorded(id, flight.TriggeredAt) {
		r.asRecorded[id] = true
		return
	}

	answer := r.book.answerTo(id)
	if answer.job != nil {
		r.answer(flight.TriggeredAt.Add(answer.job.after), func(m *monitor.Machine, now time.Time) { m.TakeJob(now, id, answer.job.what) })
	}
	if answer.refusal != nil {
		r.answer(flight.TriggeredAt.Add(answer.refusal.after), func(m *monitor.Machine, now time.Time) { m.TakeRefusal(now, id, answer.refusal.what) })
	}
	if answer.outcome != nil {
		r.answer(flight.TriggeredAt.Add(answer.outcome.after), func(m *monitor.Machine, now time.Time) {
			wants := m.Wants(now)
			if answer.job == nil || !answer.job.what.Followed || id == requestID(cmp.Or(wants.Schedule, wants.Await)) {
				m.Outcome(now, answer.outcome.what)
			}
		})
	}
}

func (r *rival) answer(at time.Time, give func(*monitor.Machine, time.Time)) {
	d := due{at, give}
	i, _ := slices.BinarySearchFunc(r.due, d, func(a, b due) int {
		return cmp.Or(a.at.Compare(b.at), -1) // after those of the same time
	})
	r.due = slices.Insert(r.due, i, d)
}

// update does what an operator asked for, where the machine allows it. Policies of
// the recording are passed over, unless it is to be decided by them.
func (r *rival) update(at time.Time, u workflows.Updated) {
	if r.policy != nil && u.Name == contract.UpdateSetPolicy {
		return
	}
	i := slices.IndexFunc(r.updates, func(known workflows.Update) bool { return known.Name == u.Name })
	if _, err := r.updates[i].Do(at, u.Raw); err != nil {
		if u.Err == nil {
			var control monitor.Control
			_ = json.Unmarshal(u.Raw.Payload().GetData(), &control) // else nobody is named
			r.notes = addNote(r.notes, "%s by %s on %s was not carried out in the what-if: %s",
				u.Name, cmp.Or(control.By, "an operator"), stamp(at), workflows.MessageOf(err))
		}
		return
	}

	r.look(at)
}

// calendar gives the machine the calendar of its policy: as recorded where the
// monitor computed the same, otherwise by the time zones that this program knows.
func (r *rival) calendar(at time.Time, recorded *computed) {
	wanted, ok := r.machine.CalendarWanted(at)
	if !ok {
		return
	}
	if recorded != nil && recorded.Wanted.From.Equal(wanted.From) && string(recorded.clocks) == string(encoded(r.machine.Clocks())) {
		r.machine.SetCalendar(at, wanted, recorded.Calendar, recorded.Err)
		return
	}

	own, err := r.machine.Clocks().Calendar(wanted.From, wanted.Until)
	r.machine.SetCalendar(at, wanted, own, err)
}

// requestID is a flight's; "" where there is none.
func requestID(flight *monitor.Flight) string {
	if flight == nil {
		return ""
	}
	return flight.RequestID
}
