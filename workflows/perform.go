package workflows

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

const (
	// attemptTimeout bounds one call to a backend. Its own deadlines are shorter.
	attemptTimeout = time.Minute
	// Pauses between the attempts to schedule a retraining, unless the backend
	// asks for another.
	firstRetryPause   = time.Second
	longestRetryPause = time.Minute
)

// RetrainingTaskQueue is where retrainings are asked for, so that their limits are
// theirs: a rate of this queue bounds what a fleet starts.
func RetrainingTaskQueue(taskQueue string) string { return taskQueue + "-retraining" }

// FollowingTaskQueue is where retrainings are followed, and ended. That starts
// nothing, and waits behind no start.
func FollowingTaskQueue(taskQueue string) string { return taskQueue + "-following" }

// NoticesTaskQueue is where channels are told of decisions: no retraining waits
// behind a chat that is slow.
func NoticesTaskQueue(taskQueue string) string { return taskQueue + "-notices" }

// call is an activity under way for one retraining, or one notice.
type call struct {
	requestID string // or the notice's id
	future    workflow.Future
	cancel    workflow.CancelFunc
}

// timer is a durable timer under way.
type timer struct {
	wake   monitor.Wake
	future workflow.Future
	cancel workflow.CancelFunc
}

// perform brings what is under way in line with what the machine wants.
func (m *monitorRun) perform(ctx workflow.Context, wants monitor.Wants) {
	var activity *activities.Retraining // names only
	m.schedule = keep(m.schedule, wants.Schedule)
	if m.schedule == nil && wants.Schedule != nil {
		m.schedule = m.start(ctx, RetrainingTaskQueue, activity.ScheduleRetraining, wants.Schedule, &temporal.RetryPolicy{
			InitialInterval: firstRetryPause, BackoffCoefficient: 2, MaximumInterval: longestRetryPause,
		})
	}

	m.await = keep(m.await, wants.Await)
	if m.await == nil && wants.Await != nil {
		m.await = m.start(ctx, FollowingTaskQueue, activity.AwaitRetraining, wants.Await, &temporal.RetryPolicy{
			InitialInterval: activities.DefaultPollInterval, BackoffCoefficient: 1,
		})
	}

	for _, c := range wants.Cancel {
		if m.cancels[c.RequestID] == nil {
			m.cancels[c.RequestID] = cancelJob(below(ctx, m.machine.TraceOf(c.RequestID)), c)
		}
	}

	m.forget(wants.Notices)
	var busy []string // channels: each is told one thing after another, or what settles something could overtake it
	for i := range wants.Notices {
		notice := &wants.Notices[i]
		if !slices.Contains(busy, notice.Channel) && m.notices[notice.ID] == nil {
			m.notices[notice.ID] = tell(ctx, notice)
		}
		busy = append(busy, notice.Channel)
	}

	m.arm(ctx, wants.Wakes)
}

// forget ends the calls of notices that were dropped for newer ones: else each newer
// one would be told beside those before it, and a run that a script pauses and
// resumes would have as many calls under way as a channel that is away leaves open.
func (m *monitorRun) forget(wanted []monitor.Notice) {
	for _, id := range slices.Sorted(maps.Keys(m.notices)) {
		if !slices.ContainsFunc(wanted, func(n monitor.Notice) bool { return n.ID == id }) {
			m.notices[id].cancel()
			delete(m.notices, id)
		}
	}
}

// tellFor is how long a channel is tried to be told, from the decision on.
const tellFor = time.Hour

// tell tells a channel of a decision.
func tell(ctx workflow.Context, notice *monitor.Notice) *call {
	var activity *activities.Notices // names only
	left := notice.Decision.At.Add(tellFor).Sub(workflow.Now(ctx))
	ctx, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              NoticesTaskQueue(workflow.GetInfo(ctx).TaskQueueName),
		StartToCloseTimeout:    attemptTimeout,
		ScheduleToCloseTimeout: max(left, attemptTimeout),
		HeartbeatTimeout:       activities.HeartbeatTimeout,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: firstRetryPause, BackoffCoefficient: 2, MaximumInterval: longestRetryPause},
		Priority:               priorityOf(notice.Team, 0),
		Summary:                summary(fmt.Sprintf("tell %s: %s", notice.Channel, notice.Decision.Kind)),
	}))
	ctx = below(ctx, notice.Decision.Trace)
	return &call{notice.ID, workflow.ExecuteActivity(ctx, activity.Notify, *notice), cancel}
}

// cancelFor is how long a backend is tried to be told to end a retraining.
const cancelFor = 10 * time.Minute

// cancelJob tells a backend to end a retraining.
func cancelJob(ctx workflow.Context, c monitor.Cancelling) *call {
	var activity *activities.Retraining // names only
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              FollowingTaskQueue(workflow.GetInfo(ctx).TaskQueueName),
		StartToCloseTimeout:    attemptTimeout,
		ScheduleToCloseTimeout: cancelFor,
		HeartbeatTimeout:       activities.HeartbeatTimeout,
		Summary:                summary("end " + c.Reason),
	})
	argument := activities.Call{Backend: c.Backend, Request: c.Request}
	if c.Job != nil {
		argument.Job = *c.Job
	}

	return &call{requestID: c.RequestID, future: workflow.ExecuteActivity(ctx, activity.CancelRetraining, argument)}
}

// keep returns the call while it is still wanted, and cancels it otherwise.
func keep(c *call, wanted *monitor.Flight) *call {
	if c != nil && (wanted == nil || wanted.RequestID != c.requestID) {
		c.cancel()
		return nil
	}
	return c
}

// start calls a backend. Only the deadline in the machine's state ends the
// retries, so that it holds across runs.
func (m *monitorRun) start(ctx workflow.Context, queue func(string) string, activity any, flight *monitor.Flight, retry *temporal.RetryPolicy) *call {
	ctx, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           queue(workflow.GetInfo(ctx).TaskQueueName),
		StartToCloseTimeout: attemptTimeout,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         retry,
		Priority:            priorityOf(m.machine.Team(), flight.Priority),
		Summary:             summary(flight.Reason),
	}))
	argument := activities.Call{Backend: flight.Backend, Team: m.machine.Team(), Request: flight.Request}
	if flight.Job != nil {
		argument.Job = *flight.Job
	}
	ctx = below(ctx, m.machine.TraceOf(flight.RequestID))
	return &call{flight.RequestID, workflow.ExecuteActivity(ctx, activity, argument), cancel}
}

// arm sets a timer for each wake and cancels those that are not wanted any more.
func (m *monitorRun) arm(ctx workflow.Context, wakes []monitor.Wake) {
	armed := m.timers
	m.timers = nil
	for _, wake := range wakes {
		var found *timer
		for i, t := range armed {
			if t != nil && t.wake.At.Equal(wake.At) && !t.future.IsReady() {
				found, armed[i] = t, nil
				break
			}
		}

		if found == nil {
			timerCtx, cancel := workflow.WithCancel(ctx)
			future := workflow.NewTimerWithOptions(timerCtx, wake.At.Sub(workflow.Now(ctx)),
				workflow.TimerOptions{Summary: summary(wake.Summary)})
			found = &timer{wake, future, cancel}
		}

		m.timers = append(m.timers, found)
	}

	for _, t := range armed {
		if t != nil {
			t.cancel()
		}
	}
}

// isReady says that an activity has ended or a timer has fired.
func (m *monitorRun) isReady() bool {
	for _, t := range m.timers {
		if t.future.IsReady() {
			return true
		}
	}

	for _, calls := range []map[string]*call{m.cancels, m.notices} {
		for _, c := range calls { // any of them: the order doesn't matter
			if c.future.IsReady() {
				return true
			}
		}
	}

	if m.bounds != nil && m.bounds.future.IsReady() {
		return true
	}

	return m.schedule != nil && m.schedule.future.IsReady() || m.await != nil && m.await.future.IsReady()
}

// collect hands the machine what the activities came back with.
func (m *monitorRun) collect(ctx workflow.Context) {
	now := workflow.Now(ctx)
	if c := m.schedule; c != nil && c.future.IsReady() {
		m.schedule = nil
		var job modelops.Job
		returned := Returned{RequestID: c.requestID}
		if err := c.future.Get(ctx, &job); err != nil {
			returned.IsFrozen = activities.IsFrozen(err)
			returned.Reason = MessageOf(err)
		} else {
			returned.Job = &job
		}
		m.takeReturned(ctx, returned)
	}

	if c := m.await; c != nil && c.future.IsReady() {
		m.await = nil
		var outcome modelops.Outcome
		returned := Returned{RequestID: c.requestID}
		if err := c.future.Get(ctx, &outcome); err != nil {
			returned.Reason = MessageOf(err)
		} else {
			outcome.RequestID = c.requestID // it was asked about no other
			returned.Outcome = &outcome
		}
		m.takeReturned(ctx, returned)
	}

	m.takeBounds(ctx)
	ended(ctx, m.cancels, func(id string, err error) {
		m.machine.CancelTold(now, id, err)
		m.gave(ctx, Told{id, err})
	})
	ended(ctx, m.notices, m.machine.NoticeTold)
}

// takeReturned hands the machine what a call has come back with.
func (m *monitorRun) takeReturned(ctx workflow.Context, returned Returned) {
	returned.To(m.machine, workflow.Now(ctx))
	m.gave(ctx, returned)
}

// ended takes the calls that have ended from those under way, in the order of
// their ids, and hands on how.
func ended(ctx workflow.Context, calls map[string]*call, then func(id string, err error)) {
	for _, id := range slices.Sorted(maps.Keys(calls)) {
		c := calls[id]
		if !c.future.IsReady() {
			continue
		}
		delete(calls, id)
		err := c.future.Get(ctx, nil)
		if err != nil {
			err = errors.New(MessageOf(err))
		}
		then(id, err)
	}
}

// calendar lets the machine know the spans of its policy's blackouts, when its
// schedules are due, and the clocks of its zones. They are computed once and recorded,
// since time zone data differs between workers.
func (m *monitorRun) calendar(ctx workflow.Context) {
	now := workflow.Now(ctx)
	wanted, ok := m.machine.CalendarWanted(now)
	if !ok {
		return
	}

	clocks := m.machine.Clocks()
	var computed struct {
		Spans []calendar.Span             `json:"spans"`
		Zones map[string][]calendar.Shift `json:"zones,omitempty"` // these two as calendar.Calendar has them
		Due   map[string][]int64          `json:"due,omitempty"`
		Error string                      `json:"error,omitempty"`
	}

	encoded := workflow.SideEffect(ctx, func(workflow.Context) any {
		c := computed
		known, err := clocks.Calendar(wanted.From, wanted.Until)
		if err != nil {
			c.Error = err.Error()
			return c
		}
		c.Spans = known.Spans
		c.Zones = known.Zones
		c.Due = known.Due
		return c
	})

	err := encoded.Get(&computed)
	if err == nil && computed.Error != "" {
		err = errors.New(computed.Error)
	}

	known := &calendar.Calendar{From: wanted.From, Until: wanted.Until, Spans: computed.Spans, Zones: computed.Zones, Due: computed.Due}
	m.machine.SetCalendar(now, wanted, known, err)
	m.gave(ctx, Computed{wanted, known, err})
}

// MessageOf is an activity's error without Temporal's frame around it.
func MessageOf(err error) string {
	var application *temporal.ApplicationError
	if errors.As(err, &application) {
		return application.Message()
	}
	return err.Error()
}
