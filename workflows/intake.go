package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

// Work is counted in the machine's steps, of some nanoseconds each; see
// monitor.Machine.Work.
const (
	// maxTaskWork is after how much work a workflow task takes no further signal. The
	// server takes a task that lasts 10 s for lost and gives it to a worker again, so a
	// pile that takes longer would be the end of a monitor. A task that ends and is gone
	// on with costs five events of history.
	maxTaskWork = 8 << 20
	// maxBreath is after how much work the SDK is yielded to, some ten milliseconds. It
	// takes a second without for a deadlock and fails the task, again and again, and a
	// busy machine may stretch them a lot.
	maxBreath = 1 << 20
	// signalWork is what a signal costs besides, of whatever name: to be decoded, to be
	// counted, to be looked for.
	signalWork = 500
)

// pilePause is how long a task that left a part of a pile waits for the next. A timer
// brings one about; the shortest does.
const pilePause = time.Millisecond

// quota bounds what one workflow task takes of the signals that have arrived. It is
// the same in each replay.
type quota struct {
	task   time.Time // of the task at hand: its time tells it from the others
	work   int64     // in that task
	breath int64     // since the SDK was yielded to
	total  int64     // in this run
}

// isSpent says that the task of the time now is to take no further signal.
func (q *quota) isSpent(now time.Time) bool { return q.task.Equal(now) && q.work >= maxTaskWork }

// add counts the work of the task of the time now.
func (q *quota) add(now time.Time, work int64) {
	if !q.task.Equal(now) {
		q.task = now
		q.work = 0
	}
	q.work += work
	q.breath += work
	q.total += work
}

// Receive hands one signal, as it came, to a machine, and returns how much work that
// was. It is received raw, so that one that can't be decoded is counted and explained
// instead of dropped.
func Receive(machine *monitor.Machine, now time.Time, name string, raw converter.RawValue) (work int64) {
	before := machine.Work()
	machine.CountSignal()
	payload, err := jsonOf(raw)
	if err != nil {
		machine.Reject(now, name, err, nil)
		return signalWork + int64(len(raw.Payload().GetData()))
	}

	switch name {
	case contract.SignalMetric:
		machine.TakeEvents(now, payload)
	case contract.SignalMetricDigest:
		machine.TakeBatch(now, payload)
	case contract.SignalRetrainingOutcome:
		machine.TakeOutcome(now, payload)
	default:
		machine.Reject(now, name, fmt.Errorf("no signal of this name is known; the signals are %s, %s and %s",
			contract.SignalMetric, contract.SignalMetricDigest, contract.SignalRetrainingOutcome), payload)
	}

	return signalWork + machine.Work() - before
}

// drain takes what has arrived, until the task at hand has done enough, and says
// whether that is all. What it takes comes by name, then in order.
func (m *monitorRun) drain(ctx workflow.Context) (all bool) {
	if m.looking {
		return false
	}

	m.finishSignal(ctx)

	now := workflow.Now(ctx)
	names := workflow.GetUnhandledSignalNames(ctx)
	slices.Sort(names) // the SDK names them in map order
	for _, name := range names {
		for channel := workflow.GetSignalChannel(ctx, name); ; {
			if m.quota.isSpent(now) {
				return !m.hasSignals(ctx)
			}
			var raw converter.RawValue
			if !channel.ReceiveAsync(&raw) {
				break
			}
			m.take(ctx, now, name, raw)
		}
	}

	return true
}

// hasSignals says that signals wait, of names we know or not.
func (m *monitorRun) hasSignals(ctx workflow.Context) bool {
	return len(workflow.GetUnhandledSignalNames(ctx)) > 0
}

// take takes one signal, and yields within it and after it when that is due.
func (m *monitorRun) take(ctx workflow.Context, now time.Time, name string, raw converter.RawValue) {
	m.signals++
	m.changed = true // an update drains too, and may then be refused
	m.isTaking = true
	raw = m.unlessPlain(raw)
	m.machine.OnBreath = func() { m.breathe(ctx) }
	done := m.traces.take(name)
	m.quota.add(now, Receive(m.machine, now, name, raw))
	m.gave(ctx, Received{name, raw})
	done()
	m.isTaking = false

	if m.quota.breath >= maxBreath {
		m.breathe(ctx)
		m.finishSignal(ctx)
	}
}

// breathe yields, which changes nothing but that the SDK begins to count its second
// anew. What runs meanwhile, the loop or an update, waits for the signal that is being
// taken, and takes those after it.
func (m *monitorRun) breathe(ctx workflow.Context) {
	m.quota.breath = 0
	rested := false
	workflow.Go(ctx, func(workflow.Context) { rested = true })
	m.yield(ctx, func() bool { return rested })
}

// finishSignal waits until whoever has begun to take a signal has taken it. That is in
// the same task: nobody who takes one waits for anything but a turn.
func (m *monitorRun) finishSignal(ctx workflow.Context) {
	if m.isTaking {
		m.yield(ctx, func() bool { return !m.isTaking })
	}
}

// yield lets others run until a condition holds. The context is one that outlasts a
// cancellation, so that waiting does not fail.
func (m *monitorRun) yield(ctx workflow.Context, until func() bool) {
	m.heed(ctx)
	m.traces.away(func() { _ = workflow.Await(ctx, until) })
}
