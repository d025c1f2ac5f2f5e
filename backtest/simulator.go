package backtest

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

// requestBase is what the request ids of imagined retrainings begin with.
const requestBase = "backtest/"

// Simulator is the shell around one model's decision machine that time and
// backends are imagined for, as MonitorWorkflow is the one that has them. Its own
// work allocates nothing for an event that leads to no new decision.
type Simulator struct {
	machine *monitor.Machine
	options Options
	policy  policy.Policy // nothing left out
	// needsCalendar is what the policy says of itself, which each event would ask again.
	needsCalendar bool
	result        Result
	spans         breachSpans
	row           table.Row    // the last event, and
	sent          metric.Batch // the last batch, whose memory the next one takes

	now   time.Time // the clock: never goes back
	wake  time.Time // when time alone changes something next; zero: never
	stale time.Time // a wake that Tick left as it was; it is not due again
	look  bool      // a decision fell that may have changed what the machine wants

	requestID string    // of the retraining under way; empty without
	lands     time.Time // when it ends, where its backend is imagined
	answers   time.Time // when the trigger that waits is approved; zero: never
}

// NewSimulator returns the simulator of a model that was never watched before.
// The policy must be valid.
func NewSimulator(modelName string, wanted policy.Policy, options Options) *Simulator {
	s := &Simulator{options: options, policy: wanted.WithDefaults()}
	s.needsCalendar = s.policy.NeedsCalendar()
	s.machine = monitor.NewMachine(modelName, requestBase+modelName, wanted)
	s.machine.OnDecision = s.decided
	s.machine.OnRepeat = func(policy.Kind, monitor.Suppression) { s.decided(s.machine.Repeated()) }
	s.machine.OnJudged = s.judged
	s.result.rules = s.policy.Rules
	s.result.Rules = make([]Account, len(s.policy.Rules))
	for i := range s.policy.Rules {
		s.result.Rules[i].Name = s.policy.Rules[i].Name
	}
	s.result.ModelName = modelName
	s.result.Decisions = []monitor.Decision{}
	s.spans.lasts = lastings(s.policy.Rules)
	return s
}

// OnRejection lets it tell of what the machine refuses.
func (s *Simulator) OnRejection(tell func(monitor.Rejection)) {
	s.machine.OnRejection = func(why monitor.Rejection, _ int64) { tell(why) }
}

// Observe lets the clock go on to a valid event's arrival and judges it. Events
// come in order of time; one from before the last is handled at the last's
// instant. arrived is when it arrived; where it is zero, that follows from its
// timestamp.
func (s *Simulator) Observe(event *metric.Event, arrived time.Time) {
	s.row.OfEvent(event)
	s.ObserveRow(&s.row, arrived)
}

// ObserveRow is Observe for an event that is a row of a table.
func (s *Simulator) ObserveRow(row *table.Row, arrived time.Time) {
	now := arrived
	if now.IsZero() {
		now = row.Timestamp.Add(s.options.ArrivalDelay)
	}
	if now.Before(s.now) {
		now = s.now
	}
	s.advance(now)
	s.calendar(now)
	s.spans.begin(now)
	s.machine.ObserveRow(now, row)
	s.wake, _ = s.machine.Tick(now) // as the workflow does after what arrived
	s.spans.end(row)
	s.settle(now)
	if s.result.First.IsZero() {
		s.result.First = now
	}
	s.result.Last = now
}

// ObserveDigest lets the clock go on to an instant and judges a valid digest that arrives
// then, as one publisher would send it.
func (s *Simulator) ObserveDigest(digest *metric.Digest, now time.Time) {
	now = latest(now, s.now)
	s.advance(now)
	s.calendar(now)
	s.sent.Version = metric.BatchVersion
	s.sent.ModelName = s.result.ModelName
	s.sent.Publisher = "recorded"
	s.sent.Sequence++
	s.sent.Digests = append(s.sent.Digests[:0], digest)
	s.machine.ObserveBatch(now, &s.sent)
	s.wake, _ = s.machine.Tick(now)
	s.settle(now)
	if s.result.First.IsZero() {
		s.result.First = now
	}
	s.result.Last = now
}

// advance lets the clock go on to now: what is due by then happens in order of
// time. An outcome comes before a wake of the same instant, so that a training
// that takes exactly the timeout is in time, and so does an approval.
func (s *Simulator) advance(now time.Time) {
	s.now = now
	for {
		wake := s.wake
		due := !wake.IsZero() && !wake.After(now) && !wake.Equal(s.stale)
		switch {
		case s.hasLanded(now) && (!due || !wake.Before(s.lands)):
			s.land()
		case s.isAnswered(now) && (!due || !wake.Before(s.answers)):
			s.approve()
		case due:
			s.calendar(wake)
			s.machine.FindBounds(wake, s.options.Bounds.Find)
			s.wake, _ = s.machine.Tick(wake)
			s.settle(wake)
			if !s.wake.After(wake) {
				s.stale = s.wake
			}
		default:
			return
		}
	}
}

// calendar lets the machine know when blackouts are on and schedules are due.
func (s *Simulator) calendar(now time.Time) {
	if !s.needsCalendar {
		return
	}
	if wanted, ok := s.machine.CalendarWanted(now); ok {
		computed, err := s.machine.Clocks().Calendar(wanted.From, wanted.Until)
		s.machine.SetCalendar(now, wanted, computed, err)
	}
}

// settle does what the machine wants, if that can have changed.
func (s *Simulator) settle(now time.Time) {
	for s.look {
		s.look = false
		wants := s.machine.Wants(now)
		switch {
		case wants.Schedule != nil && s.requestID != wants.Schedule.RequestID:
			s.schedule(now, wants.Schedule.Request)
		case wants.Schedule == nil && wants.Await == nil:
			s.requestID = "" // it has timed out, or an operator would have ended it
		}

		switch {
		case s.hasLanded(now):
			s.land()
		case s.isAnswered(now):
			s.approve()
		}
		s.wake, _ = s.machine.NextWake()
	}
}

func (s *Simulator) schedule(now time.Time, request modelops.Request) {
	job := modelops.Job{Backend: "backtest", Followed: s.options.Backend != nil || s.options.Training != TrainingAccepted}
	if job.Followed {
		s.requestID = request.RequestID
		s.lands = now.Add(s.options.TrainingTime)
	}

	s.machine.TakeJob(now, request.RequestID, job)
	if s.options.Backend != nil {
		s.options.Backend(request)
	}
}

// hasLanded says that the retraining under way is one that ends by itself, and has.
func (s *Simulator) hasLanded(now time.Time) bool {
	return s.requestID != "" && s.options.Backend == nil && !s.lands.After(now)
}

// land ends the retraining under way.
func (s *Simulator) land() {
	outcome := modelops.Outcome{RequestID: s.requestID, State: modelops.Succeeded}
	if s.options.Training == TrainingFails {
		outcome.State = modelops.Failed
	}
	s.outcome(s.lands, outcome)
}

// Outcome is what the backend says of a retraining, at the instant that the clock
// has reached.
func (s *Simulator) Outcome(outcome modelops.Outcome) {
	s.outcome(s.now, outcome)
	s.wake, _ = s.machine.Tick(s.now)
	s.settle(s.now)
}

func (s *Simulator) outcome(now time.Time, outcome modelops.Outcome) {
	if outcome.RequestID == s.requestID {
		s.requestID = ""
	}
	s.machine.Outcome(now, outcome)
	s.look = true
	s.settle(now)
}

// isAnswered says that the operator approves the trigger that waits by now.
func (s *Simulator) isAnswered(now time.Time) bool {
	return !s.answers.IsZero() && !s.answers.After(now)
}

// approve is the operator's word on the trigger that waits, if it still does.
func (s *Simulator) approve() {
	at := s.answers
	s.answers = time.Time{}
	if s.machine.CanAnswer(true) == nil {
		s.machine.Approve(at, monitor.Control{Reason: "approved as the rehearsal says"})
	}
	s.settle(at)
}

// decided hears of each decision.
func (s *Simulator) decided(decision monitor.Decision) {
	s.result.Decisions = journal.AppendDecision(s.result.Decisions, decision)
	if s.options.OnDecision != nil {
		s.options.OnDecision(&decision)
	}
	switch decision.Kind {
	case policy.Suppressed, policy.Held:
		s.spans.breach(&decision)
	case policy.Triggered:
		s.spans.breach(&decision)
		s.look = true
	case policy.AwaitingApproval:
		s.spans.breach(&decision)
		s.look = true
		if after, answers := s.options.ApproveAfter.Get(); answers {
			s.answers = decision.At.Add(after)
		}
	case policy.Warned:
		s.result.Warnings++
	case policy.Succeeded, policy.Accepted:
		s.spans.retrained(decision.At)
		s.look = true
	default:
		s.look = true
	}
}

// Finish lets the clock run on until every period that holds an event is judged,
// and returns what was decided. The simulator must not be used after it. The
// caller names the policy.
func (s *Simulator) Finish() Result {
	until := s.now
	if !s.result.Last.IsZero() {
		zones := s.machine.Guidance(s.now).Zones
		for i := range s.policy.Rules {
			rule := &s.policy.Rules[i]
			if rule.IsWindowed() {
				periods := rule.Periods(zones)
				until = latest(until, periods.Due(periods.Of(s.result.Last)))
			}
		}
		s.advance(until)
	}

	status := s.machine.Status(until)
	r := &s.result
	r.Events = status.Events
	r.Rejected = status.Rejected
	r.Breaches = status.Breaches
	r.Suppressed = status.Suppressed
	r.Retrainings = status.Retrainings
	s.closeAccounts(&status)
	r.TimeInBreach = policy.Duration(s.spans.total(until))
	r.Detection = detect(r.Decisions, s.options.Drifts, &s.policy)
	return *r
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
