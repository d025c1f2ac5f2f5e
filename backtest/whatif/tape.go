// Package whatif decides a monitor's recorded life again, by another policy: it
// reads from the history what the monitor's machine was given, and when, and gives
// it to another machine. The recording is not changed by that (open loop): the
// metrics are those of the models that were in service then.
package whatif

import (
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// Codec reads payloads and failures as the monitors' workers write them.
type Codec struct {
	Data    converter.DataConverter    // default: the SDK's
	Failure converter.FailureConverter // default: the SDK's
}

func (c Codec) withDefaults() Codec {
	if c.Data == nil {
		c.Data = converter.GetDefaultDataConverter()
	}
	if c.Failure == nil {
		c.Failure = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: c.Data})
	}
	return c
}

// task is one workflow task: what the monitor's code was given in one go, and what
// of its answer says what it was given besides.
type task struct {
	scheduled time.Time // when it was due: from then on, time waited for a worker
	at        time.Time // what its code took for now
	isFirst   bool      // of its run
	isTimed   bool      // a timer has fired
	cancelled bool      // the workflow was
	looked    *looked   // for the last policy
	signals   []signal  // in order; the monitor takes them by name
	ended     []ended   // activities
	updates   []update  // those accepted, in the order in which they are carried out
	calendars []calendar
}

type signal struct {
	name string
	raw  converter.RawValue
}

type update struct {
	id, name string
	raw      converter.RawValue
}

// calendar is what a side effect has recorded.
type calendar struct {
	Spans []policy.Span `json:"spans"`
	Error string        `json:"error,omitempty"`
}

// looked is what a run's look for the policy of the monitor before it came back
// with, and what its code took for now from then on.
type looked struct {
	at   time.Time
	last workflows.LastPolicy
	err  error
}

// ended is an activity that has come back.
type ended struct {
	call
	result *commonpb.Payloads
	err    error
}

// call is an activity asked for.
type call struct {
	activity  string
	requestID string
	id        string // of the activity
}

// The activities' names, as the SDK derives them.
const (
	activitySchedule = "ScheduleRetraining"
	activityAwait    = "AwaitRetraining"
	activityCancel   = "CancelRetraining"
)

// reader takes one run's events apart into tasks.
type reader struct {
	codec    Codec
	calls    map[int64]call // by the event that scheduled them
	admitted map[string]*updatepb.Request
	gathered task  // since the last task
	begun    bool  // the first task is done
	done     *task // whose answer is being read

	closed    time.Time // when the run ended; zero while it goes on
	continued bool      // by another run
	failure   string    // the run's
}

func newReader(codec Codec) *reader {
	return &reader{codec: codec, calls: map[int64]call{}, admitted: map[string]*updatepb.Request{}}
}

// waiting is how many signals no worker has taken.
func (r *reader) waiting() int { return len(r.gathered.signals) }

// read takes an event, and returns the task that it completes, if any.
func (r *reader) read(event *historypb.HistoryEvent) (complete *task, err error) {
	g := &r.gathered
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
		if g.scheduled.IsZero() {
			g.scheduled = event.GetEventTime().AsTime()
		}
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		g.at = event.GetEventTime().AsTime() // of the last attempt, if this one fails
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		complete = r.finish()
		done := r.gathered
		done.isFirst = !r.begun
		r.begun = true
		r.done = &done
		r.gathered = task{}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		a := event.GetWorkflowExecutionSignaledEventAttributes()
		raw, err := r.raw(a.GetInput())
		if err != nil {
			return nil, fmt.Errorf("signal %s of event %d: %w", a.GetSignalName(), event.GetEventId(), err)
		}
		g.signals = append(g.signals, signal{a.GetSignalName(), raw})
	case enumspb.EVENT_TYPE_TIMER_FIRED:
		g.isTimed = true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		g.cancelled = true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
		request := event.GetWorkflowExecutionUpdateAdmittedEventAttributes().GetRequest()
		r.admitted[request.GetMeta().GetUpdateId()] = request
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		err = r.accept(event)
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		err = r.mark(event)
	default:
		err = r.readActivity(event)
		if err == nil {
			r.readEnd(event)
		}
	}

	return complete, err
}

// finish returns the task whose answer is read.
func (r *reader) finish() *task {
	done := r.done
	r.done = nil
	return done
}

func (r *reader) readActivity(event *historypb.HistoryEvent) error {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		a := event.GetActivityTaskScheduledEventAttributes()
		var argument activities.Call
		if err := r.codec.Data.FromPayloads(a.GetInput(), &argument); err != nil {
			return fmt.Errorf("argument of activity %s of event %d: %w", a.GetActivityType().GetName(), event.GetEventId(), err)
		}
		r.calls[event.GetEventId()] = call{a.GetActivityType().GetName(), argument.Request.RequestID, a.GetActivityId()}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := event.GetActivityTaskCompletedEventAttributes()
		r.end(a.GetScheduledEventId(), a.GetResult(), nil)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := event.GetActivityTaskFailedEventAttributes()
		r.end(a.GetScheduledEventId(), nil, &failurepb.ActivityFailureInfo{
			StartedEventId: a.GetStartedEventId(), Identity: a.GetIdentity(), RetryState: a.GetRetryState(),
		}, a.GetFailure())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		a := event.GetActivityTaskTimedOutEventAttributes()
		r.end(a.GetScheduledEventId(), nil, &failurepb.ActivityFailureInfo{
			StartedEventId: a.GetStartedEventId(), RetryState: a.GetRetryState(),
		}, a.GetFailure())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		a := event.GetActivityTaskCanceledEventAttributes()
		r.end(a.GetScheduledEventId(), nil, &failurepb.ActivityFailureInfo{
			StartedEventId: a.GetStartedEventId(), Identity: a.GetIdentity(),
		}, &failurepb.Failure{FailureInfo: &failurepb.Failure_CanceledFailureInfo{CanceledFailureInfo: &failurepb.CanceledFailureInfo{Details: a.GetDetails()}}})
	}

	return nil
}

// end notes that an activity has come back. Its error is framed as the SDK frames
// it for the workflow.
func (r *reader) end(scheduled int64, result *commonpb.Payloads, info *failurepb.ActivityFailureInfo, cause ...*failurepb.Failure) {
	e := ended{call: r.calls[scheduled], result: result}
	if info != nil {
		info.ScheduledEventId = scheduled
		info.ActivityId = e.id
		info.ActivityType = &commonpb.ActivityType{Name: e.activity}
		e.err = r.codec.Failure.FailureToError(&failurepb.Failure{
			Message: "activity error", Cause: cause[0],
			FailureInfo: &failurepb.Failure_ActivityFailureInfo{ActivityFailureInfo: info},
		})
	}
	r.gathered.ended = append(r.gathered.ended, e)
}

func (r *reader) readEnd(event *historypb.HistoryEvent) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		r.continued = true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		r.failure = event.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetMessage()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
	default:
		return
	}

	r.closed = event.GetEventTime().AsTime()
}

// accept notes an update that the task whose answer is read has carried out.
func (r *reader) accept(event *historypb.HistoryEvent) error {
	a := event.GetWorkflowExecutionUpdateAcceptedEventAttributes()
	request := a.GetAcceptedRequest()
	if admitted := r.admitted[a.GetProtocolInstanceId()]; admitted != nil {
		request = admitted
	}
	raw, err := r.raw(request.GetInput().GetArgs())
	if err != nil {
		return fmt.Errorf("update %s of event %d: %w", request.GetInput().GetName(), event.GetEventId(), err)
	}

	if r.done != nil {
		r.done.updates = append(r.done.updates, update{request.GetMeta().GetUpdateId(), request.GetInput().GetName(), raw})
	}
	return nil
}

// The markers' names, as the SDK has them.
const (
	markerSideEffect    = "SideEffect"    // the spans of blackouts; the monitor has no other one
	markerLocalActivity = "LocalActivity" // the look for the last policy; neither
)

// mark notes what the task has computed or looked up.
func (r *reader) mark(event *historypb.HistoryEvent) error {
	a := event.GetMarkerRecordedEventAttributes()
	switch {
	case r.done == nil:
	case a.GetMarkerName() == markerSideEffect:
		var c calendar
		if err := r.codec.Data.FromPayloads(a.GetDetails()["data"], &c); err != nil {
			return fmt.Errorf("spans of blackouts of event %d: %w", event.GetEventId(), err)
		}
		r.done.calendars = append(r.done.calendars, c)
	case a.GetMarkerName() == markerLocalActivity:
		var data struct{ ReplayTime time.Time }
		l := &looked{}
		err := r.codec.Data.FromPayloads(a.GetDetails()["data"], &data)
		if failure := a.GetFailure(); failure != nil {
			l.err = r.codec.Failure.FailureToError(failure)
		} else if err == nil {
			err = r.codec.Data.FromPayloads(a.GetDetails()["result"], &l.last)
		}

		if err != nil {
			return fmt.Errorf("last policy of event %d: %w", event.GetEventId(), err)
		}

		l.at = data.ReplayTime
		r.done.looked = l
	}

	return nil
}

// raw is a payload as the monitor takes it: decoded as far as bytes.
func (r *reader) raw(payloads *commonpb.Payloads) (raw converter.RawValue, err error) {
	if len(payloads.GetPayloads()) > 0 {
		err = r.codec.Data.FromPayloads(payloads, &raw)
	}
	return raw, err
}
