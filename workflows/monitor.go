// Package workflows holds MonitorWorkflow, the durable shell around the decision
// machine of package monitor: signals, updates, queries, timers and activities.
// It decides nothing about thresholds itself.
package workflows

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/monitor"
)

const (
	// maxRunSignals is after how many signals a run asks for its successor, even
	// when the server does not suggest it yet. The server refuses signals past
	// 10,000 a run, and a short history is replayed fast enough to end a run
	// between two signals when they come without pause.
	maxRunSignals = 2000
	// maxHeldSignals, and maxHeldBytes of history, are how long a run waits for a
	// schedule call under way before it ends all the same, and its successor asks
	// again by the same request id. The server ends a run for good at 50 MiB.
	maxHeldSignals = 2 * maxRunSignals
	maxHeldBytes   = 16 << 20
	// maxBreath is after how many bytes of signals a drain yields. The SDK takes a
	// second without for a deadlock and fails the task, again and again: that would
	// be the end of a monitor that was sent 20 signals of 2 MiB while no worker was
	// there. 64 KiB of the worst events take some 100 ms. A signal counts for
	// signalCost bytes beside its payload.
	maxBreath  = 64 << 10
	signalCost = 256
	// A run hands on to its successor after a day at the latest, so that code which
	// only older runs replay can be retired. They end at different times, so that a
	// fleet that was started at once does not hand on at once.
	maxRunAge    = 24 * time.Hour
	runAgeSpread = 4 * time.Hour
)

// ageOf is how old the run of an id gets at most.
func ageOf(runID string) time.Duration {
	spread := fnv.New32a()
	_, _ = spread.Write([]byte(runID))
	return maxRunAge - time.Duration(float64(runAgeSpread)*float64(spread.Sum32())/(1<<32))
}

// MonitorWorkflow watches one model. Its argument is an Input, which may be left
// out in whole or in part. It sets no search attributes; see Indexed.
func MonitorWorkflow(ctx workflow.Context, input converter.RawValue) error {
	return monitorModel(ctx, input, func() bool { return false })
}

func monitorModel(ctx workflow.Context, input converter.RawValue, hasIndex func() bool) error {
	m, err := setup(ctx, input)
	if err != nil {
		return err
	}
	m.index = hasIndex
	ctx = m.outlast(ctx)
	m.lookBack(ctx, input)
	return m.run(ctx)
}

// watch is one run of a monitor: the machine, and what is under way for it.
type watch struct {
	machine *monitor.Machine
	log     log.Logger

	signals   int  // received in this run
	updates   int  // accepted in this run
	changed   bool // the state has changed since the loop last looked
	cancelled bool // the workflow was, and the monitor stops
	looking   bool // for the last policy: no signal is taken before it is known
	hasPolicy bool // an update has put one in force
	schedule  *call
	await     *call
	cancels   map[string]*call // by request id
	notices   map[string]*call // by their id
	timers    []*timer
	index     func() bool // there are search attributes
	shown     shown       // where lists of monitors look
	retires   time.Time   // when the run hands on to its successor, whatever it has seen
	measures  measures
	traces    *traces // nil: nothing is traced
}

// run lets the machine see what has arrived, does what it wants, and waits for
// more.
func (m *watch) run(ctx workflow.Context) error {
	for {
		m.calendar(ctx)
		m.drain(ctx)
		if m.cancelled {
			Cancelled(m.machine, workflow.Now(ctx))
		}
		m.collect(ctx)
		now := workflow.Now(ctx)
		m.machine.Tick(now)
		m.measures.count(m.machine.Counters())
		wants := m.machine.Wants(now)
		switch {
		case wants.Done:
			m.describe(ctx)
			return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
		case m.isFull(ctx):
			return m.continueAsNew(ctx)
		}
		if now.Before(m.retires) { // later a call is waited for, see isFull
			wants.Wakes = append(wants.Wakes, monitor.Wake{At: m.retires, Summary: "hand on to a new run"})
		}
		m.perform(ctx, wants)
		if err := m.show(ctx, now); err != nil {
			return err
		}
		m.describe(ctx)
		m.changed = false
		if err := workflow.Await(ctx, func() bool { return m.changed || m.isReady() || m.hasSignals(ctx) }); err != nil {
			return err
		}
	}
}

// isFull says that the run should end. A schedule call under way is waited for,
// and so are notices, so that nobody is asked or told twice without need.
func (m *watch) isFull(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	if (m.schedule != nil || len(m.notices) > 0) && m.signals < maxHeldSignals && m.updates < maxHeldUpdates && info.GetCurrentHistorySize() < maxHeldBytes {
		return false
	}
	return info.GetContinueAsNewSuggested() || m.signals >= maxRunSignals || m.updates >= maxRunUpdates || !workflow.Now(ctx).Before(m.retires)
}

// continueAsNew hands the state on to the next run, which derives from it what
// is still to be done: what is left of the cooldown, the retraining in flight.
// Everything that arrived is in the state by now.
func (m *watch) continueAsNew(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	state := m.machine.State()
	return workflow.NewContinueAsNewError(ctx, monitor.WorkflowType, Input{ModelName: state.ModelName, State: &state})
}

// hasSignals says that signals wait, of names we know or not.
func (m *watch) hasSignals(ctx workflow.Context) bool {
	return len(workflow.GetUnhandledSignalNames(ctx)) > 0
}

// drain takes every signal that has arrived. They are received raw, so that one
// that can't be decoded is counted and explained instead of dropped.
func (m *watch) drain(ctx workflow.Context) {
	if m.looking {
		return
	}
	taken := 0 // bytes, since the last breath
	names := workflow.GetUnhandledSignalNames(ctx)
	slices.Sort(names) // the SDK names them in map order
	for _, name := range names {
		channel := workflow.GetSignalChannel(ctx, name)
		for {
			var raw converter.RawValue
			if !channel.ReceiveAsync(&raw) {
				break
			}
			m.signals, m.changed = m.signals+1, true // an update drains too, and may then be refused
			done := m.traces.take(name)
			Receive(m.machine, workflow.Now(ctx), name, raw)
			done()
			if taken += signalCost + len(raw.Payload().GetData()); taken > maxBreath {
				taken = 0
				breathe(ctx)
			}
		}
	}
}

// breathe yields, which changes nothing but that the SDK begins to count its
// second anew. What runs meanwhile, an update, drains on where this has stopped.
func breathe(ctx workflow.Context) {
	rested := false
	workflow.Go(ctx, func(workflow.Context) { rested = true })
	_ = workflow.Await(ctx, func() bool { return rested }) // it fails when the monitor is cancelled, and need not wait then
}

// Receive hands one signal, as it came, to a machine. Whoever decides a recorded
// history again calls it too.
func Receive(machine *monitor.Machine, now time.Time, name string, raw converter.RawValue) {
	machine.CountSignal()
	payload, err := jsonOf(raw)
	if err != nil {
		machine.Reject(now, name, err, nil)
		return
	}
	switch name {
	case monitor.SignalMetric:
		machine.TakeEvents(now, payload)
	case monitor.SignalMetricDigest:
		machine.TakeBatch(now, payload)
	case monitor.SignalRetrainingOutcome:
		machine.TakeOutcome(now, payload)
	default:
		machine.Reject(now, name, fmt.Errorf("no signal of this name is known; the signals are %s, %s and %s",
			monitor.SignalMetric, monitor.SignalMetricDigest, monitor.SignalRetrainingOutcome), payload)
	}
}
