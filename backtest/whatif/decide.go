// Package whatif decides a monitor's recorded life again, by another policy. It
// replays the monitor's histories with MonitorWorkflow itself, follows what the
// monitor's machine is given, and when, and gives it to another machine. The
// recording is not changed by that (open loop): the metrics are those of the models
// that were in service then.
package whatif

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows/replay"
)

// Question is what if, and of whom.
type Question struct {
	ModelName string
	RunID     string         // of the monitor's latest run
	Policy    *policy.Policy // the other policy; nil: the policies as they were recorded
	Codec     replay.Codec
	// Progress, where set, hears now and then how much is read.
	Progress func(run, runs, events int)
}

// Answer is what was decided and what would have been.
type Answer struct {
	ModelName string             `json:"model_name"`
	Recorded  []monitor.Decision `json:"recorded"` // oldest first
	WhatIf    []monitor.Decision `json:"whatif"`
	Runs      int                `json:"runs"`            // that the server retains
	From      time.Time          `json:"from"`            // when the first of them began
	Until     time.Time          `json:"until"`           // now, or when the monitor ended
	Notes     []string           `json:"notes,omitempty"` // what to know about the comparison
	// Unjudged are rules of the other policy that have judged nothing, and why, in words.
	Unjudged []string `json:"unjudged,omitempty"`
}

// ErrNoHistory says that the server retains nothing of a monitor.
var ErrNoHistory = errors.New("the server retains no history of it")

// Decide answers a question. It reads the history twice: first to learn what
// became of each retraining, so that the memory it takes is that of one run, however
// many there are. Where a run is forgotten meanwhile, it begins anew with what is left.
func Decide(ctx context.Context, histories replay.Histories, q Question) (Answer, error) {
	for runs := 0; ; {
		t := tape{histories: histories, question: q, id: contract.WorkflowID(q.ModelName)}
		if err := t.findRuns(ctx); err != nil {
			return Answer{}, err
		}
		answer, err := decide(q, func(l *life) error { return t.play(ctx, l) })
		if isNotFound(err) && (runs == 0 || len(t.runs) < runs) {
			runs = len(t.runs)
			continue
		}

		answer.Runs = len(t.runs)
		return answer, err
	}
}

func isNotFound(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}

// decide lets a life be played twice, which must be the same both times.
func decide(q Question, play func(*life) error) (Answer, error) {
	recording := &life{}
	if err := play(recording); err != nil {
		return Answer{}, err
	}

	until := recording.end()
	recording.book.isClosed = true
	again := &life{book: recording.book}
	again.rival = &rival{policy: q.Policy, book: &again.book}
	if err := play(again); err != nil {
		return Answer{}, err
	}

	if again.rival.machine != nil { // else no worker has begun with it yet
		again.rival.advance(until, again.wake)
	}
	isBefore := func(d monitor.Decision) bool { return d.At.Before(again.from) }
	return Answer{
		ModelName: q.ModelName,
		Recorded:  slices.DeleteFunc(append([]monitor.Decision{}, recording.decisions...), isBefore),
		WhatIf:    slices.DeleteFunc(append([]monitor.Decision{}, again.rival.decisions...), isBefore),
		From:      again.from,
		Until:     until,
		Notes:     append(recording.notes, again.rival.notes...),
		Unjudged:  again.rival.unjudged(until),
	}, nil
}

// maxNotes bounds what is said about a recording.
const maxNotes = 20

func addNote(notes []string, format string, args ...any) []string {
	switch {
	case len(notes) < maxNotes:
		return append(notes, fmt.Sprintf(format, args...))
	case len(notes) == maxNotes:
		return append(notes, "and more of the kind")
	}
	return notes
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
