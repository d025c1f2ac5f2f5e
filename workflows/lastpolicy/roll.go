package lastpolicy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/modelvigil/modelvigil/contract"
)

const (
	// maxAsked is of how many monitors the runs are asked for at once.
	maxAsked = 100
	// askPause is the time from one question to the next. By default the server
	// answers 10 of them a second in a namespace (frontend.namespaceRPS.visibility),
	// and lists, metrics and the fleet's brake ask too; 10,000 models that are watched
	// from one moment to the next are asked about in 20 s.
	askPause = 200 * time.Millisecond
	// ListLag is how far lists of the server may be behind. Of a monitor's runs that continued as
	// new, which are many, only those of the last minutes may hide its last.
	ListLag = 5 * time.Minute
)

// run is one run of a monitor, as it is listed.
type run struct {
	id      string
	started time.Time
}

// roll finds the runs of monitors. Those who ask while a question is under way are
// asked about together, by whoever of them comes to the turn first.
type roll struct {
	server Server
	turn   chan struct{} // of one
	asked  time.Time     // when a question was sent last; whoever has the turn has it

	mu      sync.Mutex
	waiting []*question
}

type question struct {
	workflowID string
	answered   bool // runs or err is there; whoever has the turn has these
	runs       []run
	err        error
}

// runsOf returns the runs of a monitor that are not known to have continued as new.
func (r *roll) runsOf(ctx context.Context, workflowID string) ([]run, error) {
	q := &question{workflowID: workflowID}
	r.mu.Lock()
	r.waiting = append(r.waiting, q)
	r.mu.Unlock()

	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		r.remove(q)
		return nil, ctx.Err()
	}

	if !q.answered {
		r.answer(ctx, q)
	}
	return q.runs, q.err
}

func (r *roll) remove(q *question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = slices.DeleteFunc(r.waiting, func(waiting *question) bool { return waiting == q })
}

// answer asks for the runs of q's monitor, and of others that wait. If its own time
// is over before it has an answer, the others ask themselves.
func (r *roll) answer(ctx context.Context, q *question) {
	defer r.remove(q)
	q.err = r.pause(ctx)
	if q.err != nil {
		return
	}

	asked := r.take(q)
	byID, err := r.list(ctx, asked)
	if err != nil && ctx.Err() != nil {
		q.err = err
		r.putBack(asked, q)
		return
	}

	for _, other := range asked {
		other.answered = true
		other.runs = byID[other.workflowID]
		other.err = err
	}
}

// pause waits until the next question may be sent.
func (r *roll) pause(ctx context.Context) error {
	select {
	case <-time.After(askPause - time.Since(r.asked)):
		r.asked = time.Now()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take takes q, and those who have waited longest, from the questions that wait.
func (r *roll) take(q *question) []*question {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := []*question{q}
	var left []*question
	for _, other := range r.waiting {
		switch {
		case other == q:
		case len(asked) < maxAsked:
			asked = append(asked, other)
		default:
			left = append(left, other)
		}
	}

	r.waiting = left
	return asked
}

func (r *roll) putBack(asked []*question, but *question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range asked {
		if q != but {
			r.waiting = append(r.waiting, q)
		}
	}
}

// list asks the server.
func (r *roll) list(ctx context.Context, asked []*question) (map[string][]run, error) {
	ids := make([]string, len(asked))
	for i, q := range asked {
		ids[i] = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(q.workflowID) + "'"
	}
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowType = '%s' AND WorkflowId IN (%s) AND (ExecutionStatus != 'ContinuedAsNew' OR CloseTime > '%s')",
			contract.WorkflowType, strings.Join(ids, ", "), time.Now().Add(-ListLag).UTC().Format(time.RFC3339)),
	}

	byID := map[string][]run{}
	for {
		response, err := r.server.ListWorkflow(ctx, request)
		if err != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		for _, listed := range response.GetExecutions() {
			id := listed.GetExecution().GetWorkflowId()
			byID[id] = append(byID[id], run{listed.GetExecution().GetRunId(), listed.GetStartTime().AsTime()})
		}

		if len(response.GetNextPageToken()) == 0 {
			return byID, nil
		}

		request.NextPageToken = response.GetNextPageToken()
	}
}
