package main

import (
	"time"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Loop closes the circle around one model's decision machine: what it wants
// retrained is retrained, and what is observed next is the new version's. It is
// the shell that MonitorWorkflow is in production, with the backend imagined.
type Loop struct {
	machine *monitor.Machine
	// Triggers are the instants at which a retraining was asked for.
	Triggers []time.Time
	asked    bool // a decision fell that may have changed what the machine wants
}

// NewLoop returns the loop of a model that was never watched before. The policy
// must be valid.
func NewLoop(modelName string, wanted policy.Policy) *Loop {
	l := &Loop{machine: monitor.NewMachine(modelName, "study/"+modelName, wanted)}
	l.machine.OnDecision = func(decision monitor.Decision) {
		if decision.Kind == policy.Triggered {
			l.Triggers = append(l.Triggers, decision.At)
			l.asked = true
		}
	}
	return l
}

// Observe lets the clock go on to the event's timestamp, and judges it.
func (l *Loop) Observe(event *metric.Event) {
	l.Advance(event.Timestamp)
	l.machine.Observe(event.Timestamp, event)
	l.machine.Tick(event.Timestamp) // as the workflow does after what arrived
}

// Advance lets the clock go on to now: what is due by then is judged in order.
func (l *Loop) Advance(now time.Time) {
	for {
		wake, ok := l.machine.NextWake()
		if !ok || wake.After(now) {
			return
		}
		l.machine.Tick(wake)
		if again, ok := l.machine.NextWake(); ok && !again.After(wake) {
			return // nothing that time alone settles
		}
	}
}

// Wanted returns the retraining that the machine asks for, once.
func (l *Loop) Wanted(now time.Time) (requestID string, wanted bool) {
	if !l.asked {
		return "", false
	}
	l.asked = false
	flight := l.machine.Wants(now).Schedule
	if flight == nil {
		return "", false
	}
	l.machine.TakeJob(now, flight.RequestID, modelops.Job{Backend: "study", Followed: true})
	return flight.RequestID, true
}

// Retrained tells the machine that a retraining has made a version.
func (l *Loop) Retrained(now time.Time, requestID, version string) {
	l.machine.Outcome(now, modelops.Outcome{RequestID: requestID, State: modelops.Succeeded, ModelVersion: version})
}
