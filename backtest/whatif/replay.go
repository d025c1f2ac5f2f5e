package whatif

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// life goes through a monitor's recorded tasks. Its machine is given what the
// monitor's was, in the order in which workflows.MonitorWorkflow takes it: updates,
// each after the signals that wait; the calendar of blackouts; signals; what
// activities came back with; time. A rival is given the same.
type life struct {
	codec   Codec
	machine *monitor.Machine
	updates []workflows.Update // of machine
	book    book               // what retrainings were answered
	rival   *rival             // nil while the book is written

	quota workflows.Quota // what a task may still take of the signals

	schedule, await string          // request ids of the calls under way
	cancels         map[string]bool // by request id
	isLooking       bool            // the run looks for the last policy, and takes no signal
	waiting         []signal        // those that it has not taken
	hasPolicy       bool            // an update has put one in force
	isCancelled     bool            // the run's workflow is
	computed        *spans          // the blackouts last computed

	decisions []monitor.Decision
	from      time.Time // when the first retained run began
	now       time.Time // of the task done last
	tasks     int
	notes     []string
}

// spans are those of blackouts, and when they were asked for.
type spans struct {
	calendar
	wanted    policy.Span
	blackouts []byte
}

// begin starts a run. The first one that is retained gives the machine; a later
// one's argument must be what the machine has come to.
func (l *life) begin(r *reader, event *historypb.HistoryEvent) error {
	started := event.GetWorkflowExecutionStartedEventAttributes()
	if started == nil {
		return errors.New("the history does not begin with its first event; the server has lost a part of it")
	}
	raw, err := r.raw(started.GetInput())
	if err != nil {
		return fmt.Errorf("argument: %w", err)
	}

	info := &workflow.Info{
		WorkflowExecution:       workflow.Execution{ID: started.GetWorkflowId()},
		FirstRunID:              started.GetFirstExecutionRunId(),
		ContinuedExecutionRunID: started.GetContinuedExecutionRunId(),
		Memo:                    started.GetMemo(),
	}
	machine, err := workflows.MachineOf(info, raw)
	if err != nil {
		return err
	}

	handed := machine.State()
	machine = monitor.Restore(handed)
	if l.machine == nil {
		err = l.beginFirst(handed, event.GetEventTime().AsTime())
	} else {
		if string(encoded(l.machine.State())) != string(encoded(handed)) {
			l.note("the run that began on %s was handed another state than its history gives here: "+
				"its worker decided otherwise than this modelvigil; went on from what it was handed", stamp(event.GetEventTime().AsTime()))
		}
		if l.rival != nil {
			l.rival.cut()
		}
	}

	l.machine = machine
	l.updates = workflows.Updates(machine)
	l.machine.OnDecision = l.hear
	l.machine.OnRepeat = func(policy.Kind, monitor.Suppression) { l.hear(machine.Repeated()) }
	l.schedule = ""
	l.await = ""
	l.cancels = map[string]bool{}
	l.quota = workflows.Quota{}
	l.isLooking = workflows.LooksBack(info, raw)
	l.hasPolicy = false
	l.isCancelled = false
	return err
}

// beginFirst takes what the first retained run began with.
func (l *life) beginFirst(state monitor.State, at time.Time) error {
	l.from = at
	l.decisions = slices.Clone(state.Decisions)
	if flight := state.Flight; flight != nil {
		l.book.triggered(flight.RequestID, flight.TriggeredAt)
	}
	if l.rival == nil {
		return nil
	}
	return l.rival.begin(state, at)
}

func (l *life) hear(d monitor.Decision) {
	l.decisions = monitor.AppendDecision(l.decisions, d)
	if d.Kind == policy.Triggered {
		l.book.triggered(d.RequestID, d.At)
	}
}

// do goes through one task, as MonitorWorkflow did.
func (l *life) do(t *task) error {
	l.tasks++
	l.now = t.at
	t.signals = append(l.waiting, t.signals...)
	l.waiting = nil
	slices.SortStableFunc(t.signals, func(a, b signal) int { return cmp.Compare(a.name, b.name) })
	if l.rival != nil {
		l.rival.advance(t.scheduled, l.machine)
	}
	loops := t.isFirst || t.isTimed || t.cancelled || len(t.signals) > 0
	l.isCancelled = l.isCancelled || t.cancelled
	if t.isFirst { // they are carried out as their handlers are registered
		slices.SortStableFunc(t.updates, func(a, b update) int { return cmp.Compare(l.registered(a.name), l.registered(b.name)) })
	}
	for _, u := range t.updates {
		done, err := l.update(t, u)
		if err != nil {
			return err
		}
		loops = loops || done
	}

	loops = loops || slices.ContainsFunc(t.ended, func(e ended) bool { return l.isUnderWay(e.call) })
	l.look(t)
	if l.isLooking || !loops && t.looked == nil { // nothing that the loop waits for
		l.waiting = t.signals
		return nil
	}
	if err := l.calendar(t); err != nil {
		return err
	}

	l.drain(t)
	l.waiting = t.signals
	if l.isCancelled {
		workflows.Cancelled(l.machine, t.at)
		if l.rival != nil {
			l.rival.cancelled(t.at)
		}
	}

	if err := l.collect(t); err != nil {
		return err
	}

	if len(l.waiting) == 0 {
		l.machine.Tick(t.at)
	}
	wants := l.machine.Wants(t.at)
	if l.rival != nil && len(l.waiting) == 0 {
		l.rival.tick(t.at, l.machine)
	}
	if wants.Done {
		return nil
	}

	l.schedule = requestID(wants.Schedule)
	l.await = requestID(wants.Await)
	for _, c := range wants.Cancel {
		l.cancels[c.RequestID] = true
	}
	return nil
}

// look takes what the run's look for the last policy has found.
func (l *life) look(t *task) {
	if t.looked == nil {
		return
	}

	l.isLooking = false
	t.at = t.looked.at
	l.now = t.at
	if l.hasPolicy {
		return
	}

	t.looked.last.Reinstate(l.machine, t.at, t.looked.err)
	if l.rival != nil {
		l.rival.reinstate(t.at, t.looked)
	}
}

func requestID(flight *monitor.Flight) string {
	if flight == nil {
		return ""
	}
	return flight.RequestID
}

func (l *life) registered(name string) int {
	return slices.IndexFunc(l.updates, func(u workflows.Update) bool { return u.Name == name })
}

// update carries out one update, and says whether it was.
func (l *life) update(t *task, u update) (bool, error) {
	i := l.registered(u.name)
	if i < 0 {
		return false, fmt.Errorf("update %s: this modelvigil knows no such update; the worker is newer: upgrade it", u.name)
	}
	_, again := l.machine.Recall(u.id)
	if again {
		return false, nil
	}
	if err := l.calendar(t); err != nil {
		return false, err
	}

	l.drain(t)
	requestID, err := l.updates[i].Do(t.at, u.raw)
	if l.rival != nil {
		l.rival.update(t.at, u, err == nil)
	}
	if err != nil {
		return false, nil // the operator was told
	}
	l.hasPolicy = l.hasPolicy || u.name == contract.UpdateSetPolicy
	if err := l.calendar(t); err != nil {
		return false, err
	}

	l.machine.Remember(t.at, u.id, monitor.UpdateResult{Phase: l.machine.Phase(t.at), RequestID: requestID})
	return true, nil
}

// calendar gives the machine the blackouts that the monitor computed.
func (l *life) calendar(t *task) error {
	if wanted, ok := l.machine.CalendarWanted(t.at); ok {
		if len(t.calendars) == 0 {
			return fmt.Errorf("task of %s: the history holds no calendar of the policy's blackouts; a worker of another version decided it", stamp(t.at))
		}

		c := t.calendars[0]
		t.calendars = t.calendars[1:]
		var err error
		if c.Error != "" {
			err = errors.New(c.Error)
		}
		l.machine.SetCalendar(t.at, wanted, c.Spans, err)
		l.computed = &spans{c, wanted, encoded(l.machine.Blackouts())}
	}
	if l.rival != nil {
		l.rival.calendar(t.at, l.computed)
	}
	return nil
}

func encoded(value any) []byte {
	text, _ := json.Marshal(value) // it came from JSON
	return text
}

// drain takes the signals that wait, as many as the monitor did in its task.
func (l *life) drain(t *task) {
	if l.isLooking {
		return
	}

	for len(t.signals) > 0 && !l.quota.IsSpent(t.at) {
		s := t.signals[0]
		t.signals = t.signals[1:]
		l.quota.Add(t.at, workflows.Receive(l.machine, t.at, s.name, s.raw))
		if s.name == contract.SignalRetrainingOutcome {
			if outcome, err := monitor.DecodeOutcome(s.raw.Payload().GetData()); err == nil &&
				l.book.outcome(outcome.RequestID, t.at, outcome) && l.rival != nil && !l.rival.asRecorded[outcome.RequestID] {
				continue // the rival hears of it in a time of its own
			}
		}
		if l.rival != nil {
			l.rival.receive(t.at, s)
		}
	}
}

func (l *life) isUnderWay(c call) bool {
	switch c.activity {
	case activitySchedule:
		return c.requestID == l.schedule && c.requestID != ""
	case activityAwait:
		return c.requestID == l.await && c.requestID != ""
	}
	return c.activity == activityCancel && l.cancels[c.requestID]
}

// collect gives the machine what activities came back with.
func (l *life) collect(t *task) error {
	rank := []string{activitySchedule, activityAwait, activityCancel}
	slices.SortStableFunc(t.ended, func(a, b ended) int {
		return cmp.Or(cmp.Compare(slices.Index(rank, a.activity), slices.Index(rank, b.activity)), cmp.Compare(a.requestID, b.requestID))
	})
	for _, e := range t.ended {
		if !l.isUnderWay(e.call) {
			continue // called off
		}
		input, err := l.inputOf(t.at, e)
		if err != nil {
			return err
		}

		input(l.machine)
		if l.rival != nil {
			l.rival.collect(t.at, e.call, input)
		}
	}

	return nil
}

// inputOf is what an activity's end is to a machine. It is written into the book.
func (l *life) inputOf(now time.Time, e ended) (func(*monitor.Machine), error) {
	id := e.requestID
	switch e.activity {
	case activitySchedule:
		var job modelops.Job
		if e.err == nil {
			e.err = l.codec.Data.FromPayloads(e.result, &job)
		}
		l.schedule = ""
		if activities.IsHeld(e.err) {
			reason := workflows.MessageOf(e.err)
			return func(m *monitor.Machine) { m.Hold(now, id, reason) }, nil
		}
		if e.err != nil {
			return l.failed(now, id, e.err), nil
		}

		l.book.job(id, now, job)
		return func(m *monitor.Machine) { m.Scheduled(now, id, job) }, nil
	case activityAwait:
		var outcome modelops.Outcome
		if e.err == nil {
			e.err = l.codec.Data.FromPayloads(e.result, &outcome)
		}
		l.await = ""
		if e.err != nil {
			return l.failed(now, id, e.err), nil
		}

		outcome.RequestID = id
		l.book.outcome(id, now, outcome)
		return func(m *monitor.Machine) { m.Outcome(now, outcome) }, nil
	case activityCancel:
		delete(l.cancels, id)
		var err error
		if e.err != nil {
			err = errors.New(workflows.MessageOf(e.err))
		}
		return func(m *monitor.Machine) { m.CancelTold(now, id, err) }, nil
	}

	return nil, fmt.Errorf("activity %s: this modelvigil knows no such activity; the worker is newer: upgrade it", e.activity)
}

func (l *life) failed(now time.Time, id string, err error) func(*monitor.Machine) {
	message := workflows.MessageOf(err)
	l.book.failed(id, now, message)
	return func(m *monitor.Machine) { m.Failed(now, id, message) }
}
