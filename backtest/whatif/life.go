package whatif

import (
	"encoding/json"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/replay"
)

// life follows a monitor's machine through its recorded runs. It notes what the
// machine decided, and what retrainings were answered. A rival, where there is one, is
// given what the machine is given.
type life struct {
	book  book
	rival *rival // nil while the book is written

	machine  *monitor.Machine
	computed *computed // the calendar last heard of
	wake     time.Time // when the machine wants to be woken next; zero: never
	now      time.Time // of the task last heard of

	begins  time.Time           // when the run at hand began
	due     map[int64]time.Time // when a workflow task was due, by when it was started
	waiting int                 // signals that no worker has taken
	closed  time.Time           // when the run ended; zero while it goes on

	decisions []monitor.Decision
	from      time.Time // when the first retained run began
	notes     []string
	err       error
}

// computed is a calendar, and what it is of.
type computed struct {
	workflows.Computed
	clocks []byte
}

// load takes a run's history before it is replayed.
func (l *life) load(events []*historypb.HistoryEvent) {
	l.begins = events[0].GetEventTime().AsTime()
	l.closed = ended(events)
	l.due = dues(events)
	l.waiting = 0
	for _, event := range events[replay.Answered(events):] {
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			l.waiting++
		}
	}
	if l.from.IsZero() {
		l.from = l.begins
	}
}

// dues are when workflow tasks were due, by when they were started: from the one to the
// other, time waited for a worker.
func dues(events []*historypb.HistoryEvent) map[int64]time.Time {
	due := map[int64]time.Time{}
	var scheduled time.Time // first: a task that fails is scheduled again
	for _, event := range events {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
			if scheduled.IsZero() {
				scheduled = event.GetEventTime().AsTime()
			}
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			due[event.GetEventTime().AsTime().UnixNano()] = scheduled
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			scheduled = time.Time{}
		}
	}

	return due
}

// end is when the comparison ends: when the monitor did, and now where it goes on.
func (l *life) end() time.Time {
	switch {
	case !l.closed.IsZero():
		return l.closed
	case l.waiting == 0: // nothing has come since
		return latest(l.now, time.Now().UTC().Truncate(time.Millisecond))
	}

	l.notes = addNote(l.notes, "signals wait that no worker has taken: %d", l.waiting)
	return latest(l.now, l.from)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// follow is the life's workflows.Follower.
func (l *life) follow(now time.Time, machine *monitor.Machine, given workflows.Given) {
	due, isTask := l.due[now.UnixNano()]
	isNew := isTask && !now.Equal(l.now)
	if isNew && l.rival != nil && l.rival.machine != nil {
		l.rival.advance(due, l.wake)
	}

	l.now = now
	switch given := given.(type) {
	case workflows.Begun:
		l.begin(machine)
	case workflows.Computed:
		l.computed = &computed{given, encoded(machine.Clocks())}
	case workflows.Received:
		l.outcome(now, given)
	case workflows.Returned:
		l.book.returned(now, given)
	}

	if l.rival != nil && l.err == nil {
		l.rival.follow(now, machine, given, l.computed)
	}
	l.wake, _ = machine.NextWake()
}

// outcome notes the word of a training pipeline.
func (l *life) outcome(now time.Time, given workflows.Received) {
	if given.Name != contract.SignalRetrainingOutcome {
		return
	}
	if outcome, err := retraining.DecodeOutcome(given.Raw.Payload().GetData()); err == nil {
		l.book.outcome(outcome.RequestID, now, outcome)
	}
}

// begin starts a run. The first one that is retained gives a rival its state; what a
// later one was handed must be what the machine has come to.
func (l *life) begin(machine *monitor.Machine) {
	handed := machine.State()
	before := l.machine
	l.machine = machine
	l.listen()
	switch {
	case before == nil:
		l.beginFirst(handed)
	case string(encoded(before.State())) != string(encoded(handed)):
		l.notes = addNote(l.notes, "the run that began on %s was handed another state than its history gives here: "+
			"its worker decided otherwise than this program; went on from what it was handed", stamp(l.begins))
		fallthrough
	default:
		if l.rival != nil {
			l.rival.cut()
		}
	}
}

// beginFirst takes what the first retained run began with.
func (l *life) beginFirst(state monitor.State) {
	l.decisions = slices.Clone(state.Decisions)
	if flight := state.Flight; flight != nil {
		l.book.triggered(flight.RequestID, flight.TriggeredAt)
	}
	if l.rival != nil {
		l.err = l.rival.begin(state, l.begins)
	}
}

// listen hears of what the machine decides, after the monitor.
func (l *life) listen() {
	machine := l.machine
	decided := machine.OnDecision
	machine.OnDecision = func(d monitor.Decision) {
		decided(d)
		l.hear(d)
	}

	repeated := machine.OnRepeat
	machine.OnRepeat = func(kind policy.Kind, by monitor.Suppression) {
		repeated(kind, by)
		l.hear(machine.Repeated())
	}
}

func (l *life) hear(d monitor.Decision) {
	l.decisions = journal.AppendDecision(l.decisions, d)
	if d.Kind == policy.Triggered {
		l.book.triggered(d.RequestID, d.At)
	}
}

func encoded(value any) []byte {
	text, _ := json.Marshal(value) // it came from JSON
	return text
}
