// Package journal is what a monitor writes down: its decisions, of which breaches can
// bring thousands, what it refused, what it counted, and whom it has to tell.
package journal

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Entries are the part of a monitor's state that is written down.
type Entries struct {
	Counters  Counters   `json:"counters"`
	Notices   []Notice   `json:"notices,omitempty"` // to be delivered
	Decisions []Decision `json:"decisions,omitempty"`
	Notable   *Decision  `json:"notable,omitempty"` // the last notable one
	// Failure is the last retraining that failed or timed out, until one succeeds or is
	// accepted.
	Failure    *Decision   `json:"failure,omitempty"`
	Rejections []Rejection `json:"rejections,omitempty"`
	// Sharing are the rules, by number, that have warned since the last notable decision in
	// the streak that names no rule.
	Sharing []int `json:"sharing,omitempty"`
}

// Journal writes entries.
type Journal struct {
	// OnDecision, where set, hears of each decision that gets an entry in the log, as
	// it falls.
	OnDecision func(Decision)
	// OnRepeat, where set, hears of each decision that goes on a streak in the log.
	// They come as often as breaches do: Repeated has such a decision in words.
	OnRepeat func(kind policy.Kind, by Suppression)
	// Trace, where set, names the span of a decision; cause is that of the decision
	// which it follows from, or "".
	Trace func(cause string, d Decision) string
	// OnRejection, where set, hears of each input that is refused, or of several of one
	// signal that are not explained.
	OnRejection func(why Rejection, count int64)

	entries     *Entries
	policy      *policy.Policy
	modelName   string
	requestBase string

	notables int64    // decisions that were notable, since the journal was opened
	streaks  []streak // of warnings by rule, of the warnings that share one, of each reason for suppression
	owes     bool     // some streak's entry lacks its words
	repeated repeated // the decision that OnRepeat hears of
}

// Open begins to write to entries about a model, by the policy that is in force. The
// ids of notices begin with requestBase.
func (j *Journal) Open(entries *Entries, modelName, requestBase string, policy *policy.Policy) {
	j.entries = entries
	j.modelName = modelName
	j.requestBase = requestBase
	j.policy = policy
	j.AdoptPolicy()
}

// AdoptPolicy goes on with other rules: the policy has changed.
func (j *Journal) AdoptPolicy() {
	j.streaks = make([]streak, len(j.policy.Rules)+1+len(suppressions))
	j.owes = false
}

// Counters returns what was counted so far.
func (j *Journal) Counters() Counters { return j.entries.Counters }

// Notables is how many notable decisions were written since the journal was opened.
func (j *Journal) Notables() int64 { return j.notables }

// maxDecisions is how many decisions a monitor remembers.
const maxDecisions = 50

// Decide writes a decision into an entry of its own.
func (j *Journal) Decide(decision Decision) { j.DecideUntil(decision, time.Time{}) }

// DecideUntil writes a decision that asks for something until an instant: an approval.
func (j *Journal) DecideUntil(decision Decision, until time.Time) {
	decision.Reason, decision.By = plain.Cut(decision.Reason, policy.MaxTextBytes), plain.Cut(decision.By, policy.MaxTextBytes)
	if j.Trace != nil && decision.IsNotable() {
		decision.Trace = j.Trace(j.cause(&decision), decision)
	}
	if decision.IsNotable() {
		notable := decision // a copy, so that the others don't escape to the heap
		j.entries.Notable = &notable
		j.notables++
		j.entries.noteFailure(&notable)
		j.entries.Sharing = nil
	}

	j.notify(decision, until)
	if j.OnDecision != nil {
		j.OnDecision(decision)
	}

	j.Settle()
	clear(j.streaks) // each is to be looked for again, since the log has changed
	j.entries.Decisions = KeepLast(append(j.entries.Decisions, decision), maxDecisions)
}

// noteFailure keeps a retraining's failure until a later one goes well.
func (e *Entries) noteFailure(decision *Decision) {
	switch decision.Kind {
	case policy.Failed, policy.TimedOut:
		e.Failure = decision
	case policy.Succeeded, policy.Accepted:
		e.Failure = nil
	}
}

// Moment is when rules were judged, as far as a journal has to know.
type Moment interface {
	// Tell says what a rule has measured, and why it breaches.
	Tell(rule int) Told
	// Keep returns what Tell goes by, until somebody asks for it, and what the rule has
	// measured.
	Keep(rule int) (e Evidence, value float64)
}

// Evidence is what the decisions of one moment go by. Words cost more than a decision,
// and are found when somebody reads the log.
type Evidence interface {
	// Tell says why a rule breached, which measured a value.
	Tell(rule int, value float64) Told
}

// Told is why a rule breaches.
type Told struct {
	Value, Threshold metric.Reading
	Reason           string
}
