package whatif

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Histories is where they are read from; a client of Temporal's is one.
type Histories interface {
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool,
		filter enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Question is what if, and of whom.
type Question struct {
	ModelName string
	RunID     string         // of the monitor's latest run
	Policy    *policy.Policy // the other policy; nil: the policies as they were recorded
	Codec     Codec
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
}

// ErrNoHistory says that the server retains nothing of a monitor.
var ErrNoHistory = errors.New("the server retains no history of it")

// Decide answers a question. It reads the history twice: first to learn what
// became of each retraining, so that the memory it takes does not grow with the
// history. Where a run is forgotten meanwhile, it begins anew with what is left.
func Decide(ctx context.Context, histories Histories, q Question) (Answer, error) {
	q.Codec = q.Codec.withDefaults()
	for runs := 0; ; {
		t := tape{histories: histories, question: q, id: contract.WorkflowID(q.ModelName)}
		if err := t.findRuns(ctx); err != nil {
			return Answer{}, err
		}
		answer, err := t.decide(ctx)
		if isNotFound(err) && (runs == 0 || len(t.runs) < runs) {
			runs = len(t.runs)
			continue
		}

		return answer, err
	}
}

func isNotFound(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}

func (t *tape) decide(ctx context.Context) (Answer, error) {
	codec := t.question.Codec
	recording := &life{codec: codec}
	last, err := t.play(ctx, recording, 0)
	if err != nil {
		return Answer{}, err
	}

	until := latest(recording.now, recording.from)
	switch {
	case !last.closed.IsZero():
		until = last.closed
	case last.waiting() == 0:
		until = latest(until, time.Now().UTC().Truncate(time.Millisecond)) // nothing has come since
	default:
		recording.note("signals wait that no worker has taken: %d", last.waiting())
	}

	recording.book.isClosed = true
	again := &life{codec: codec, book: recording.book}
	again.rival = &rival{policy: t.question.Policy, book: &again.book}
	if _, err := t.play(ctx, again, recording.tasks); err != nil {
		return Answer{}, err
	}

	again.rival.advance(until, again.machine)
	isBefore := func(d monitor.Decision) bool { return d.At.Before(again.from) }
	return Answer{
		ModelName: t.question.ModelName,
		Recorded:  slices.DeleteFunc(append([]monitor.Decision{}, recording.decisions...), isBefore),
		WhatIf:    slices.DeleteFunc(append([]monitor.Decision{}, again.rival.decisions...), isBefore),
		Runs:      len(t.runs), From: again.from, Until: until,
		Notes: append(recording.notes, again.rival.notes...),
	}, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// tape is a monitor's history: of its latest run, and of those that led to it by
// continue-as-new, as far back as they are retained.
type tape struct {
	histories Histories
	question  Question
	id        string   // of the workflow
	runs      []string // oldest first
	events    int      // read so far
}

func (t *tape) open(ctx context.Context, run string) client.HistoryEventIterator {
	return t.histories.GetWorkflowHistory(ctx, t.id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
}

// findRuns follows the chain of runs back.
func (t *tape) findRuns(ctx context.Context) error {
	for run := t.question.RunID; run != ""; {
		events := t.open(ctx, run)
		if !events.HasNext() {
			break
		}

		first, err := events.Next()
		if isNotFound(err) {
			break
		} else if err != nil {
			return fmt.Errorf("read the history of run %s: %w", run, err)
		}

		t.runs = append(t.runs, run)
		run = first.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId()
	}

	slices.Reverse(t.runs)
	if len(t.runs) == 0 {
		return ErrNoHistory
	}

	return nil
}

// play goes through the tape, or through its first tasks, and returns the reader of
// the last run.
func (t *tape) play(ctx context.Context, l *life, tasks int) (last *reader, err error) {
	for i, run := range t.runs {
		last = newReader(t.question.Codec)
		if err := t.playRun(ctx, l, last, i, tasks); err != nil {
			return nil, fmt.Errorf("read the history of run %s: %w", run, err)
		}
	}
	return last, nil
}

func (t *tape) playRun(ctx context.Context, l *life, r *reader, number, tasks int) error {
	begun := false
	for events := t.open(ctx, t.runs[number]); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			return err
		}

		if !begun {
			err = l.begin(r, event)
			begun = true
		}

		t.count(number)
		if err == nil {
			err = t.read(l, r, event, tasks)
		}
		if err != nil {
			return err
		}
	}

	done := r.finish()
	if done == nil || tasks > 0 && l.tasks == tasks {
		return nil
	}

	return l.do(done)
}

func (t *tape) read(l *life, r *reader, event *historypb.HistoryEvent, tasks int) error {
	done, err := r.read(event)
	if err != nil || done == nil || tasks > 0 && l.tasks == tasks {
		return err
	}
	return l.do(done)
}

// countEvery is how often progress is told, in events.
const countEvery = 1000

func (t *tape) count(number int) {
	if t.events++; t.events%countEvery == 0 && t.question.Progress != nil {
		t.question.Progress(number+1, len(t.runs), t.events)
	}
}

// maxNotes bounds what is said about a recording.
const maxNotes = 20

func (l *life) note(format string, args ...any) { l.notes = addNote(l.notes, format, args...) }

func addNote(notes []string, format string, args ...any) []string {
	switch {
	case len(notes) < maxNotes:
		return append(notes, fmt.Sprintf(format, args...))
	case len(notes) == maxNotes:
		return append(notes, "and more of the kind")
	}
	return notes
}
