// Package workflows holds MonitorWorkflow, the durable shell around the decision
// machine of package monitor: signals, updates, queries, timers and activities.
// It decides nothing about thresholds itself.
package workflows

import (
	"hash/fnv"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

const (
	// maxRunSignals is after how many signals a run asks for its successor, even
	// when the server does not suggest it yet. The server refuses signals past
	// 10,000 a run, and a short history is replayed fast enough to end a run
	// between two signals when they come without pause.
	maxRunSignals = 2000
	// A run that gets rushSignals within rush, more than a monitor is made for, asks for
	// its successor then. A server that is busy with one workflow's signals does nothing
	// else for it: what it sends a worker or a backend, it does with less priority, and
	// tells nobody of a retraining that is due. It refuses signals while a run ends at the
	// second attempt, and clients then pause: that lets everything else through.
	rushSignals = 400
	rush        = time.Minute
	// maxRunWork is after how much work a run asks for its successor, however few
	// signals it was: whoever replays it does the work again.
	maxRunWork = 64 << 20
	// A run waits for a call under way before it hands on, but not for ever: its
	// successor asks again by the same request id. maxDeferredSignals and maxDeferredBytes of
	// history are well before the server refuses signals, 10,000, and ends a run for
	// good, 50 MiB. In events it is maxDeferredGrowth times the length at which the server
	// first suggested a successor: 8,192 of the 51,200 at which it ends a run. A rule of
	// a second that keeps a monitor awake while a backend is away is five events a second.
	maxDeferredSignals = 2 * maxRunSignals
	maxDeferredBytes   = 16 << 20
	maxDeferredGrowth  = 2
	// A run hands on to its successor after a day at the latest, so that code which
	// only older runs replay can be retired. They end at different times, so that a
	// fleet that was started at once does not hand on at once.
	maxRunAge    = 24 * time.Hour
	runAgeSpread = 4 * time.Hour
	// A run that is pinned to its build, and hears from the server that another build is
	// the current one, hands on to a run of that one within moveSpread. All monitors that
	// are heard of hear of it within a minute or so, and a new run costs the server some
	// five times a signal: 5,000 monitors are 21 new runs a second, not 80. A call defers
	// that for movePatience, an attempt's time, and no more: what it waits for may be what
	// the other build is to mend, and only workers of its own build take it.
	moveSpread   = 4 * time.Minute
	movePatience = attemptTimeout
	// wakesWhenDeferred is the change by which no run that should end is left without what
	// ends it. Runs of before have other timers.
	wakesWhenDeferred = "wakes-when-deferred"
)

// ageOf is how old the run of an id gets at most.
func ageOf(runID string) time.Duration { return maxRunAge - partOf(runAgeSpread, runID) }

// partOf is a part of a time, from none of it to nearly all, that is the same whenever it
// is asked for, and evenly spread over the runs of a fleet.
func partOf(whole time.Duration, runID string) time.Duration {
	spread := fnv.New32a()
	_, _ = spread.Write([]byte(runID))
	return time.Duration(float64(whole) * float64(spread.Sum32()) / (1 << 32))
}

// Worker is what a worker knows that a monitor goes by. What it says is recorded, so
// that a replay by another worker finds the same. The zero value knows of nothing.
type Worker struct {
	// HasIndex says that the namespace has the search attributes. A workflow task that
	// sets one which is not there fails.
	HasIndex func() bool
	// NeedsSeal says that signals in the clear are not taken.
	NeedsSeal bool
}

// MonitorWorkflow watches one model. Its argument is an Input, which may be left
// out in whole or in part.
func MonitorWorkflow(ctx workflow.Context, input converter.RawValue) error {
	return Worker{}.MonitorWorkflow(ctx, input)
}

// MonitorWorkflow is the monitor of a worker that knows of more.
func (w Worker) MonitorWorkflow(ctx workflow.Context, input converter.RawValue) error {
	m, err := setup(ctx, input)
	if err != nil {
		return err
	}
	m.worker = w
	m.sealedOnly = m.needsSeal(ctx)
	ctx = m.outlast(ctx)
	m.lookBack(ctx, input)
	return m.run(ctx)
}

// monitorRun is one run of a monitor: the machine, and what is under way for it.
type monitorRun struct {
	own        workflow.Context // the workflow's, which ends when it is cancelled; see outlast
	machine    *monitor.Machine
	worker     Worker
	sealedOnly bool // signals in the clear are not taken
	log        log.Logger

	quota     quota // what may still be taken of the signals that wait
	began     time.Time
	answered  time.Time // the time of the last task that an update came with
	signals   int       // received in this run
	updates   int       // accepted in this run
	suggests  int       // the length of history when the server first suggested a successor; 0: not yet
	isTaking  bool      // a signal is being taken, which whoever runs meanwhile waits for
	changed   bool      // the state has changed since the loop last looked
	cancelled bool      // the workflow was, and the monitor stops
	isHeeded  bool      // that the workflow was is known, or will be in a moment
	looking   bool      // for the last policy: no signal is taken before it is known
	hasPolicy bool      // an update has put one in force
	schedule  *call
	// asksAgain says that the run before handed on while a schedule call was wanted. To
	// ask once more would put it behind all others in the queue once more.
	asksAgain bool
	await     *call
	cancels   map[string]*call // by request id
	notices   map[string]*call // by their id
	bounds    *boundsCall      // that are being found; nil: none
	timers    []*timer
	shown     shown             // where lists of monitors look
	policy    string            // in words; "": not put into words yet
	described described         // on the page
	retires   time.Time         // when the run hands on to its successor, whatever it has seen
	told      contract.Guidance // what is no news to publishers
	isHeard   bool              // a publisher was there in this run
	newsAt    time.Time         // when the run hands on so that publishers hear of news; zero: there is none
	movesAt   time.Time         // when the run hands on to another build; zero: it is of the current one
	measures  measures
	traces    *traces  // nil: nothing is traced
	follower  Follower // nil, but in a replay that somebody follows
}

// run takes turns, and rests in between, where a monitor spends its life.
func (m *monitorRun) run(ctx workflow.Context) error {
	for {
		isOver, err := m.turn(ctx)
		if isOver || err != nil {
			return err
		}
		if err := m.rest(ctx); err != nil {
			return err
		}
	}
}

// rest waits until there is something to do.
func (m *monitorRun) rest(ctx workflow.Context) error {
	isDue := func() bool {
		return m.changed || m.isReady() || m.hasSignals(ctx) && !m.quota.isSpent(workflow.Now(ctx))
	}
	if err := workflow.Await(ctx, func() bool { return isDue() || m.isToHeed() }); err != nil {
		return err
	}

	m.heed(ctx)
	return workflow.Await(ctx, isDue)
}

// turn lets the machine see what has arrived and does what it wants, and says whether the
// run is over. What arrived is a pile where a task can't take all of it: what the machine
// wants is done nevertheless, and the next task goes on.
func (m *monitorRun) turn(ctx workflow.Context) (isOver bool, err error) {
	m.calendar(ctx)
	all := m.drain(ctx)
	if m.cancelled {
		Stop(m.machine, workflow.Now(ctx))
		m.gave(ctx, Stopped{})
	}
	m.collect(ctx)
	now := workflow.Now(ctx)
	if all { // else what is still to be read would come too late for its periods
		m.machine.Tick(now)
		m.gave(ctx, Passed{})
	}
	m.measures.count(m.machine.Counters())
	wants := m.machine.Wants(now)
	m.hearNews(now)
	m.hearBuild(ctx, now)

	switch {
	case !all:
		wants.Wakes = slices.DeleteFunc(wants.Wakes, func(w monitor.Wake) bool { return !w.At.After(now) })
		wants.Wakes = append(wants.Wakes, monitor.Wake{At: now.Add(pilePause), Summary: "go on with what has piled up"})
	case wants.Done:
		m.describe(ctx)
		return true, workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	case m.isFull(ctx):
		wake, isDeferred := m.defers(ctx, wants)
		if !isDeferred {
			return true, m.continueAsNew(ctx)
		}
		if !wake.IsZero() {
			wants.Wakes = append(wants.Wakes, monitor.Wake{At: wake, Summary: "hand on to a new run all the same"})
		}
	}

	if now.Before(m.retires) { // later the run is over, or waits for what defers says
		wants.Wakes = append(wants.Wakes, monitor.Wake{At: m.retires, Summary: "hand on to a new run"})
	}

	if now.Before(m.newsAt) {
		wants.Wakes = append(wants.Wakes, monitor.Wake{At: m.newsAt, Summary: "hand on to a new run, so that publishers ask what has changed"})
	}

	if now.Before(m.movesAt) {
		wants.Wakes = append(wants.Wakes, monitor.Wake{At: m.movesAt, Summary: "hand on to a new run, of the build that is current now"})
	}

	m.perform(ctx, wants)
	m.findBounds(ctx)
	if err := m.show(ctx, now); err != nil {
		return false, err
	}

	m.describe(ctx)
	m.changed = false
	return false, nil
}

// newsPause is how long a run waits before it hands on for the sake of news: until the
// update that they came with has its answer, and for further ones.
const newsPause = time.Second

// hearNews looks whether publishers should ask anew. They hear of it by the id of the run
// that takes their signals, which costs nobody a query. Before the first one was heard,
// nothing is news.
func (m *monitorRun) hearNews(now time.Time) {
	guidance := m.machine.Guidance(now)
	m.isHeard = m.isHeard || guidance.Publishers > 0
	switch {
	case !m.isHeard:
		m.told = guidance
	case guidance.Phase == contract.PhasePaused: // they have asked what their breaches lead to
		m.told.Phase = guidance.Phase
	case m.newsAt.IsZero() && guidance.IsNewsAfter(&m.told):
		m.newsAt = now.Add(newsPause)
	}
}

// hearBuild looks whether a pinned run should hand on to another build: the server says
// so with each task, until the run's own build is the current one again. It says it to no
// other run: those move on without handing on.
func (m *monitorRun) hearBuild(ctx workflow.Context, now time.Time) {
	info := workflow.GetInfo(ctx)
	switch {
	case !info.GetTargetWorkerDeploymentVersionChanged():
		m.movesAt = time.Time{}
	case m.movesAt.IsZero():
		m.movesAt = now.Add(partOf(moveSpread, info.OriginalRunID))
	}
}

// isMoving says that the run should hand on to another build by now.
func (m *monitorRun) isMoving(now time.Time) bool {
	return !m.movesAt.IsZero() && !now.Before(m.movesAt)
}

// isFull says that the run should end.
func (m *monitorRun) isFull(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	now := workflow.Now(ctx)
	if m.suggests == 0 && info.GetContinueAsNewSuggested() {
		m.suggests = info.GetCurrentHistoryLength()
	}

	hasNews := !m.newsAt.IsZero() && !now.Before(m.newsAt)
	return info.GetContinueAsNewSuggested() || hasNews || m.isMoving(now) || !now.Before(m.retires) || m.quota.total >= maxRunWork ||
		m.signals >= maxRunSignals || m.updates >= maxRunUpdates || m.isRush(now) && m.signals >= rushSignals
}

// isRush says that the run is so young that many signals are a rush.
func (m *monitorRun) isRush(now time.Time) bool { return now.Sub(m.began) < rush }

// defers says whether a run that should end goes on for a while: for the sake of a call,
// under way or still to be begun, so that nobody is asked or told twice without need; and
// of an update that came with this task. A task that hands on fails when a signal comes
// meanwhile, and with it the update. One that goes on does not. The run looks again when
// the call has ended, or at wake, unless that is zero.
func (m *monitorRun) defers(ctx workflow.Context, wants monitor.Wants) (wake time.Time, isDeferred bool) {
	now := workflow.Now(ctx)
	isCalling := wants.Schedule != nil || len(wants.Notices) > 0
	isDropping := m.schedule != nil && wants.Schedule == nil // its call is not wanted any more
	isAnswering := m.answered.Equal(now)
	if !isCalling && !isDropping && !isAnswering || !m.hasRoom(ctx) {
		return time.Time{}, false
	}

	waitsForCall := isCalling && !m.isMoving(now)
	if waitsForCall || workflow.GetVersion(ctx, wakesWhenDeferred, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return time.Time{}, true
	}

	if patient := m.movesAt.Add(movePatience); isCalling && now.Before(patient) {
		return patient, true
	}
	return now.Add(newsPause), isDropping || isAnswering
}

// hasRoom says that a run that should end may still be deferred.
func (m *monitorRun) hasRoom(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	signals := maxDeferredSignals
	if m.isRush(workflow.Now(ctx)) && !m.asksAgain {
		signals = 2 * rushSignals
	}
	return m.signals < signals && m.updates < maxDeferredUpdates && info.GetCurrentHistorySize() < maxDeferredBytes &&
		(m.suggests == 0 || info.GetCurrentHistoryLength() < maxDeferredGrowth*m.suggests)
}

// continueAsNew hands the state on to the next run, which derives from it what
// is still to be done: what is left of the cooldown, the retraining in flight.
// Everything that arrived is in the state by now: handlers of updates end in the task
// that began them. The next run begins with whatever build is current, and stays with it
// if it is pinned.
func (m *monitorRun) continueAsNew(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	state := m.machine.State()
	onCurrentBuild := workflow.ContinueAsNewErrorOptions{InitialVersioningBehavior: workflow.ContinueAsNewVersioningBehaviorAutoUpgrade}
	return workflow.NewContinueAsNewErrorWithOptions(ctx, onCurrentBuild, contract.WorkflowType, Input{ModelName: state.ModelName, State: &state})
}
