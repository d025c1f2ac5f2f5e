package whatif

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/workflows/replay"
)

// tape is a monitor's history: of its latest run, and of those that led to it by
// continue-as-new, as far back as they are retained.
type tape struct {
	histories replay.Histories
	question  Question
	id        string   // of the workflow
	runs      []string // oldest first
	events    int      // read so far
	// lastEvents is how long the last run's history was when it was played first. It may
	// have grown when it is played again.
	lastEvents int
}

func (t *tape) open(ctx context.Context, run string) client.HistoryEventIterator {
	return replay.Open(ctx, t.histories, t.id, run)
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

// play replays the tape, run by run, and lets a life follow it.
func (t *tape) play(ctx context.Context, l *life) error {
	for i, run := range t.runs {
		events, err := t.read(ctx, i)
		if err != nil {
			return fmt.Errorf("read the history of run %s: %w", run, err)
		}
		if i == len(t.runs)-1 {
			events = t.cut(events)
		}

		l.load(events)
		if err := t.replay(l, events); err != nil {
			return fmt.Errorf("run %s: %w", run, err)
		}
	}

	return nil
}

// countEvery is how often progress is told, in events.
const countEvery = 1000

func (t *tape) read(ctx context.Context, number int) (all []*historypb.HistoryEvent, err error) {
	for events := t.open(ctx, t.runs[number]); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			return nil, err
		}

		all = append(all, event)
		if t.events++; t.events%countEvery == 0 && t.question.Progress != nil {
			t.question.Progress(number+1, len(t.runs), t.events)
		}
	}

	if len(all) == 0 || all[0].GetWorkflowExecutionStartedEventAttributes() == nil {
		return nil, errors.New("it does not begin with its first event; the server has lost a part of it")
	}

	return all, nil
}

// cut leaves out what the last run has lived through since it was played first.
func (t *tape) cut(events []*historypb.HistoryEvent) []*historypb.HistoryEvent {
	if t.lastEvents == 0 {
		t.lastEvents = len(events)
	}
	return events[:min(len(events), t.lastEvents)]
}

// replay runs MonitorWorkflow over the part of a run's history that its worker has
// answered, if there is one.
func (t *tape) replay(l *life, events []*historypb.HistoryEvent) error {
	events = events[:replay.Answered(events)]
	if len(events) == 0 {
		return nil
	}

	if err := replay.Run(t.id, events, t.question.Codec, l.follow); err != nil {
		return fmt.Errorf("its history can't be replayed by this program; use the modelvigil of the release that its worker runs: %w", err)
	}

	return l.err
}

// ended is when a run ended; zero while it goes on.
func ended(events []*historypb.HistoryEvent) time.Time {
	last := events[len(events)-1]
	switch last.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return last.GetEventTime().AsTime()
	}

	return time.Time{}
}
