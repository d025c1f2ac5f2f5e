package monitor

import (
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/monitor/watch"
	"github.com/modelvigil/modelvigil/monitor/window"
)

// What a state and a status are made of is found here too, by those who run a machine
// and show what it knows: what rules say, what is written down, what becomes of
// retrainings.

type (
	// Verdict is what a rule says of a version.
	Verdict = verdict.Verdict
	// RuleStatus is what one rule says of a version, as a status has it.
	RuleStatus = watch.RuleStatus
	// DatapointStatus is one judged datapoint, as a status has it.
	DatapointStatus = watch.DatapointStatus
	// Judgement is what one rule said at one moment.
	Judgement = watch.Judgement
)

type (
	// Decision is what the machine did, and why.
	Decision = journal.Decision
	// Suppression is why a breach did not trigger.
	Suppression = journal.Suppression
	// Notice is a decision that a channel is to be told of.
	Notice = journal.Notice
	// Rejection is an input that was refused.
	Rejection = journal.Rejection
	// Counters are what was counted since the monitor was started.
	Counters = journal.Counters
	// RetrainingCounters are the retrainings, by what became of them.
	RetrainingCounters = journal.RetrainingCounters
)

type (
	// Control is an operator's word.
	Control = retraining.Control
	// Flight is the retraining in flight.
	Flight = retraining.Flight
	// Cancelling is a retraining that its backend is to be told to end.
	Cancelling = retraining.Cancelling
)

// The verdicts.
const (
	Unknown   = verdict.Unknown
	Healthy   = verdict.Healthy
	Breaching = verdict.Breaching
)

// MinChangeDatapoints is how many datapoints a rule on a change needs before it can
// detect one.
const MinChangeDatapoints = window.MinChangeDatapoints
