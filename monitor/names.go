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
	Verdict         = verdict.Verdict
	RuleStatus      = watch.RuleStatus
	DatapointStatus = watch.DatapointStatus
	Judgement       = watch.Judgement
)

type (
	Decision           = journal.Decision
	Suppression        = journal.Suppression
	Notice             = journal.Notice
	Rejection          = journal.Rejection
	Counters           = journal.Counters
	RetrainingCounters = journal.RetrainingCounters
	NoticeCounters     = journal.NoticeCounters
)

type (
	Control      = retraining.Control
	Flight       = retraining.Flight
	Pending      = retraining.Pending
	Verification = retraining.Verification
	Cancelling   = retraining.Cancelling
)

// The verdicts.
const (
	Unknown   = verdict.Unknown
	Healthy   = verdict.Healthy
	Breaching = verdict.Breaching
)

// The reasons for suppression, in the order in which one is named where several hold.
const (
	ByStopping   = journal.ByStopping
	ByPause      = journal.ByPause
	ByCooldown   = journal.ByCooldown
	ByFlight     = journal.ByFlight
	ByApproval   = journal.ByApproval
	BySuperseded = journal.BySuperseded
	ByBlackout   = journal.ByBlackout
	ByDryRun     = journal.ByDryRun
)

// MinChangeDatapoints is how many datapoints a rule on a change needs before it can
// detect one.
const MinChangeDatapoints = window.MinChangeDatapoints
