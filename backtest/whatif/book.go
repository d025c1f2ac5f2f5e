package whatif

import (
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/workflows"
)

// book is what recorded retrainings were answered, by request id.
type book struct {
	answers  map[string]*answer
	isClosed bool // it is only read from now on
}

// answer is what became of one retraining, and how long after its trigger.
type answer struct {
	at      time.Time // of the trigger
	job     *told[modelops.Job]
	refusal *told[string]
	outcome *told[modelops.Outcome]
}

type told[T any] struct {
	after time.Duration
	what  T
}

func (b *book) triggered(id string, at time.Time) {
	if b.answers == nil {
		b.answers = map[string]*answer{}
	}
	if !b.isClosed {
		b.answers[id] = &answer{at: at}
	}
}

// note writes down what was said of a retraining first.
func note[T any](b *book, id string, at time.Time, what T, of func(*answer) **told[T]) {
	a := b.answers[id]
	if a != nil && !b.isClosed && *of(a) == nil {
		*of(a) = &told[T]{at.Sub(a.at), what}
	}
}

// returned notes what a call of the recording has come back with.
func (b *book) returned(at time.Time, r workflows.Returned) {
	switch {
	case r.Job != nil:
		b.job(r.RequestID, at, *r.Job)
	case r.Outcome != nil:
		b.outcome(r.RequestID, at, *r.Outcome)
	case !r.IsFrozen:
		b.failed(r.RequestID, at, r.Reason)
	}
}

// knows says that a retraining is one of the recording's.
func (b *book) knows(id string) bool { return b.answers[id] != nil }

func (b *book) job(id string, at time.Time, job modelops.Job) {
	note(b, id, at, job, func(a *answer) **told[modelops.Job] { return &a.job })
}

func (b *book) failed(id string, at time.Time, message string) {
	note(b, id, at, message, func(a *answer) **told[string] { return &a.refusal })
}

func (b *book) outcome(id string, at time.Time, outcome modelops.Outcome) {
	note(b, id, at, outcome, func(a *answer) **told[modelops.Outcome] { return &a.outcome })
}

// recorded says that a retraining was triggered just then in the recording, too.
func (b *book) recorded(id string, at time.Time) bool {
	a := b.answers[id]
	return a != nil && a.at.Equal(at)
}

// answerTo is what a retraining that the recording knows nothing of, or not at that
// time, is taken to be answered: what the one of the same number was; otherwise what
// most were, after the median time. Without any it is accepted at once. The end of
// one that had none, for it was cancelled or is still in flight, is taken so too.
func (b *book) answerTo(id string) answer {
	if a := b.answers[id]; a != nil && (a.refusal != nil || a.outcome != nil || a.job != nil && !a.job.what.Followed) {
		return *a
	}

	typical := answer{job: &told[modelops.Job]{what: modelops.Job{Backend: "what-if"}}}
	var accepted, succeeded []time.Duration // until the end
	var scheduled []time.Duration
	for _, a := range b.answers {
		if a.job == nil {
			continue
		}

		scheduled = append(scheduled, a.job.after)
		switch {
		case a.outcome == nil && !a.job.what.Followed:
			accepted = append(accepted, a.job.after)
		case a.outcome != nil && a.outcome.what.State == modelops.Succeeded:
			succeeded = append(succeeded, a.outcome.after)
		}
	}

	typical.job.after = median(scheduled)
	if len(succeeded) > len(accepted) {
		typical.job.what.Followed = true
		typical.outcome = &told[modelops.Outcome]{median(succeeded), modelops.Outcome{RequestID: id, State: modelops.Succeeded}}
	}

	return typical
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}
